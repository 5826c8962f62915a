"""Trainers in this process, which really train, and a search without Tune."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import ClassVar

import pytest
from tune_calls import search_in_order

from mtl_core.training.distributed import Place
from tuning.cluster import autoscaling
from tuning.run import company, session, tune
from tuning.run.stages.search import SearchParts
from tuning.trainers.decisions import Decision, GoOn
from tuning.trainers.messages import Job, Message, PoolAddress
from tuning.trainers.worker import Worker, WorkerSettings


@contextmanager
def trainers_here() -> Iterator[None]:
    """Studies have their runs done here meanwhile, one after the other, and start no Ray."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tune, "cluster", lambda *_, **__: nullcontext(lambda: None))
        patch.setattr(autoscaling, "provided_trainers", lambda *_, **__: nullcontext(1))
        patch.setattr(company, "start_trainers", start_trainers)
        patch.setattr(session, "search", search)
        patch.setattr(Trainer, "jobs", [])
        yield


class Trainer:
    """A trainer in this process: does a job and returns what it sends."""

    address = PoolAddress("pool", "tests")
    jobs: ClassVar[list[Job]] = []
    """Of all sessions."""
    running: ClassVar[list["Trainer"]] = []
    """The last one is that of the session that runs."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._sent: list[Message] = []
        self._worker = Worker(settings, self, Place.current())  # type: ignore[arg-type]

    def send(self, message: Message) -> Decision:
        self._sent.append(message)
        return GoOn()

    report = send

    def tell(self, progress: object) -> None:
        """Has no pool to tell."""

    def do(self, job: Job) -> list[Message]:
        self.jobs.append(job)
        self._sent.clear()
        self._worker.do(job)
        return list(self._sent)

    def run(self, jobs: Sequence[Job], **_: object) -> Iterator[tuple[str, Message]]:
        return ((job.spec.id, message) for job in jobs for message in self.do(job))


@contextmanager
def start_trainers(settings: WorkerSettings, *_: object, **__: object) -> Iterator[Trainer]:
    Trainer.running.append(Trainer(settings))
    yield Trainer.running[-1]


def search(parts: SearchParts, **_: object) -> None:
    """Runs trials one after the other."""
    search_in_order(parts, Trainer.running[-1].do)
