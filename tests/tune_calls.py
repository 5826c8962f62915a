"""A search in this process: the calls that Ray Tune makes, in its order, without Tune."""

from collections.abc import Callable, Iterable
from types import SimpleNamespace

from tuning.run.stages.search import SearchParts
from tuning.trainers.messages import Failed, Message, Reported, TrainJob
from tuning.trainers.tune_values import TrialConfig, TrialFailure, TrialResult


def search_in_order(parts: SearchParts, train: Callable[[TrainJob], Iterable[Message]]) -> None:
    """Runs trials one after the other; `train` does a job and returns what it sends."""
    number = 0
    while isinstance(config := parts.searcher.suggest(str(number)), dict):
        found = TrialConfig.of(config)
        trial = SimpleNamespace(
            trial_id=str(number), config=config, last_result={}, local_path="/no"
        )
        parts.scheduler.on_trial_add(None, trial)
        parts.logbook.on_trial_start(0, [], trial)
        for message in train(TrainJob(found.spec, found.delivered)):
            if isinstance(message, Failed):
                trial.last_result = TrialFailure(message.error).for_tune()
                break
            assert isinstance(message, Reported)
            trial.last_result = result = TrialResult.of_message(message).for_tune()
            goes_on = not message.is_last
            if goes_on:
                goes_on = parts.scheduler.on_trial_result(None, trial, result) == "CONTINUE"
            if goes_on:
                parts.searcher.on_trial_result(trial.trial_id, result)
            parts.logbook.on_trial_result(0, [], trial, result)
            if not goes_on:
                break
        parts.scheduler.on_trial_complete(None, trial, trial.last_result)
        parts.searcher.on_trial_complete(trial.trial_id, trial.last_result)
        parts.logbook.on_trial_complete(0, [], trial)
        number += 1
