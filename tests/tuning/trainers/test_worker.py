"""A worker between jobs: what a trial leaves behind is freed, what outlives it is not looked at."""

import gc
import weakref
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import RunConfigFactory
from ray.exceptions import ActorUnavailableError

from mtl_core.assets import assets_key
from mtl_core.config import RunConfig
from mtl_core.errors import DataError, TrainingError
from mtl_core.training.distributed import Place
from mtl_core.training.objective import Mean
from mtl_core.training.progress import Progress
from tuning.trainers import worker as module
from tuning.trainers.messages import (
    Failed,
    PoolAddress,
    Reported,
    Scored,
    ScoreJob,
    TrainJob,
    TrialSpec,
)
from tuning.trainers.worker import WorkerSettings, _Worker, work


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


def test_workers_wait_together_for_as_long_as_other_trials_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[dict[str, object]] = []
    monkeypatch.setattr(module.dist, "new_group", lambda **settings: made.append(settings))
    monkeypatch.setattr(module.ray, "get_actor", lambda *_, **__: None)
    monkeypatch.setattr(
        module.Place, "current", classmethod(lambda _: SimpleNamespace(world_size=2, rank=1))
    )
    _Worker(SimpleNamespace(pool=PoolAddress("pool", "tests")))  # type: ignore[arg-type]
    [settings] = made
    assert settings["backend"] == "gloo"
    assert isinstance(settings["timeout"], timedelta)
    assert settings["timeout"] > timedelta(days=30)


class UnexpectedError(Exception):
    """An error that nobody expects."""


@pytest.mark.parametrize(
    ("error", "world_size", "sent", "is_raised"),
    [
        (TrainingError("the loss is nan"), 2, ["TrainingError: the loss is nan"], False),
        (DataError("a.conll:3: no"), 1, ["DataError: a.conll:3: no"], False),
        (DataError("a.conll:3: no"), 2, ["DataError: a.conll:3: no"], True),
        (UnexpectedError("boom"), 2, ["UnexpectedError: boom"], True),
        (ActorUnavailableError("the answer was lost", None), 1, [], True),
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

        def _train(self, job: TrainJob) -> None:
            raise error

        def _report(self, message: object) -> bool:
            assert isinstance(message, Failed)
            found.append(message.error.strip().splitlines()[-1].removeprefix("test_worker."))
            return False

        def _send(self, message: object) -> bool:
            return self._report(message)

    worker, job = Worker(), TrainJob(TrialSpec("0000", {}, Path()))
    if is_raised:
        with pytest.raises(type(error)):
            worker.do(job)
    else:
        worker.do(job)
    assert found == sent


class Desk(_Worker):
    """A worker without a pool, and what it sends."""

    def __init__(self, config: RunConfig) -> None:
        self.settings = SimpleNamespace(run=config.model_dump(mode="json"), objective=Mean())  # type: ignore[assignment]
        self.place = Place.current()
        self.control = self.assets = None
        self.sent: list[object] = []

    def _tell(self, progress: Progress) -> None:
        """Has no pool to tell."""

    def _report(self, message: object) -> bool:
        self.sent.append(message)
        return True


@pytest.mark.parametrize("has_test", [True, False])
def test_tasks_that_do_not_count_make_no_test_score(
    run_config: RunConfigFactory, corpus: Path, tmp_path: Path, has_test: bool
) -> None:
    """24 sentences and two chunks of other text, whose words are an auxiliary task."""
    lines = {split: str(corpus / split / "seq.in") for split in ("train", "dev", "test")}
    config = run_config(
        {
            "datasets.text": {"kind": "lines", "splits": lines},
            "tasks.words": {"kind": "masked_lm", "dataset": "text", "chunk": 16},
            "training.epochs": 1,
            **({} if has_test else {"datasets.corpus.splits": {"test": None}}),
        }
    )
    desk = Desk(config)
    spec = TrialSpec("0000", {}, tmp_path)
    desk.do(TrainJob(spec))
    desk.do(ScoreJob(spec, export=None, dev={}))
    reported, scored = desk.sent
    assert isinstance(reported, Reported)
    assert isinstance(scored, Scored)
    assert scored.scores is not None
    assert scored.worth_in_rows == (24 if has_test else 0)
    names = {"combined", "intent", "slots"} if has_test else set()
    assert scored.scores.keys() == {"joint_accuracy", "words", *names}


def test_values_that_do_not_go_together_fail_the_trial(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    desk = Desk(run_config({}))
    overrides = {"tasks.slots.crf": True, "tasks.slots.subwords": "all"}
    desk.do(TrainJob(TrialSpec("0000", overrides, tmp_path)))
    [failed] = desk.sent
    assert isinstance(failed, Failed)
    assert failed.error.startswith("ConfigError: run: tasks.slots.crf: a CRF runs over words;")
