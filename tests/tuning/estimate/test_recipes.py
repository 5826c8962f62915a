"""Recipes that stand for a space: every option as often as the others."""

from collections import Counter

from conftest import RunConfigFactory

from tuning.estimate.recipes import typical_recipes
from tuning.study.config import StudyFile


def test_options_are_there_equally_often_and_ranges_are_spread(
    run_config: RunConfigFactory,
) -> None:
    layers = {"kind": "lower_layers", "layers": {"int_range": [1, 2]}}
    search = {
        "training.batch_size": {"ordered": [8, 16, 32, 64]},
        "optimizer.encoder_lr": {"log_range": [1e-5, 1e-3]},
        "freezing": {"choice": [{"kind": "none"}, layers]},
    }
    run = run_config().model_dump(mode="json")
    study = StudyFile.model_validate({"run": run, "search": search, "study": {"name": "a"}})
    own, *recipes = typical_recipes(study, 8)
    assert own == study.run
    assert Counter(one.training.batch_size for one in recipes) == {8: 2, 16: 2, 32: 2, 64: 2}
    assert Counter(one.freezing.kind for one in recipes) == {"none": 4, "lower_layers": 4}
    # One in each eighth of the orders of magnitude.
    rates = sorted(one.optimizer.encoder_lr for one in recipes)
    assert all(
        1e-5 * 10 ** (n / 4) <= rate <= 1e-5 * 10 ** ((n + 1) / 4) for n, rate in enumerate(rates)
    )


def test_without_a_search_there_is_the_recipe_alone(run_config: RunConfigFactory) -> None:
    run = run_config().model_dump(mode="json")
    study = StudyFile.model_validate({"run": run, "study": {"name": "a", "trials": 1}})
    assert list(typical_recipes(study, 8)) == [study.run]
