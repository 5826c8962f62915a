"""A worker of a warm trainer: takes job after job and keeps what they share in memory."""

import gc
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psutil
import ray
import torch
import torch.distributed as dist

from mtl_core.assets import Assets, assets_key, build_collator, build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.store import EncodedDataset
from mtl_core.errors import MtlError, TrainingError
from mtl_core.export import export_best
from mtl_core.study_file import override
from mtl_core.training.checkpoint import load_best
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import evaluate
from mtl_core.training.loop import train
from mtl_core.training.objective import ObjectiveSection, counted_tasks
from mtl_core.training.progress import Progress
from mtl_core.validation import validate_data
from tuning.report.statistics import worth_in_rows
from tuning.trainers.messages import Failed, Job, Message, Reported, Scored, ScoreJob, TrialJob

_TELL_SECONDS = 1.0
"""Between messages of progress: a person reads them."""
_ENDLESS = timedelta(days=365)
"""Torch would end workers that wait for longer than half an hour."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker needs to know of its study.

    Attributes:
        trainer: Number of the trainer it belongs to.
        pool: Name of the pool's actor.
        namespace: Ray namespace of the pool.
        run: The resolved `run` section as plain data.
        objective: The study's objective.
        threads: Threads of torch.
        memory_growth_bytes: Growth since the first job after which the workers start anew.
        is_fresh: Whether they start anew after every job.
    """

    trainer: int
    pool: str
    namespace: str
    run: Mapping[str, object]
    objective: ObjectiveSection
    threads: int
    memory_growth_bytes: float
    is_fresh: bool


def work(settings: WorkerSettings) -> None:
    """Works until the pool has no more jobs; every worker of a trainer runs this."""
    torch.set_num_threads(settings.threads)
    worker = _Worker(settings)
    worker.enter()
    baseline: int | None = None
    while (job := worker.take()) is not None:
        worker.do(job)
        # Models and optimisers hold themselves in cycles. What is left now outlives trials: to look
        # through all of it again after each would take several times as long as a small trial.
        gc.collect()
        gc.freeze()
        memory = psutil.Process().memory_info().rss
        baseline = baseline if baseline is not None else memory
        has_grown = memory - baseline > settings.memory_growth_bytes
        if settings.is_fresh or any(worker.place.gather(has_grown)):
            return


class _Worker:
    """The state that outlives jobs: the assets of the last one."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self.place = Place.current()
        # Messages between workers are small Python objects; they must not need a GPU.
        # At the end of a study a trainer may wait for others' trials, as long as these take.
        self.control = (
            dist.new_group(backend="gloo", timeout=_ENDLESS) if self.place.world_size > 1 else None
        )
        self.pool = ray.get_actor(settings.pool, namespace=settings.namespace)
        self.assets: Assets | None = None
        self.told, self.phase = 0.0, ""

    def enter(self) -> None:
        """Tells the pool that the workers are there."""
        if self.place.rank == 0:
            ray.get(self.pool.enter.remote(self.settings.trainer))

    def take(self) -> Job | None:
        """Returns the next job, the same on all workers."""
        job = None
        if self.place.rank == 0:
            job = ray.get(self.pool.take.remote(self.settings.trainer))
            if job is not None:
                ray.get(self.pool.begin.remote(self.settings.trainer))
        taken: Job | None = self._from_first(job)
        return taken

    def do(self, job: Job) -> None:
        """Does a job; whatever it raises fails the job and leaves the worker alive."""
        try:
            if isinstance(job, TrialJob):
                self._train(job)
            else:
                self._score(job)
        except TrainingError as error:
            # Losses are summed over the workers, so all of them meet this at the same place.
            self._send(Failed(_one_line(error)))
        except ray.exceptions.RayActorError:
            # The pool's answer was lost. The job has not failed: new workers get it again.
            raise
        except Exception as error:
            text = _one_line(error) if isinstance(error, MtlError) else traceback.format_exc()
            self._report(Failed(text))
            if self.place.world_size > 1:
                # The others may wait for this worker in the middle of a step: start all anew.
                raise

    def _train(self, job: TrialJob) -> None:
        config = self._config(job)
        reports = train(
            config,
            objective=self.settings.objective,
            checkpoint=job.checkpoint,
            assets=self._assets_for(config),
            on_progress=self._tell if self.place.rank == 0 else None,
        )
        with closing(reports):
            for report in reports:
                if report.epoch <= job.delivered:
                    continue
                is_last = report.epoch == config.training.epochs
                if not self._send(Reported(report.to_json(), is_last)):
                    break

    def _tell(self, progress: Progress) -> None:
        """Tells the pool where the run stands, now and then, without waiting for an answer."""
        now = time.monotonic()
        if now - self.told >= _TELL_SECONDS or progress.phase != self.phase:
            self.told, self.phase = now, progress.phase
            self.pool.progress.remote(self.settings.trainer, progress)

    def _score(self, job: ScoreJob) -> None:
        config = self._config(job)
        assets = self._assets_for(config)
        tasks = build_tasks(config, assets.data.datasets)
        model = assets.new_model(config, tasks)
        precision = load_best(job.checkpoint, model)
        scores: dict[str, float | Mapping[str, float]] | None = None
        if any("test" in dataset.splits for dataset in assets.data.datasets.values()):
            result = evaluate(
                model,
                tasks,
                assets.data.datasets,
                split="test",
                place=self.place,
                precision=precision,
                collator=build_collator(config, assets.data.tokenizer),
            )
            scores = {"joint_accuracy": result.joint_accuracy, **result.scores}
            counted = [name for name, task in config.tasks.items() if not task.auxiliary]
            if result.main.keys() >= set(counted):
                main = [result.main[name] for name in counted]
                combined = self.settings.objective.combine(main, result.joint_accuracy)
                scores = {"combined": combined, **scores}
        if job.export is not None and self.place.rank == 0:
            export_best(
                job.checkpoint, job.export, config=config, assets=assets, dev=job.dev, test=scores
            )
        objective = self.settings.objective
        rows = _test_rows(config, assets.data.datasets, counted_tasks(objective, tasks))
        self._send(Scored(scores, worth_in_rows(objective.kind, rows)))

    def _config(self, job: Job) -> RunConfig:
        # The space was checked key by key; values of two keys may not go together.
        return validate_data(override(self.settings.run, job.overrides), RunConfig, where="run")

    def _assets_for(self, config: RunConfig) -> Assets:
        if self.assets is None or self.assets.key != assets_key(config):
            self.assets = None  # frees the old ones before the new ones are loaded
            gc.unfreeze()
            gc.collect()
            self.assets = Assets.load(config, device=self.place.device)
        return self.assets

    def _send(self, message: Message) -> bool:
        """Sends a message from the first worker; all obey the same answer."""
        go_on = self._report(message) if self.place.rank == 0 else False
        return bool(self._from_first(go_on))

    def _report(self, message: Message) -> bool:
        return bool(ray.get(self.pool.report.remote(self.settings.trainer, message)))

    def _from_first(self, value: Any) -> Any:
        """Returns the first worker's value on every worker."""
        if self.control is None:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0, group=self.control)
        return values[0]


def _test_rows(
    config: RunConfig, datasets: Mapping[str, EncodedDataset], tasks: Sequence[str]
) -> list[dict[str, int]]:
    """Returns for each of the tasks: data set -> rows of test, or questions, with labels."""
    found: list[dict[str, int]] = []
    for name in tasks:
        splits = {key: datasets[key].splits.get("test") for key in config.tasks[name].datasets}
        counts = {key: split.num_scored(name) for key, split in splits.items() if split is not None}
        found.append({key: count for key, count in counts.items() if count})
    return found


def _one_line(error: MtlError) -> str:
    return f"{type(error).__name__}: {error}"
