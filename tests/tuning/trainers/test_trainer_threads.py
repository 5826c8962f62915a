"""The threads that keep trainers running, with a Ray that is not there."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock, call

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, OutOfMemoryError
from ray.train.v2.api.exceptions import TrainingFailedError

from mtl_core.errors import TrainingError
from tuning.cluster import asking
from tuning.cluster.resources import Resources
from tuning.trainers import _ray_train, trainers
from tuning.trainers.keeping import build_trainer, keep_training
from tuning.trainers.messages import PoolAddress, Scored, ScoreJob, TrialSpec


class Held:
    """Stands for what belongs to Ray: an object reference, an actor."""


class Thread:
    """A thread in the middle of a trainer's run, which then ends with an error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
        self.pool = MagicMock()
        self.pool.is_wanted.remote.return_value = True
        self.pool.starts.remote.return_value = 1
        self.is_leaving, self._goes_on = threading.Event(), threading.Event()
        self.held: list[weakref.ref[Held]] = []
        self.fails_with: Callable[[], object] = lambda: None

        def fit() -> None:
            held = Held()
            self.held.append(weakref.ref(held))
            self._goes_on.wait()
            self.fails_with()
            raise error("a reason")

        monkeypatch.setattr(_ray_train.ray, "wait", lambda refs, timeout: (refs, []))
        monkeypatch.setattr(_ray_train.ray, "get", lambda value: value)
        arguments = (self.pool, 7, lambda: SimpleNamespace(fit=fit), self.is_leaving)
        self._thread = threading.Thread(target=keep_training, args=arguments, daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Lets the thread go on to its end."""
        self._goes_on.set()
        self._thread.join(timeout=100)
        gc.collect()

    def is_alive(self) -> bool:
        return self._thread.is_alive()


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.01)


def test_a_thread_leaves_ray_when_the_study_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `ray.get` that still waits when Ray is shut down takes the process down (SIGSEGV)."""
    thread = Thread(monkeypatch, RuntimeError)
    wait_for(lambda: bool(thread.held))
    # From now on no answer comes, as when workers are in the middle of an epoch.
    monkeypatch.setattr(_ray_train.ray, "wait", lambda refs, timeout: ([], refs))
    monkeypatch.setattr(_ray_train.ray, "get", lambda value: pytest.fail("waits without an end"))
    thread.fails_with = lambda: _ray_train.answer("run", thread.is_leaving)
    thread.is_leaving.set()
    thread.go_on()
    assert not thread.is_alive()
    thread.pool.retire.remote.assert_not_called()


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])  # Ray raises both
def test_a_trainer_that_ends_is_retired(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    thread = Thread(monkeypatch, error)
    thread.go_on()
    thread.pool.retire.remote.assert_called_once_with(7, "it did not start: a reason")
    assert thread.held[0]() is None


def test_a_trainer_that_once_worked_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thread = Thread(monkeypatch, TrainingFailedError)
    thread.pool.starts.remote.side_effect = [2, 2, 2]
    thread.go_on()
    assert len(thread.held) == 2, "the second one never worked"
    thread.pool.retire.remote.assert_called_once_with(7, "it did not start: a reason")


def test_a_trainer_whose_controller_was_killed_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thread = Thread(monkeypatch, OutOfMemoryError)
    wait_for(lambda: bool(thread.held))  # It has asked once, and was told 1.
    # Three whose workers start, then none.
    thread.pool.starts.remote.side_effect = [2, *(2, 3), *(3, 4), *[4] * 100]
    thread.go_on()
    assert len(thread.held) == 3 + 4
    thread.pool.retire.remote.assert_called_once()


@pytest.mark.parametrize(("gpus", "hidden"), [(0, {"CUDA_VISIBLE_DEVICES": ""}), (1, {})])
def test_workers_that_ask_for_no_gpu_see_none(
    gpus: int, hidden: dict[str, str], tmp_path: Path
) -> None:
    trainer = build_trainer(
        lambda: None,
        resources=Resources(gpus=gpus),
        name="name",
        scratch=tmp_path,
        is_leaving=threading.Event(),
    )
    assert trainer.run_config.worker_runtime_env.get("env_vars", {}) == hidden


def test_a_network_that_was_away_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = MagicMock()
    pool.failure.remote.side_effect = ["lost", "asked again"]
    monkeypatch.setattr(trainers.ray, "wait", lambda refs, timeout: (refs, []))

    def get(reference: str) -> str:
        if reference == "lost":
            raise ActorUnavailableError("away", None)
        return "no disk"

    monkeypatch.setattr(trainers.ray, "get", get)
    found = trainers.Trainers(pool, PoolAddress("pool", "tests"))
    found.check()
    with pytest.raises(TrainingError, match="no trainer can work any more: no disk"):
        found.check()


@pytest.mark.parametrize(
    ("death", "said"),
    [(ActorDiedError(), "ended"), (OutOfMemoryError("30 GB / 31 GB"), "was ended by Ray's memory")],
)
def test_a_pool_that_is_gone_is_told(
    death: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainers.ray, "wait", lambda refs, timeout: (refs, []))
    monkeypatch.setattr(trainers.ray, "get", MagicMock(side_effect=death))
    found = trainers.Trainers(MagicMock(), PoolAddress("pool", "tests"))
    with pytest.raises(TrainingError, match=f"that hands out trials {said}.*same command goes on"):
        found.check()
    found.statuses()
    assert found.statuses() is None, "told by `check`, not here"


def test_a_score_that_was_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    away = ActorUnavailableError("away", None)
    pool = MagicMock()
    calls = [pool.submit.remote.return_value, pool.message.remote.return_value]
    expected = iter([calls[0], calls[0], calls[1], calls[1]])
    answers = iter([away, None, away, Scored(None, 0)])

    def get(reference: object) -> object:
        assert reference is next(expected)
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    failure = pool.failure.remote.return_value

    def wait(references: list[object], timeout: float) -> tuple[list[object], list[object]]:
        return ([], references) if references == [failure] else (references, [])

    monkeypatch.setattr(trainers.ray, "wait", wait)
    monkeypatch.setattr(trainers.ray, "get", get)
    monkeypatch.setattr(asking, "AGAIN_SECONDS", 0.0)
    found = trainers.Trainers(pool, PoolAddress("pool", "tests"))
    job = ScoreJob(TrialSpec("0003", {}, Path("checkpoint")), export=None, dev={})
    assert list(found.run([job])) == [("0003", Scored(None, 0))]
    assert pool.submit.remote.mock_calls == [call(job)] * 2
    assert pool.message.remote.call_args_list == [call("0003", 0)] * 2
