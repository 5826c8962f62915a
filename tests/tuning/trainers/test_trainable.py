"""A trial between Tune and the pool, with a Ray that is not there."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock, call

import pytest
from ray import cloudpickle
from ray.exceptions import ActorUnavailableError, RayActorError, RayTaskError
from trials import report

from tuning.cluster import asking
from tuning.trainers import remote_pool
from tuning.trainers.messages import Failed, Message, PoolAddress, Reported, TrainJob, TrialSpec
from tuning.trainers.tune_trial import PooledTrial
from tuning.trainers.tune_values import TrialConfig, TrialFailedError, TrialResult


def test_an_answer_that_was_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    away = ActorUnavailableError("away", None)
    first = Reported(report(1, 0.5), is_last=False)
    answers: Iterator[Message | Exception | None] = iter(
        [away, None, away, away, first, away, Failed("boom")]
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
    monkeypatch.setattr(asking, "AGAIN_SECONDS", 0.0)
    spec = TrialSpec("0007", {}, Path("checkpoint"))
    config = TrialConfig(spec, {}, decided=0, pool=PoolAddress("pool", "tests"))
    trial = PooledTrial.__new__(PooledTrial)
    trial.setup(config.for_tune())
    assert TrialResult.of(trial.step()) == TrialResult(first.report, is_last=False)
    with pytest.raises(TrialFailedError, match="boom"):
        trial.step()
    assert pool.submit.remote.mock_calls == [call(TrainJob(spec))] * 2
    assert pool.message.remote.call_args_list == [call("0007", 0)] * 3 + [call("0007", 1)] * 2


def test_a_trials_own_error_is_found_in_what_tune_wrote_of_it(tmp_path: Path) -> None:
    error = TrialFailedError.of_message(Failed("Traceback:\n  line 3\nValueError: no"))
    raised = RayTaskError("step", "ray::PooledTrial.step()", error).as_instanceof_cause()
    trial = failed_trial(tmp_path, raised)
    assert TrialFailedError.reason_of(trial) == "Traceback:\n  line 3\nValueError: no"


def test_a_trial_whose_actor_died_has_what_ray_says(tmp_path: Path) -> None:
    trial = failed_trial(tmp_path, RayActorError())
    assert TrialFailedError.reason_of(trial) == str(RayActorError())
    trial.pickled_error_file = None
    assert TrialFailedError.reason_of(trial) == str(RayActorError())


def failed_trial(folder: Path, error: Exception) -> SimpleNamespace:
    """A trial with the files that Tune writes of an error."""
    (folder / "error.txt").write_text(str(error))
    (folder / "error.pkl").write_bytes(cloudpickle.dumps(error))
    return SimpleNamespace(
        error_file=str(folder / "error.txt"), pickled_error_file=str(folder / "error.pkl")
    )
