"""The training loop: a generator of one `EpochReport` an epoch; closing it stops the run."""

import hashlib
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from mtl_core.assets import Assets, build_collator, build_tasks, inputs_of
from mtl_core.config import RunConfig
from mtl_core.data.store import EncodedDataset
from mtl_core.errors import ConfigError, TrainingError
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model.trained import trained_parameters
from mtl_core.training.checkpoint import Trainer, load_checkpoint, save_checkpoint, saved_precision
from mtl_core.training.diagnostics import GradientDiagnostics
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import Evaluation, evaluate
from mtl_core.training.lazy_rows import LazyRows
from mtl_core.training.loss_scale import LossScale
from mtl_core.training.objective import Mean, ObjectiveSection, check_objective
from mtl_core.training.optimizer import build_optimizer, build_schedule, learning_rates
from mtl_core.training.plan import GlobalBatch, TrainingPlan, part_rows, token_ids
from mtl_core.training.precision import Precision, advise, agreed, choose
from mtl_core.training.prefix_cache import PrefixSettings
from mtl_core.training.progress import EpochProgress, Listener
from mtl_core.training.report import EpochReport
from mtl_core.training.step import Part, Stepper, TaskLosses
from mtl_core.training.update import update

_CHECK_EVERY = 20
"""Steps between looks at the loss: each look waits for the device."""


def train(
    config: RunConfig,
    *,
    objective: ObjectiveSection | None = None,
    checkpoint: Path | None = None,
    assets: Assets | None = None,
    on_progress: Listener | None = None,
) -> Generator[EpochReport, None, None]:
    """Trains one multi-task model.

    With several workers (a torch.distributed process group) each of them calls this with the same
    arguments and gets the same reports.

    Args:
        config: The run.
        objective: What `combined` is; default: the mean of the main scores.
        checkpoint: Folder of the checkpoint. When it holds one of this recipe, objective and data,
            the run goes on from there, after yielding the reports that were already made; the
            numbers are those of a run that was never interrupted, bit by bit in fp32 on one CPU
            worker. It keeps its precision, whatever `auto` would be here.
        assets: Data and encoder of an earlier run with the same `assets_key`.
        on_progress: Told after every step how far the epoch is; training waits for it.

    Yields:
        A report after every epoch.

    Raises:
        ConfigError: The configuration cannot be run.
        DataError: A data set cannot be used.
        TrainingError: The loss is not finite, or gradients are beyond fp16 at any loss scale.
    """
    run = _Run(config, objective or Mean(), assets, checkpoint)
    recipe = {
        "run": config.model_dump_json(),
        "objective": run.objective.model_dump_json(),
        **inputs_of(config, run.assets.data.datasets),
    }
    if checkpoint is not None:
        load_checkpoint(checkpoint, run.trainer, recipe=recipe)
    yield from tuple(run.trainer.reports)
    for epoch in range(len(run.trainer.reports) + 1, config.training.epochs + 1):
        report = run.run_epoch(epoch, on_progress)
        if checkpoint is not None:
            if run.place.rank == 0:
                save_checkpoint(checkpoint, run.trainer, recipe=recipe)
            run.place.barrier()
        yield report


class _Run:
    """A run between its epochs."""

    def __init__(
        self,
        config: RunConfig,
        objective: ObjectiveSection,
        assets: Assets | None,
        checkpoint: Path | None = None,
    ) -> None:
        self.config = config
        self.objective = objective
        self.place = Place.current()
        self.assets = assets or Assets.load(config, device=self.place.device)
        self.datasets: Mapping[str, EncodedDataset] = self.assets.data.datasets
        self.tasks = build_tasks(config, self.datasets)
        check_objective(objective, self.tasks)
        self.collator = build_collator(config, self.assets.data.tokenizer)
        weights = {name: task.weight for name, task in config.tasks.items()}
        self.trained = [name for name, weight in weights.items() if weight > 0]
        self.plan = TrainingPlan(
            self.datasets,
            self.trained,
            batch_size=config.training.batch_size,
            mixing=config.mixing,
            epochs=config.training.epochs,
        )
        _seed(config.seed, "heads")
        model = self.assets.new_model(config, self.tasks)
        weighting = config.weighting.build(weights, seed=config.seed).to(self.place.device)
        # In the last epoch the most trains: the optimiser and the checkpoints hold all of it.
        self._set_frozen(model, config.training.epochs)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise ConfigError("run.freezing: nothing is left to train")
        self.is_wrapped = False
        self.words: LazyRows | None = None
        # A step on one data set meets only its heads.
        self.has_unused_parameters = len(self.datasets) > 1
        saved = None if checkpoint is None else saved_precision(checkpoint)
        precision = saved or self._choose_precision(model)
        scale = LossScale() if precision == "fp16" else None
        self.stepper = Stepper(
            TaskLosses(model),
            weighting,
            self.place,
            task_weights=weights,
            precision=precision,
            scale=scale,
        )
        optimizer = build_optimizer(
            model,
            weighting,
            config.optimizer,
            {
                name: task.learning_rate or config.optimizer.head_lr
                for name, task in config.tasks.items()
            },
        )
        schedule = build_schedule(
            optimizer,
            schedule=config.optimizer.schedule,
            warmup=config.optimizer.warmup,
            total_steps=self.plan.steps_per_epoch * config.training.epochs,
        )
        self.trainer = Trainer(model, weighting, optimizer, schedule, [], precision, scale)
        self.loss_sums = torch.zeros(len(self.tasks), device=self.place.device)
        self.label_counts = dict.fromkeys(self.tasks, 0)
        self.diagnostics = GradientDiagnostics()

    def _choose_precision(self, model: MultiTaskModel) -> Precision:
        choice = choose(self.config.training.precision, self.place.device, model.encoder.config)
        if self.place.rank == 0:
            advise(choice)
        return agreed(self.place.gather(choice.precision))

    def run_epoch(self, epoch: int, on_progress: Listener | None = None) -> EpochReport:
        """Trains and evaluates one epoch, and adds its report to the run."""
        start = time.perf_counter()
        progress = EpochProgress(
            on_progress,
            epoch=epoch,
            epochs=self.config.training.epochs,
            steps=self.plan.steps_per_epoch,
        )
        # Seeded by epoch, so that a run resumed here draws what an uninterrupted one would.
        _seed(self.config.seed, "epoch", epoch, self.place.rank)
        generator = np.random.default_rng([self.config.seed, epoch])
        self._freeze(epoch)
        self.trainer.model.train()
        self.loss_sums.zero_()
        self.label_counts = dict.fromkeys(self.tasks, 0)
        self.diagnostics = GradientDiagnostics()
        main_scores = [self._main_scores(report) for report in self.trainer.reports]
        steps = self.plan.epoch(epoch, generator, main_scores)
        progress.train()
        for number, batch in enumerate(steps, start=1):
            self._train_step(batch, epoch, number)
            progress.step(batch.num_rows)
            if number % _CHECK_EVERY == 0 or number == self.plan.steps_per_epoch:
                losses = self._mean_losses(epoch, number)
        if self.words is not None:
            self.words.settle()
        self.trainer.weighting.after_epoch(losses)
        training_seconds = time.perf_counter() - start
        progress.score()
        result = evaluate(
            self.trainer.model,
            self.tasks,
            self.datasets,
            split="dev",
            place=self.place,
            precision=self.trainer.precision,
            collator=self.collator,
        )
        return self._report(epoch, losses, result, start, training_seconds)

    def _report(
        self,
        epoch: int,
        losses: dict[str, float],
        result: Evaluation,
        start: float,
        training_seconds: float,
    ) -> EpochReport:
        counted = [score for name, score in result.main.items()
                   if not self.config.tasks[name].auxiliary]  # fmt: skip
        combined = self.objective.combine(counted, result.joint_accuracy)
        best = max(self.trainer.reports, key=lambda report: report.combined, default=None)
        if best is not None and best.combined >= combined:
            best_combined, best_epoch = best.combined, best.epoch
        else:
            best_combined, best_epoch = combined, epoch
        report = EpochReport(
            epoch=epoch,
            progress=float(epoch),
            step=epoch * self.plan.steps_per_epoch,
            losses=losses,
            weights=self.trainer.weighting.current_weights(),
            learning_rates=learning_rates(self.trainer.optimizer),
            dev=result.scores,
            joint_accuracy=result.joint_accuracy,
            combined=combined,
            best_combined=best_combined,
            best_epoch=best_epoch,
            seconds=time.perf_counter() - start,
            sentences_per_second=self.plan.rows_per_epoch / training_seconds,
            gradients=self.diagnostics.means(),
            trained=trained_parameters(self.trainer.model, list(self.tasks)),
            precision=self.trainer.precision,
        )
        self.trainer.reports.append(report)
        return report

    def _freeze(self, epoch: int) -> None:
        """Sets what trains in this epoch."""
        if self.config.freezing.changes_at(epoch) or not self.is_wrapped:
            self._set_frozen(self.trainer.model, epoch)
            self.datasets = self._with_frozen_states(epoch)
            embedding = self.trainer.model.row_embedding
            self.words = None
            if embedding is not None:
                self.words = LazyRows(embedding, self.trainer.optimizer)
            self.stepper.wrap(has_unused_parameters=self.has_unused_parameters)
            self.is_wrapped = True

    def _set_frozen(self, model: MultiTaskModel, epoch: int) -> None:
        freezing = self.config.freezing
        model.freeze(
            freezing.frozen_modules(model.encoder, epoch=epoch),
            freezing.frozen_parameters(model.encoder, epoch=epoch),
        )

    def _with_frozen_states(self, epoch: int) -> Mapping[str, EncodedDataset]:
        """Returns the data sets with what frozen layers make of them, where that never changes."""
        training, precision = self.config.training, self.trainer.precision
        encoder = self.trainer.model.encoder
        depth = self.config.freezing.frozen_depth(encoder, epoch=epoch)
        every = self.assets.data.datasets
        if depth is None or training.prefix_cache == "off":
            return every
        settings = PrefixSettings(
            depth=depth,
            precision=precision,
            dtype=precision if training.prefix_cache == "auto" else training.prefix_cache,
            budget=int(training.prefix_cache_gib * 2**30),
        )
        # What a task changes in a batch, frozen layers see anew each time.
        changed = {d for name in self.collator.changes for d in self.config.tasks[name].datasets}
        fixed = {name: dataset for name, dataset in every.items() if name not in changed}
        return {**every, **self.assets.prefix_cache.apply(fixed, encoder, settings)}

    def _main_scores(self, report: EpochReport) -> dict[str, float]:
        return {name: report.dev[name][task.main_score] for name, task in self.tasks.items()
                if name in report.dev}  # fmt: skip

    def _train_step(self, batch: GlobalBatch, epoch: int, number: int) -> None:
        """Makes one optimiser step, in parts when gradients are accumulated."""
        optimizer = self.trainer.optimizer
        if self.words is not None:
            self.words.pick(token_ids(batch, self.datasets, self.collator.pad_token_id))
        parts = list(self._parts(batch, epoch))
        every = self.config.training.gradients_every
        if every and number % every == 0:
            present = [name for name, count in batch.counts.items() if count]
            self.diagnostics.add(self.stepper.task_gradients(parts, batch.counts), present)
        optimizer.zero_grad(set_to_none=True)
        sums = self.stepper.backward(parts, batch.counts)
        clip_norm = self.config.optimizer.clip_norm
        if update(optimizer, self.words, self.trainer.scale, clip_norm=clip_norm):
            self.stepper.after_update(parts, batch.counts)
            self.trainer.schedule.step()
        for name, value in sums.items():
            self.loss_sums[self._position(name)] += value
        for name, count in batch.counts.items():
            self.label_counts[name] += count

    def _parts(self, batch: GlobalBatch, epoch: int) -> Iterator[Part]:
        """Yields this worker's parts of a step."""
        parts = self.config.training.accumulation
        for dataset, rows in batch.pieces:
            split = self.datasets[dataset].splits["train"]
            names = [name for name in split.labels if name in self.trained]
            for part in range(parts):
                number = part * self.place.world_size + self.place.rank
                own, is_padding = part_rows(rows, number, parts * self.place.world_size)
                seed = (self.config.seed, epoch)
                local = self.collator(split, own, seed=seed).to(self.place.device)
                yield (local.without_labels(split.labels.columns) if is_padding else local), names

    def _mean_losses(self, epoch: int, step: int) -> dict[str, float]:
        """Returns task name -> mean loss of the epoch so far, over all workers.

        Raises:
            TrainingError: One of them is not finite.
        """
        sums = self.place.sum(self.loss_sums.clone()).tolist()
        losses = {
            name: total / self.label_counts[name]
            for name, total in zip(self.tasks, sums, strict=True)
            if self.label_counts[name]
        }
        for name, loss in losses.items():
            if not np.isfinite(loss):
                raise TrainingError(
                    f"epoch {epoch}, step {step}: the loss of task '{name}' is {loss}; lower "
                    f"optimizer.encoder_lr ({self.config.optimizer.encoder_lr:g}) or "
                    f"optimizer.head_lr ({self.config.optimizer.head_lr:g}), or clip gradients"
                    f"{_beyond_range(self.trainer.precision)}"
                )
        return losses

    def _position(self, task_name: str) -> int:
        return list(self.tasks).index(task_name)


def _beyond_range(precision: Precision) -> str:
    return "; fp16 ends at 65504, so try training.precision=fp32" if precision == "fp16" else ""


def _seed(*parts: int | str) -> None:
    """Seeds torch's generators (head weights, dropout) from the parts."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
