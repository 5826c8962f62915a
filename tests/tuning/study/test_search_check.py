"""What of a search would have no effect is said before anything starts."""

import logging

import pytest

from tuning.study.load import load_study
from tuning.study.search_check import tell_doubts


@pytest.mark.parametrize(
    ("assignments", "said"),
    [
        ([], []),
        (
            ["study.scheduler.grace_epochs=3"],
            [
                "study.scheduler.grace_epochs is 3, and trials run 3 epochs (run.training.epochs): "
                "no trial ends early"
            ],
        ),
        # Also where the epochs are searched: the longest trial counts.
        (
            ["study.scheduler.grace_epochs=3", "search.training.epochs={int_range: [2, 5]}"],
            [],
        ),
        (
            ["study.scheduler={kind: pasha, grace_epochs: 0.5}", "study.trials=2"],
            [
                "study.scheduler.grace_epochs is 0.5, and the first report of a trial comes after "
                "1 epoch (run.training.reports_per_epoch): none ends before",
                "study.scheduler.reduction_factor is 3, and study.trials is 2: "
                "no trial goes on from the first rung but the default recipe",
            ],
        ),
    ],
)
def test_what_the_scheduler_could_not_do(
    assignments: list[str], said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    study = load_study("demo", assignments)
    with caplog.at_level(logging.WARNING):
        tell_doubts(study)
    found = [one.getMessage() for one in caplog.records]
    assert [line for line in found if line.startswith("study.scheduler")] == said
