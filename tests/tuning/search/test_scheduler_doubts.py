"""What of a scheduler would have no effect in a study is said in a line that names the keys."""

import pytest
from pydantic import TypeAdapter

from tuning.search.schedulers.base import Extent
from tuning.search.schedulers.kinds import SchedulerSection

TENTHS = Extent(trials=24, max_epochs=9, report_epochs=0.1)
WHOLE = Extent(trials=24, max_epochs=9)


@pytest.mark.parametrize(
    ("section", "extent", "said"),
    [
        ({"kind": "asha"}, WHOLE, []),
        ({"kind": "asha", "grace_epochs": 0.1}, TENTHS, []),
        ({"kind": "asha", "grace_epochs": 0.3}, TENTHS, []),
        (
            {"kind": "asha", "grace_epochs": 9},
            WHOLE,
            [
                "study.scheduler.grace_epochs is 9, and trials run 9 epochs (run.training.epochs): "
                "no trial ends early"
            ],
        ),
        (
            {"kind": "pasha", "grace_epochs": 0.1},
            WHOLE,
            [
                "study.scheduler.grace_epochs is 0.1, and the first report of a trial comes after "
                "1 epoch (run.training.reports_per_epoch): none ends before"
            ],
        ),
        (
            {"kind": "hyperband", "grace_epochs": 0.5},
            Extent(trials=24, max_epochs=1),
            [
                "study.scheduler.grace_epochs is 0.5, and trials of 1 epoch (run.training.epochs) "
                "make no report between that and their end (run.training.reports_per_epoch): "
                "no trial ends early"
            ],
        ),
        (
            {"kind": "asha", "form": "promoting", "reduction_factor": 4},
            Extent(trials=3, max_epochs=9),
            [
                "study.scheduler.reduction_factor is 4, and study.trials is 3: "
                "no trial goes on from the first rung but the default recipe"
            ],
        ),
        ({"kind": "asha", "reduction_factor": 4}, Extent(trials=3, max_epochs=9), []),
        (
            {"kind": "median", "min_samples": 24},
            WHOLE,
            [
                "study.scheduler.min_samples is 24, and study.trials is 24: "
                "no trial ends early, since none has so many others"
            ],
        ),
        ({"kind": "median", "grace_epochs": 0}, WHOLE, []),
        ({"kind": "none"}, WHOLE, []),
    ],
)
def test_what_would_have_no_effect_is_named(
    section: dict[str, object], extent: Extent, said: list[str]
) -> None:
    built = TypeAdapter(SchedulerSection).validate_python(section)
    assert list(built.doubts(extent)) == said
