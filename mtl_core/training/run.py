"""A run, epoch by epoch and step by step."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mtl_core.assets import Assets, build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.store import EncodedDataset
from mtl_core.errors import TrainingError
from mtl_core.model.autocast import Precision
from mtl_core.model.prefix import can_run_apart
from mtl_core.model.prefix_cache import PrefixSettings
from mtl_core.model.trained import trained_parameters
from mtl_core.training.diagnostics import GradientDiagnostics
from mtl_core.training.distributed import Place
from mtl_core.training.epoch_losses import EpochLosses
from mtl_core.training.evaluation import Evaluation, evaluate
from mtl_core.training.forward import ForwardPass, Losses, MicroBatch, TaskLosses, with_labels
from mtl_core.training.loader import build_loader
from mtl_core.training.objectives.base import check_objective
from mtl_core.training.objectives.kinds import ObjectiveSection
from mtl_core.training.optimizer import learning_rates
from mtl_core.training.plan import GlobalBatch
from mtl_core.training.progress import EpochProgress, Listener
from mtl_core.training.report import Report, best_so_far
from mtl_core.training.row_adamw import RowAdamW
from mtl_core.training.state import new_state, seed_torch, set_frozen
from mtl_core.training.step import Step, build_step
from mtl_core.training.task_gradients import TaskGradients

_CHECK_EVERY = 20
"""Steps between looks at the loss: each look waits for the device."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What makes the updates; built anew whenever freezing changes.

    Attributes:
        optimizer: Makes the update from the gradients.
        gradients: Looks at the gradients of single tasks.
        step: Fills the gradients.
    """

    optimizer: RowAdamW
    gradients: TaskGradients
    step: Step


@dataclass(frozen=True, slots=True)
class Training:
    """Results of the training steps of an epoch.

    Attributes:
        losses: Task name -> mean loss over all workers.
        gradients: Means of norms and cosines, as `Report.gradients` has them.
        seconds: Wall time, evaluation left out.
    """

    losses: dict[str, float]
    gradients: dict[str, float]
    seconds: float


class Run:
    """One training run.

    `run_epoch` trains and scores one epoch; call it in order from 1. To make the steps one by one,
    call `begin` for an epoch, and for each batch of it `loader.micro_batches` and `step`.

    Attributes:
        config: The run's configuration.
        objective: What `combined` is.
        place: This worker.
        assets: Data and encoder.
        tasks: Task name -> task.
        loader: The data side: the plan of its epochs, and the batches.
        state: The model and all else that changes; a checkpoint can be loaded into it before the
            first epoch.
        stage: What makes the updates; None before the first epoch.
    """

    def __init__(
        self,
        config: RunConfig,
        objective: ObjectiveSection,
        *,
        assets: Assets | None = None,
        precision: Precision | None = None,
    ) -> None:
        """Makes ready for the first epoch.

        Args:
            config: The run.
            objective: What `combined` is.
            assets: Data and encoder of an earlier run with the same `assets_key`; None = load them.
            precision: What to compute in; None = what the configuration says, on this machine.

        Raises:
            ConfigError: The configuration cannot be run.
            DataError: A data set cannot be used.
        """
        self.config = config
        self.objective = objective
        self.place = Place.current()
        self.assets = assets or Assets.load(config, device=self.place.device)
        self.tasks = build_tasks(config, self.assets.data.datasets)
        check_objective(objective, self.tasks)
        self.loader = build_loader(config, self.assets.data, self.place)
        steps = self.loader.plan.steps_per_epoch * config.training.epochs
        self.state = new_state(
            config, self.assets, self.tasks, self.place, steps=steps, precision=precision
        )
        self.stage: Stage | None = None

    def run_epoch(self, epoch: int, on_progress: Listener | None = None) -> Report:
        """Trains and scores an epoch, and adds its report to the state.

        Raises:
            TrainingError: The loss is not finite, or gradients are beyond fp16 at any loss scale.
        """
        start = time.perf_counter()
        progress = EpochProgress(
            on_progress,
            epoch=epoch,
            epochs=self.config.training.epochs,
            steps=self.loader.plan.steps_per_epoch,
        )
        training = self._train(epoch, progress, start)
        progress.score()
        result = evaluate(
            self.state.model,
            self.tasks,
            self.loader.datasets,
            split="dev",
            place=self.place,
            precision=self.state.precision,
            collator=self.loader.collator,
        )
        report = self._report(epoch, training, result, start)
        self.state.reports.append(report)
        return report

    def begin(self, epoch: int) -> Iterator[GlobalBatch]:
        """Makes ready for an epoch, and returns the batches of its steps."""
        # Seeded by epoch, so that a run resumed here draws what an uninterrupted one would.
        seed_torch(self.config.seed, "epoch", epoch, self.place.rank)
        generator = np.random.default_rng([self.config.seed, epoch])
        if self.stage is None or self.config.freezing.changes_at(epoch):
            self.stage = self._begin_stage(epoch)
        self.state.model.train()
        main_scores = [self._main_scores(report) for report in self.state.reports]
        return self.loader.plan.epoch(epoch, generator, main_scores)

    def step(
        self,
        batch: GlobalBatch,
        micro_batches: Sequence[MicroBatch],
        diagnostics: GradientDiagnostics | None = None,
    ) -> Losses:
        """Makes one optimiser step; call `begin` first.

        Args:
            batch: The rows of the step.
            micro_batches: What the loader made of them for this worker.
            diagnostics: Takes in the gradients of the tasks before the update; None = no look.

        Returns:
            Task name -> loss summed over this worker's labels, on the device.

        Raises:
            TrainingError: The gradients are beyond fp16 at any loss scale.
        """
        stage = self.stage
        assert stage is not None, "`begin` comes first"
        # Rows are picked before the first forward pass, which reads them; a look makes one, too.
        stage.optimizer.begin(partial(self.loader.token_ids, batch))
        if diagnostics is not None:
            seen = stage.gradients.look(micro_batches, batch.counts)
            diagnostics.add(seen, with_labels(batch.counts))
        sums = stage.step.backward(micro_batches, batch.counts)
        # A step that overflows in fp16 is skipped whole: the learning rate stays, too.
        if stage.optimizer.step():
            stage.step.after_update(micro_batches, batch.counts)
            self.state.schedule.step()
        return sums

    def _train(self, epoch: int, progress: EpochProgress, start: float) -> Training:
        batches = self.begin(epoch)
        every, steps = self.config.training.gradients_every, self.loader.plan.steps_per_epoch
        sums, diagnostics = EpochLosses(list(self.tasks), self.place), GradientDiagnostics()
        losses: dict[str, float] = {}
        progress.train()
        for number, batch in enumerate(batches, start=1):
            looks = every is not None and number % every == 0
            micro_batches = list(self.loader.micro_batches(batch, epoch))
            found = self.step(batch, micro_batches, diagnostics if looks else None)
            sums.add(found, batch.counts)
            progress.step(batch.num_rows)
            if number % _CHECK_EVERY == 0 or number == steps:
                losses = sums.means()
                self._check(losses, f"epoch {epoch}, step {number}")
        assert self.stage is not None
        # Scoring and the checkpoint read the whole matrix of word embeddings.
        self.stage.optimizer.settle()
        self.state.weighting.after_epoch(losses)
        return Training(losses, diagnostics.means(), time.perf_counter() - start)

    def _report(self, epoch: int, training: Training, result: Evaluation, start: float) -> Report:
        state, plan = self.state, self.loader.plan
        counted = {name: score for name, score in result.main.items()
                   if not self.config.tasks[name].auxiliary}  # fmt: skip
        combined = self.objective.combine(counted, result.joint_accuracy)
        best_number, best_combined = best_so_far(state.reports, epoch, combined)
        return Report(
            epoch=epoch,
            number=epoch,
            progress=float(epoch),
            step=epoch * plan.steps_per_epoch,
            losses=training.losses,
            weights=state.weighting.current_weights(),
            learning_rates=learning_rates(state.optimizer),
            dev=result.scores,
            joint_accuracy=result.joint_accuracy,
            combined=combined,
            best_combined=best_combined,
            best_number=best_number,
            seconds=time.perf_counter() - start,
            sentences_per_second=plan.rows_per_epoch / training.seconds,
            gradients=training.gradients,
            trained=trained_parameters(state.model, list(self.tasks)),
            precision=state.precision,
        )

    def _begin_stage(self, epoch: int) -> Stage:
        """Sets what trains from this epoch on, and builds what trains it."""
        config, state = self.config, self.state
        # First: `LossStep` hands what trains now to DistributedDataParallel.
        set_frozen(state.model, config.freezing, epoch=epoch)
        self.loader.datasets = self._with_frozen_states(epoch)
        optimizer = RowAdamW(
            state.optimizer,
            state.model.row_embedding,
            scale=state.scale,
            clip_norm=config.optimizer.clip_norm,
        )
        forward = ForwardPass(TaskLosses(state.model), self.place, state.precision, state.scale)
        gradients = TaskGradients(forward)
        step = build_step(
            state.weighting,
            gradients,
            task_weights={name: task.weight for name, task in config.tasks.items()},
            # A step on one data set meets only its heads.
            has_unused_parameters=len(self.loader.datasets) > 1 or not state.model.uses_encoder,
        )
        return Stage(optimizer, gradients, step)

    def _with_frozen_states(self, epoch: int) -> Mapping[str, EncodedDataset]:
        """Returns the data sets with what frozen layers make of them, where that never changes."""
        training, precision = self.config.training, self.state.precision
        encoder = self.state.model.encoder
        depth = self.config.freezing.frozen_depth(encoder, epoch=epoch)
        every = self.assets.data.datasets
        if depth is None or training.prefix_cache == "off" or not can_run_apart(encoder, depth):
            return every
        settings = PrefixSettings(
            depth=depth,
            precision=precision,
            dtype=precision if training.prefix_cache == "auto" else training.prefix_cache,
            budget=int(training.prefix_cache_gib * 2**30),
        )
        # Where a task changes its batches (masking), frozen layers see other words in each epoch.
        changed = {dataset for name in self.loader.collator.changes
                   for dataset in self.config.tasks[name].datasets}  # fmt: skip
        fixed = {name: dataset for name, dataset in every.items() if name not in changed}
        return {**every, **self.assets.prefix_cache.apply(fixed, encoder, settings)}

    def _main_scores(self, report: Report) -> dict[str, float]:
        return {name: report.dev[name][task.main_score] for name, task in self.tasks.items()
                if name in report.dev}  # fmt: skip

    def _check(self, losses: Mapping[str, float], where: str) -> None:
        """Raises a TrainingError where a loss is not finite."""
        rates = self.config.optimizer
        is_fp16 = self.state.precision == "fp16"
        advice = "; fp16 ends at 65504, so try training.precision=fp32" if is_fp16 else ""
        for name, loss in losses.items():
            if not np.isfinite(loss):
                raise TrainingError(
                    f"{where}: the loss of task '{name}' is {loss}; lower optimizer.encoder_lr "
                    f"({rates.encoder_lr:g}) or optimizer.head_lr ({rates.head_lr:g}), or clip "
                    f"gradients{advice}"
                )
