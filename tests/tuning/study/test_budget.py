"""When a search ends: by trials, hours, epochs, or since nothing is gained."""

import optuna
import pytest
from optuna.terminator import BestValueStagnationEvaluator
from optuna.trial import TrialState, create_trial
from trials import record

from tuning.records import EndedBy
from tuning.study.budget import Budget, epochs_of, in_vain
from tuning.study.config import Study
from tuning.study.history import History

HOUR = 3600.0


def budget(history: History, seconds: float = 0.0, trials: int = 24, **limits: float) -> Budget:
    study = Study(name="demo", trials=trials, **limits)
    return Budget(study, trials, history, lambda: seconds)


def history(*scores: float) -> History:
    return History(record(number, "complete", score) for number, score in enumerate(scores))


@pytest.mark.parametrize(
    ("limits", "seconds", "over", "spent"),
    [
        ({}, 1000 * HOUR, None, None),
        ({"trials": 4}, 0.0, "trials", None),
        ({"trials": 5}, 0.0, None, None),
        ({"hours": 0.5}, 0.5 * HOUR - 1, None, None),
        ({"hours": 0.5}, 0.5 * HOUR, "hours", "hours"),
        ({"total_epochs": 5}, 0.0, None, None),
        ({"total_epochs": 4}, 0.0, "total_epochs", "total_epochs"),
        ({"total_epochs": 3.5, "trials": 4}, 0.0, "total_epochs", "total_epochs"),
        ({"patience": 2}, 0.0, "patience", None),
        ({"patience": 3}, 0.0, None, None),
    ],
)
def test_the_first_limit_that_is_reached_ends_a_search(
    limits: dict[str, float], seconds: float, over: EndedBy | None, spent: EndedBy | None
) -> None:
    found = budget(history(0.1, 0.7, 0.3, 0.7), seconds, **limits)
    assert (found.over(), found.spent()) == (over, spent)


def test_epochs_are_those_of_all_trials() -> None:
    trials = [record(0, "complete", 0.1, 0.2), record(1, "running"), record(2, "failed", 0.5)]
    assert epochs_of(History(trials)) == 3.0


def test_a_trial_that_runs_may_still_gain() -> None:
    trials = [record(0, "complete", 0.6), record(1, "running", 0.1), record(2, "stopped", 0.2)]
    assert in_vain(History(trials)) == 1
    assert in_vain(History([*trials, record(3, "complete", 0.8), record(4, "failed")])) == 1
    assert in_vain(History()) == in_vain(History([record(0, "failed")])) == 0


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_nothing_gained_is_what_optunas_terminator_calls_stagnation() -> None:
    scores = [0.2, 0.5, 0.4, 0.5, 0.3, 0.6, 0.1]
    study = optuna.create_study(direction="maximize")
    evaluator = BestValueStagnationEvaluator(max_stagnation_trials=10)
    for count in range(1, len(scores) + 1):
        study.add_trial(create_trial(value=scores[count - 1], state=TrialState.COMPLETE))
        left = evaluator.evaluate(study.trials, study.direction)
        assert in_vain(history(*scores[:count])) == 10 - left
