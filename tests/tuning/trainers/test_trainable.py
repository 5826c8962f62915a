"""A trial between Tune and the pool, with a Ray that is not there."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock, call

import pytest
from ray.exceptions import ActorUnavailableError

from tuning.cluster import asking
from tuning.trainers import tune_trial as trainable
from tuning.trainers.messages import Failed, Message, PoolAddress, TrialSpec
from tuning.trainers.tune_trial import PooledTrial
from tuning.trainers.tune_values import TrialConfig, TrialFailedError


def test_an_answer_that_was_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    away = ActorUnavailableError("away", None)
    answers: Iterator[Message | Exception | None] = iter([away, None, away, away, Failed("boom")])

    def get(reference: object) -> Message | None:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(trainable.ray, "get", get)
    monkeypatch.setattr(asking, "AGAIN_SECONDS", 0.0)
    trial = PooledTrial.__new__(PooledTrial)
    trial._pool = pool = MagicMock()
    spec = TrialSpec("0007", {}, Path("checkpoint"))
    config = TrialConfig(spec, {}, decided=0, pool=PoolAddress("pool", "tests"))
    trial.reset_config(config.for_tune())
    with pytest.raises(TrialFailedError, match="boom"):
        trial.step()
    assert len(pool.submit.remote.mock_calls) == 2
    assert pool.message.remote.mock_calls == [call("0007", 0)] * 3
