"""A worker between jobs: what a trial leaves behind is freed, what outlives it is not looked at."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import RunConfigFactory

from mtl_core.assets import assets_key
from mtl_core.errors import DataError, TrainingError
from tuning import worker as module
from tuning.messages import Failed, TrialJob
from tuning.worker import WorkerSettings, _Worker, work


class Cyclic:
    """Holds itself, as models and optimisers do: only the collector frees it."""

    def __init__(self, key: str = "") -> None:
        self.key = key
        self.itself = self


@pytest.fixture(autouse=True)
def thaw() -> Iterator[None]:
    threads = torch.get_num_threads()
    gc.disable()  # nothing is freed by chance
    yield
    gc.enable()
    gc.unfreeze()
    torch.set_num_threads(threads)


def test_a_trial_is_freed_and_the_rest_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[weakref.ref[Cyclic]] = []
    frozen: list[int] = []

    class Worker:
        def __init__(self, settings: WorkerSettings) -> None:
            self.place = SimpleNamespace(gather=lambda value: [value])
            self.jobs = iter([1, 2])

        def enter(self) -> None: ...

        def take(self) -> int | None:
            frozen.append(gc.get_freeze_count())
            return next(self.jobs, None)

        def do(self, job: int) -> None:
            assert all(trial() is None for trial in left)
            left.append(weakref.ref(Cyclic()))
            assert left[-1]() is not None

    monkeypatch.setattr(module, "_Worker", Worker)
    settings = SimpleNamespace(threads=1, memory_growth_bytes=1e12, is_fresh=False)
    work(settings)  # type: ignore[arg-type]
    assert [trial() for trial in left] == [None, None]
    before, *after = frozen
    assert before == 0
    assert len(after) == 2
    assert min(after) > 10_000  # the modules that are loaded


def test_other_assets_free_those_before_them(
    monkeypatch: pytest.MonkeyPatch, run_config: RunConfigFactory
) -> None:
    def load(config: object, *, device: object) -> Cyclic:
        return Cyclic(assets_key(config))  # type: ignore[arg-type]

    monkeypatch.setattr(module.Assets, "load", load)
    worker = object.__new__(_Worker)
    worker.assets, worker.place = None, SimpleNamespace(device="cpu")  # type: ignore[assignment]
    first = weakref.ref(worker._assets_for(run_config()))
    gc.collect()
    gc.freeze()  # as after every job
    assert worker._assets_for(run_config({"training.epochs": 2})) is first()
    worker._assets_for(run_config({"encoder.max_length": 16}))
    assert first() is None


class UnexpectedError(Exception):
    """An error that nobody expects."""


@pytest.mark.parametrize(
    ("error", "world_size", "sent", "is_raised"),
    [
        (TrainingError("the loss is nan"), 2, ["TrainingError: the loss is nan"], False),
        (DataError("a.conll:3: no"), 1, ["DataError: a.conll:3: no"], False),
        (DataError("a.conll:3: no"), 2, ["DataError: a.conll:3: no"], True),
        (UnexpectedError("boom"), 2, ["UnexpectedError: boom"], True),
    ],
)
def test_a_worker_whose_error_the_others_may_not_share_leaves_them(
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    world_size: int,
    sent: list[str],
    is_raised: bool,
) -> None:
    found: list[str] = []

    class Worker(_Worker):
        def __init__(self) -> None:
            self.place = SimpleNamespace(world_size=world_size, rank=1)  # type: ignore[assignment]
            self.control = None

        def _train(self, job: TrialJob) -> None:
            raise error

        def _report(self, message: object) -> bool:
            assert isinstance(message, Failed)
            found.append(message.error.strip().splitlines()[-1].removeprefix("test_worker."))
            return False

        def _send(self, message: object) -> bool:
            return self._report(message)

    worker, job = Worker(), TrialJob(0, {}, Path())
    if is_raised:
        with pytest.raises(type(error)):
            worker.do(job)
    else:
        worker.do(job)
    assert found == sent
