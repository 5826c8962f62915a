"""What was trained, and what early stopping saved of it."""

from dataclasses import replace

import pytest
from trials import record

from tuning.report.spent import saved, spent_section
from tuning.study.trained import Trained

# Four epochs of 10 s, one of 20 s that was stopped, and one that failed.
RECORDS = [
    replace(record(0, "complete", 0.1, 0.2, 0.3, 0.4), seconds=40.0),
    replace(record(1, "stopped", 0.1), seconds=20.0),
    replace(record(2, "failed", 0.1), seconds=10.0),
]


def test_what_a_stopped_trial_lacks_was_saved_at_its_own_speed() -> None:
    found = saved(RECORDS)
    assert found is not None
    assert (found.epochs, found.full, found.stopped) == (6, 9, 1)
    assert found.hours * 3600 == pytest.approx(70)
    assert found.full_hours * 3600 == pytest.approx(70 + 3 * 20)


def test_a_trial_with_epochs_of_its_own_lacks_what_these_were() -> None:
    own = replace(RECORDS[1], parameters={"training.epochs": 2})
    found = saved([RECORDS[0], own])
    assert found is not None
    assert (found.epochs, found.full) == (5, 6)


@pytest.mark.parametrize("records", [RECORDS[:1], RECORDS[1:], [], [record(0, "running")]])
def test_nothing_is_said_to_be_saved_where_it_is_not_known(records: list) -> None:
    assert saved(records) is None


def test_it_is_said_in_words() -> None:
    heading, told = spent_section(RECORDS)
    assert heading == "## What was trained"
    assert told == (
        "6 epochs of 3 trials took 70 s of trainers, added up. 1 of the trials was stopped early, "
        "which saved 3 of 9 epochs (33 %), and about 60 s of trainers."
    )
    assert spent_section(RECORDS[:1])[1].endswith("No trial was stopped early.")
    assert spent_section([record(0, "failed")]) == []


def test_what_came_behind_the_search_stands_apart_with_a_total() -> None:
    behind = (Trained(10, 80, 620.0), Trained(6, 13.5, 30.0, "a|b"))
    heading, told, shown, tail = spent_section(RECORDS, behind)
    assert [heading, told] == spent_section(RECORDS)
    assert [row.split(" | ") for row in shown.splitlines()[2:]] == [
        ["| search", "3", "6", "70 s |"],
        ["| final stage", "10", "80", "10 min |"],
        [r"| `a\|b` alone", "6", "13.5", "30 s |"],
        ["| all", "19", "99.5", "12 min |"],
    ]
    assert "serves every study" in tail
    assert "serves every study" not in spent_section(RECORDS, behind[:1])[-1]
