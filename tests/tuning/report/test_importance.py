"""The importance of parameters, and how sure it is."""

import optuna
import pytest
from pydantic import TypeAdapter

from tuning.report.importance import LEAST_TRIALS, importances
from tuning.space.space import Entry, Space


def searched(trials: int, *, tasks: bool = False) -> optuna.Study:
    """A study of two parameters: `rate` makes the objective, `idle` the score of a second task."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(trials):
        trial = study.ask()
        rate, idle = trial.suggest_float("rate", 0, 1), trial.suggest_float("idle", 0, 1)
        if tasks:
            scores = {"intent": {"accuracy": rate, "macro_f1": idle}, "slots": {"f1": idle}}
            trial.set_user_attr("scores", scores)
        study.tell(trial, rate)
    return study


def test_the_parameter_that_matters_is_the_most_important() -> None:
    assert importances(searched(LEAST_TRIALS - 1)) == []
    (found,) = importances(searched(30))
    assert found.score == "combined"
    assert list(found.shares) == ["rate", "idle"]
    assert found.shares["rate"].share > 0.8
    assert sum(one.share for one in found.shares.values()) == pytest.approx(1)


def test_shares_are_those_of_optuna() -> None:
    study = searched(24)
    (found,) = importances(study)
    shares = {name: one.share for name, one in found.shares.items()}
    assert shares == optuna.importance.get_param_importances(study)


def test_each_task_has_its_own_importance() -> None:
    combined, intent, slots = importances(searched(24, tasks=True))
    assert [combined.score, intent.score, slots.score] == ["combined", "intent", "slots"]
    # By the main score, which is the first, and not by another one of the task.
    assert list(intent.shares) == ["rate", "idle"]
    assert list(slots.shares) == ["idle", "rate"]


def test_with_more_trials_it_is_surer() -> None:
    widths = []
    for trials in (20, 80):
        (found,) = importances(searched(trials))
        assert all(0 <= one.low <= one.share <= one.high <= 1 for one in found.shares.values())
        widths.append(found.shares["rate"].high - found.shares["rate"].low)
    assert widths[1] < widths[0]


def test_numbers_that_are_drawn_together_have_one_importance() -> None:
    entries = {"weights": {"simplex": ["a", "b", "c"]}, "size": {"ordered": [16, 32, 64]}}
    space = Space(TypeAdapter(dict[str, Entry]).validate_python(entries))
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: -abs(space.sample(trial)["a"] - 0.7), n_trials=40)
    (found,) = importances(study)
    assert list(found.shares) == ["weights", "size"]
    assert found.shares["weights"].share > 0.8


def test_importances_say_the_same_again() -> None:
    study = searched(20)
    assert importances(study) == importances(study)
