"""A run, epoch by epoch, step by step, with its reports between."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np

from mtl_core.assets import Assets, build_tasks
from mtl_core.config import RunConfig
from mtl_core.model.autocast import Precision
from mtl_core.model.trained import trained_parameters
from mtl_core.training.diagnostics import Look
from mtl_core.training.distributed import Place
from mtl_core.training.epoch_losses import check_finite
from mtl_core.training.evaluation import Evaluation, evaluate, main_scores
from mtl_core.training.forward import Losses, MicroBatch
from mtl_core.training.loader import build_loader
from mtl_core.training.objectives.base import check_objective
from mtl_core.training.objectives.kinds import ObjectiveSection
from mtl_core.training.optimizer import learning_rates
from mtl_core.training.plan import GlobalBatch, parts_of
from mtl_core.training.progress import EpochProgress, Listener
from mtl_core.training.report import Report, best_so_far
from mtl_core.training.report_texts import as_due, with_earlier_texts
from mtl_core.training.so_far import EpochTotals
from mtl_core.training.speed import ms_per_sentence
from mtl_core.training.stage import Stage, begin_stage
from mtl_core.training.state import new_state, seed_torch

_CHECK_EVERY = 20
"""Steps between looks at the loss: each look waits for the device."""


@dataclass(frozen=True, slots=True)
class Training:
    """Results of the training steps up to a report.

    Attributes:
        losses: Task name -> mean loss of the epoch so far, over all workers.
        gradients: Means of what was looked at, as `Report.gradients` has them.
        sentences: Those of the steps since the report before.
    """

    losses: dict[str, float]
    gradients: dict[str, float]
    sentences: int


class Run:
    """One training run.

    `run_epoch` trains and scores one epoch; take its reports in order from epoch 1. To make the
    steps one by one, call `begin` for an epoch, and for each batch of it `loader.micro_batches` and
    `step`.

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
        steps = self._parts()[-1][-1] * config.training.epochs
        self.state = new_state(
            config, self.assets, self.tasks, self.place, steps=steps, precision=precision
        )
        self.stage: Stage | None = None

    def run_epoch(self, epoch: int, on_progress: Listener | None = None) -> Iterator[Report]:
        """Trains an epoch; yields its reports, each of which is in the state by then.

        An epoch in which a checkpoint was left goes on behind its last report.

        Raises:
            TrainingError: The loss is not finite, or gradients are beyond fp16 at any loss scale.
        """
        start = time.perf_counter()
        parts, totals = self._parts(), EpochTotals(list(self.tasks), self.place)
        done = sum(report.epoch == epoch for report in self.state.reports)
        skipped = sum(map(len, parts[:done]))
        epochs, steps = self.config.training.epochs, parts[-1][-1]
        progress = EpochProgress(
            on_progress, epoch=epoch, epochs=epochs, steps=steps, skipped=skipped
        )
        batches = islice(self.begin(epoch), skipped, None)
        if self.state.so_far is not None and not totals.go_on(self.state.so_far):
            # Other workers than before: no exact resume, but not what was drawn already either.
            seed_torch(self.config.seed, "epoch", epoch, "step", skipped, self.place.rank)
        for part in parts[done:]:
            # The part is asked first, so that no batch behind its end is taken.
            training = self._train(epoch, zip(part, batches, strict=False), totals, progress)
            speed = training.sentences / (time.perf_counter() - start)
            is_end = part is parts[-1]
            if is_end:
                self.state.weighting.after_epoch(training.losses)
            progress.score()
            trained = time.perf_counter()
            report = self._report(epoch, part[-1], training, is_end=is_end)
            now = time.perf_counter()
            report = replace(report, seconds=now - start, evaluation_seconds=now - trained)
            report = replace(report, sentences_per_second=speed)
            self.state.reports.append(report)
            self.state.so_far = so_far = None if is_end else totals.so_far()
            yield report
            if so_far is not None:
                totals.put_back(so_far)  # Whoever took the report may have trained another run.
                self.state.optimizer.hide()
            start = time.perf_counter()

    def begin(self, epoch: int) -> Iterator[GlobalBatch]:
        """Makes ready for an epoch, and returns the batches of its steps."""
        self.state.optimizer.hide()  # What a checkpoint was left with.
        # Seeded by epoch, so that a run resumed here draws what an uninterrupted one would.
        seed_torch(self.config.seed, "epoch", epoch, self.place.rank)
        generator = np.random.default_rng([self.config.seed, epoch])
        if self.stage is None or self.config.freezing.changes_at(epoch):
            self.stage = begin_stage(
                self.config, self.assets, self.state, self.loader, self.place, epoch=epoch
            )
        self.state.model.train()
        # Of whole epochs, however often a run reports: mixing is to do the same.
        ended = [report for report in self.state.reports if report.progress.is_integer()]
        scores = [main_scores(report.dev, self.tasks) for report in ended]
        return self.loader.plan.epoch(epoch, generator, scores)

    def look(self, batch: GlobalBatch, epoch: int, number: int) -> Look | None:
        """Returns how the tasks pull on what they share, before a step; changes nothing.

        None where nothing is to be seen.

        Args:
            batch: The rows of the step.
            epoch: Its epoch.
            number: Its place within the epoch, from 1.
        """
        assert self.stage is not None, "`begin` comes first"
        whole = self.loader.with_all_datasets(batch, epoch, number)
        self.stage.optimizer.begin(partial(self.loader.token_ids, whole))
        return self.stage.look(list(self.loader.micro_batches(whole, epoch)), whole.counts)

    def step(self, batch: GlobalBatch, micro_batches: Sequence[MicroBatch]) -> Losses:
        """Makes one optimiser step; call `begin` first.

        Args:
            batch: The rows of the step.
            micro_batches: What the loader made of them for this worker.

        Returns:
            Task name -> loss summed over this worker's labels, on the device.

        Raises:
            TrainingError: The gradients are beyond fp16 at any loss scale.
        """
        stage = self.stage
        assert stage is not None, "`begin` comes first"
        # Rows are picked before the first forward pass, which reads them.
        stage.optimizer.begin(partial(self.loader.token_ids, batch))
        sums = stage.step.backward(micro_batches, batch.counts)
        # A step that overflows in fp16 is skipped whole: the learning rate stays, too.
        if stage.optimizer.step():
            stage.step.after_update(micro_batches, batch.counts)
            self.state.optimizer.count(stage.optimizer.settle)
            self.state.schedule.step()
        return sums

    def _train(
        self,
        epoch: int,
        steps: Iterable[tuple[int, GlobalBatch]],
        totals: EpochTotals,
        progress: EpochProgress,
    ) -> Training:
        """Makes the steps of a part of an epoch: (number within the epoch, batch) of each."""
        every, sentences = self.config.training.gradients_every, 0
        progress.train()
        for number, batch in steps:
            if every is not None and number % every == 0:
                totals.look(self.look(batch, epoch, number))
            found = self.step(batch, list(self.loader.micro_batches(batch, epoch)))
            totals.losses.add(found, batch.counts)
            sentences += batch.num_rows
            progress.step(batch.num_rows)
            if number % _CHECK_EVERY == 0:
                self._check(totals.losses.means(), epoch, number)
        assert self.stage is not None
        # Scoring and the checkpoint read the whole matrix of word embeddings, and the average.
        self.stage.optimizer.settle()
        self.state.optimizer.show()
        losses = totals.losses.means()
        self._check(losses, epoch, number)
        return Training(losses, totals.gradients.means(), sentences)

    def _score(self, *, is_end: bool, is_last: bool) -> tuple[Evaluation, float, bool]:
        """Scores dev, or the sample of it within an epoch.

        Returns:
            The scores, the objective, and whether they are of the sample.
        """
        assert self.stage is not None
        sampled = None if is_end else self.stage.sampled
        is_sample = sampled is not None
        before = [report for report in self.state.reports if report.is_sample == is_sample]
        result = evaluate(
            self.state.model,
            as_due(self.tasks, before, is_last=is_last),
            sampled or self.loader.datasets,
            split="dev",
            place=self.place,
            precision=self.state.precision,
            collator=self.loader.collator,
        )
        result, is_new = with_earlier_texts(result, self.tasks, before)
        combined = self.objective.combine(result.counted(self.tasks), result.joint_accuracy)
        return result, combined if is_new else before[-1].combined, is_sample

    def ms_per_sentence(self) -> float:
        """Returns how long a prediction takes here, see `mtl_core.training.speed`."""
        return ms_per_sentence(
            self.state.model,
            list(self.tasks),
            # Without what frozen layers made of the rows: a prediction computes all.
            self.assets.data.datasets,
            place=self.place,
            precision=self.state.precision,
            collator=self.loader.collator,
        )

    def _report(self, epoch: int, step: int, training: Training, *, is_end: bool) -> Report:
        """Returns the report after a step of an epoch, still without times."""
        state, steps = self.state, self.loader.plan.steps_per_epoch
        is_last = is_end and epoch == self.config.training.epochs
        result, combined, is_sample = self._score(is_end=is_end, is_last=is_last)
        number = len(state.reports) + 1
        best_number, best_combined = best_so_far(
            state.reports, number, combined, is_sample=is_sample
        )
        return Report(
            epoch=epoch,
            number=number,
            progress=number / self.config.training.reports_per_epoch,
            step=(epoch - 1) * steps + step,
            losses=training.losses,
            weights=state.weighting.current_weights(),
            learning_rates=learning_rates(state.optimizer),
            dev=result.scores,
            joint_accuracy=result.joint_accuracy,
            combined=combined,
            best_combined=best_combined,
            best_number=best_number,
            seconds=0.0,
            sentences_per_second=0.0,
            gradients=training.gradients,
            trained=trained_parameters(state.model, list(self.tasks)),
            parameters=sum(parameter.numel() for parameter in state.model.parameters()),
            precision=state.precision,
            is_sample=is_sample,
        )

    def _parts(self) -> list[range]:
        """Returns the numbers of the steps of an epoch up to each of its reports."""
        return parts_of(self.loader.plan.steps_per_epoch, self.config.training.reports_per_epoch)

    def _check(self, losses: Mapping[str, float], epoch: int, step: int) -> None:
        where = f"epoch {epoch}, step {step}"
        check_finite(losses, self.config.optimizer, self.state.precision, where=where)
