"""What a study file tells of its own length."""

import pytest
from conftest import RunConfigFactory

from tuning.study.config import StudyFile


def study_file(run: object, search: dict[str, object], **study: object) -> StudyFile:
    raw = {"run": run, "search": search, "study": {"name": "tiny", "trials": 1, **study}}
    return StudyFile.model_validate(raw)


@pytest.mark.parametrize(
    ("space", "longest"),
    [
        ({}, 3),
        ({"training.epochs": {"choice": [7, 2]}}, 7),
        ({"training.epochs": {"int_range": [1, 2]}}, 3),
        ({"training": {"choice": [{"epochs": 1}, {"epochs": {"int_range": [2, 9]}}]}}, 9),
    ],
)
def test_the_longest_trial_of_a_space(
    run_config: RunConfigFactory, space: dict[str, object], longest: int
) -> None:
    run = run_config({"training.epochs": 3}).model_dump(mode="json")
    assert study_file(run, space).max_epochs == longest
