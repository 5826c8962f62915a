"""A trial between Tune and the pool, with a Ray that is not there."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock, call

import pytest
from ray.exceptions import ActorUnavailableError
from trials import report

from tuning.cluster import asking
from tuning.trainers import remote_pool
from tuning.trainers.messages import Failed, Message, PoolAddress, Reported, TrainJob, TrialSpec
from tuning.trainers.tune_trial import PooledTrial
from tuning.trainers.tune_values import TrialConfig, TrialFailure, TrialResult


def test_an_answer_that_was_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    away = ActorUnavailableError("away", None)
    first = Reported(report(1, 0.5), is_last=False)
    answers: Iterator[Message | Exception | None] = iter(
        [away, None, away, None, away, away, first, away, Failed("boom")]
    )

    def get(reference: object) -> Message | None:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pool = MagicMock()
    monkeypatch.setattr(remote_pool.ray, "get", get)
    monkeypatch.setattr(remote_pool.ray, "wait", lambda references, timeout: (references, []))
    monkeypatch.setattr(remote_pool.ray, "get_actor", lambda name, namespace: pool)
    here = SimpleNamespace(get_actor_id=lambda: "actor 1")
    monkeypatch.setattr(remote_pool.ray, "get_runtime_context", lambda: here)
    monkeypatch.setattr(asking, "AGAIN_SECONDS", 0.0)
    spec = TrialSpec("0007", {}, Path("checkpoint"))
    config = TrialConfig(spec, {}, delivered=2, pool=PoolAddress("pool", "tests"))
    monkeypatch.setattr(PooledTrial, "logdir", "room")
    trial = PooledTrial.__new__(PooledTrial)
    trial.setup(config.for_tune())
    assert TrialResult.of(trial.step()) == TrialResult(first.report, is_last=False)
    assert TrialFailure.of(trial.step()) == TrialFailure("boom")
    assert pool.hold.remote.mock_calls == [call("actor 1", TrainJob(spec, delivered=2))] * 2
    assert pool.message.remote.call_args_list == [call("0007", 0)] * 3 + [call("0007", 1)] * 2
