"""A worker of a warm trainer: takes job after job and keeps what they share in memory."""

import gc
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

import psutil
import torch

from mtl_core.config import RunConfig
from mtl_core.errors import MtlError, TrainingError
from mtl_core.full_disk import storage_error
from mtl_core.study_file import override
from mtl_core.training._torch import is_of_a_lost_worker
from mtl_core.training.decoded import Decoded
from mtl_core.training.decoding_search import LEAST_EVALUATIONS, Proposer, search_decoding
from mtl_core.training.distributed import Place
from mtl_core.training.loop import train
from mtl_core.training.objectives.kinds import ObjectiveSection, objective_of
from mtl_core.training.report import Report
from mtl_core.validation import validate_data
from tuning.cluster.deaths import LOST
from tuning.trainers.channel import Channel
from tuning.trainers.decisions import Stop
from tuning.trainers.messages import (
    Failed,
    Job,
    PoolAddress,
    Reported,
    ScoreJob,
    TrainJob,
    TrialSpec,
)
from tuning.trainers.scoring import best_of_run, score_on_test
from tuning.trainers.shelf import Shelf

_DECODING_SHARE, _LEAST_DECODING_S = 0.05, 1.0
"""Share of the time of a run that a search for settings of decoding on its model may take, and
seconds that it may take in any case: most are tried in milliseconds, on logits that are kept."""


def decoding_limit(seconds: float) -> float:
    """Returns the seconds that settings of decoding may be searched after a run of so many."""
    return max(_LEAST_DECODING_S, _DECODING_SHARE * seconds)


@dataclass(frozen=True, slots=True)
class StudyTerms:
    """What the runs of a study have in common.

    Attributes:
        run: The resolved `run` section as plain data.
        objective: The study's objective.
        times_predictions: Whether reports say how long a prediction takes.
        decoding: What is searched on a trained model without training; None = nothing.
    """

    run: Mapping[str, object]
    objective: ObjectiveSection
    times_predictions: bool = False
    decoding: Proposer | None = None

    def of(self, spec: TrialSpec) -> "StudyTerms":
        """Returns them for a run, whose objective may have become known since."""
        told = spec.study.objective
        return self if told is None else replace(self, objective=objective_of(told))

    def config(self, spec: TrialSpec) -> RunConfig:
        """Returns the recipe of a run.

        Raises:
            ConfigError: Values that were drawn do not go together.
        """
        # The space was checked key by key; values of two keys may not go together.
        return validate_data(override(self.run, spec.overrides), RunConfig, where="run")


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What the workers of all trainers need to know.

    Attributes:
        studies: Name of a study -> its terms, as in `StudyRef`; "" is the one they work for.
        threads: Threads of torch.
        memory_growth_bytes: Growth since the first job after which the workers start anew.
        is_fresh: Whether they start anew after every job.
        trial_timeout_s: Seconds that all epochs of a run may take; None = any time.
    """

    studies: Mapping[str, StudyTerms]
    threads: int
    memory_growth_bytes: float
    is_fresh: bool
    trial_timeout_s: float | None = None


def work(settings: WorkerSettings, pool: PoolAddress, trainer: int) -> None:
    """Works until the pool has no more jobs; every worker of a trainer runs this."""
    torch.set_num_threads(settings.threads)
    place = Place.current()
    channel = Channel(pool, trainer, place)
    channel.enter()
    work_off(channel.take, Worker(settings, channel, place).do, settings, place)


def work_off(
    take: Callable[[], Job | None],
    do: Callable[[Job], object],
    settings: WorkerSettings,
    place: Place,
) -> None:
    """Does jobs until there are no more, or until the workers are to start anew."""
    baseline: int | None = None
    while (job := take()) is not None:
        do(job)
        # Models and optimisers hold themselves in cycles. What is left now outlives trials: to look
        # through all of it again after each would take several times as long as a small trial.
        gc.collect()
        gc.freeze()
        memory = psutil.Process().memory_info().rss
        # After the first job, which loads the data and encoder that later ones share.
        baseline = baseline if baseline is not None else memory
        has_grown = memory - baseline > settings.memory_growth_bytes
        # All workers have to leave together, or those that stay would wait for the others: hence
        # one answer for all. `is_fresh` is the same on all, so none skips the `gather` alone.
        if settings.is_fresh or any(place.gather(has_grown)):
            return


class Worker:
    """Does jobs; what it keeps between them are the assets of the last one."""

    def __init__(self, settings: WorkerSettings, channel: Channel, place: Place) -> None:
        """Makes one of the workers of a trainer.

        Args:
            settings: What it needs to know of the study.
            channel: Takes its messages.
            place: Its place among the trainer's workers.
        """
        self._settings = settings
        self._channel = channel
        self._place = place
        self._shelf = Shelf(place.device)

    def do(self, job: Job) -> None:
        """Does a job; what it raises fails the job and leaves the worker alive.

        A disk that takes no more does not fail the job: it is given back, see
        `TrialPool.give_back`.
        """
        try:
            if isinstance(job, TrainJob):
                self._train(job)
            else:
                self._score(job)
        except TrainingError as error:
            # Losses are summed over the workers, so all of them meet this at the same place.
            self._channel.send(Failed(_one_line(error)))
        except LOST:
            # The pool's answer was lost. The job has not failed: new workers get it again.
            raise
        except Exception as error:
            if is_of_a_lost_worker(error):
                # Killed, or it left with an error that it has told itself. The job of one that was
                # killed has not failed: new workers get it again.
                raise
            full = storage_error(error)
            if full is not None:
                # Not of the job: it goes on from its checkpoint where, and when, there is room.
                self._channel.give_back(str(full))
                if self._place.world_size > 1:
                    raise
                return
            text = _one_line(error) if isinstance(error, MtlError) else traceback.format_exc()
            self._channel.report(Failed(text))
            if self._place.world_size > 1:
                # The others may wait for this worker in the middle of a step: start all anew.
                raise

    def _train(self, job: TrainJob) -> None:
        terms = self._terms(job.spec)
        config = terms.config(job.spec)
        # The recipe keeps its number of epochs, which the learning rate's schedule is made for.
        last = min(job.spec.epochs or config.training.epochs, config.training.epochs)
        reports = train(
            config,
            objective=terms.objective,
            checkpoint=job.spec.checkpoint,
            assets=self._shelf.assets_for(config),
            on_progress=self._channel.tell if self._place.rank == 0 else None,
            times_predictions=terms.times_predictions,
        )
        seconds, ended = 0.0, None
        # Closed even when it is left early, so that the run lets go of its files and memory now.
        with closing(reports):
            for report in reports:
                seconds += report.seconds
                # `train` yields the reports of its checkpoint once more; they were decided on
                # before. The last one says that the run is over, which its driver, killed as it
                # came, may not have written down.
                if report.progress >= last:
                    ended = report
                    break
                if report.number <= job.delivered:
                    continue
                if isinstance(self._channel.send(Reported(report, is_last=False)), Stop):
                    break
                self._check_time(seconds)
        if ended is not None:
            # Only now: the run has let go of the one encoder, which its best model is made of.
            found = self._decoded(job, terms, ended, seconds)
            self._channel.send(Reported(replace(ended, decoded=found), is_last=True))

    def _decoded(
        self, job: TrainJob, terms: StudyTerms, last: Report, seconds: float
    ) -> Decoded | None:
        """Returns what is found on the best model of a run without training."""
        proposer, config = terms.decoding, terms.config(job.spec)
        if proposer is None or last.best_number == 0:
            return None
        limit_s, least = decoding_limit(seconds), job.spec.least_tries
        # Texts may take too long: the best model of the study is searched then. The last report has
        # all that a report asks for. Clocks of two workers differ.
        is_late = LEAST_EVALUATIONS * last.evaluation_seconds > limit_s
        if not least and any(self._place.gather(is_late)):
            return None
        trained = best_of_run(
            job.spec.checkpoint, config, self._shelf.assets_for(config), terms.objective,
            place=self._place, number=last.best_number,
        )  # fmt: skip
        found = search_decoding(
            trained, proposer, number=last.best_number, combined=last.best_combined,
            known=job.spec.known, limit_s=limit_s, least=least,
        )  # fmt: skip
        return found if found.tried else None

    def _check_time(self, seconds: float) -> None:
        limit = self._settings.trial_timeout_s
        # Clocks of two workers differ: one that is late ends the run for all.
        if limit is not None and any(self._place.gather(seconds > limit)):
            raise TrainingError(
                f"its epochs took {seconds:.1f} s; study.trial_timeout_s is {limit:g}"
            )

    def _score(self, job: ScoreJob) -> None:
        terms = self._terms(job.spec)
        config = terms.config(job.spec)
        assets = self._shelf.assets_for(config)
        scored = score_on_test(job, config, assets, terms.objective, self._place, terms.decoding)
        self._channel.send(scored)

    def _terms(self, spec: TrialSpec) -> StudyTerms:
        return self._settings.studies[spec.study.name].of(spec)


def _one_line(error: MtlError) -> str:
    return f"{type(error).__name__}: {error}"
