"""Trials that end within an epoch: how far they came, and scores on a sample of dev, as shown."""

from dataclasses import replace

import pandas
import pytest
from rich.console import Console
from summaries import SUMMARY
from trials import record, report

from tuning.records import Status, TrialRecord
from tuning.report.render import render_report
from tuning.watch.live_table import study_view
from tuning.watch.state import StudyState
from tuning.watch.trials_csv import trials_frame
from tuning.watch.wording import outcome


def trial(number: int, status: Status, *scores: float) -> TrialRecord:
    """A trial with four reports an epoch, the last of which is on all of dev."""
    one = record(number, status)
    reports = tuple(
        report(n, score, per_epoch=4, is_sample=n % 4 != 0) for n, score in enumerate(scores, 1)
    )
    return TrialRecord(one.id, status, one.parameters, {}, reports, seconds=len(scores))


WHOLE = trial(0, "complete", 0.9, 0.9, 0.9, 0.5)
STOPPED = trial(1, "stopped", 0.75)
LATER = trial(2, "stopped", 0.25, 0.25, 0.25, 0.25, 0.75, 0.75)


def test_a_line_says_how_far_a_trial_came_and_on_what_it_was_scored() -> None:
    assert outcome(WHOLE).startswith(
        "trial 0000 complete after 1 epoch: combined 0.5000  intent 0.500"
    )
    assert outcome(STOPPED).startswith(
        "trial 0001 stopped after 0.25 epochs: combined 0.7500 on a sample of dev  intent 0.750"
    )
    assert outcome(LATER).startswith("trial 0002 stopped after 1.5 epochs: combined 0.2500  ")


def test_the_table_of_trials_keeps_samples_apart() -> None:
    frame = trials_frame([WHOLE, STOPPED, LATER])
    assert frame["combined"].tolist()[::2] == [0.5, 0.25]
    assert pandas.isna(frame["combined"][1])
    assert frame["combined_on_sample"].tolist() == [0.9, 0.75, 0.75]
    assert frame["epochs"].tolist() == [1, 0.25, 1.5]
    assert frame["best_epoch"].tolist()[::2] == [1, 1]
    # Without samples there is no such column, and whole epochs are whole numbers.
    plain = trials_frame([record(0, "complete", 0.5)])
    assert "combined_on_sample" not in plain
    assert plain["epochs"].to_numpy().tolist() == [1]


def test_a_score_on_a_sample_is_marked_and_stands_behind_the_others() -> None:
    state = StudyState("demo")
    state.planned(trials=3, ended=[WHOLE, STOPPED, LATER], epochs=2, trainers=1)
    console = Console(width=100)
    with console.capture() as caught:
        console.print(study_view(state.snapshot()))
    text = caught.get()
    assert "best so far, 0000 with 0.5000" in text
    rows = [line for line in text.splitlines() if "│ 000" in line]
    cells = [[cell.strip() for cell in row.split("│")[1:5]] for row in rows]
    assert cells == [
        ["0000", "complete", "1/2", "0.5000"],
        ["0002", "stopped", "1.5/2", "0.2500"],
        ["0001", "stopped", "0.25/2", "~0.7500"],
    ]


@pytest.mark.parametrize("records", [[WHOLE, STOPPED, LATER], [WHOLE, LATER]])
def test_the_report_marks_such_scores_and_says_what_the_mark_means(
    records: list[TrialRecord],
) -> None:

    text = render_report(replace(SUMMARY, records=records))
    is_marked = len(records) == 3
    assert ("~75.00" in text) == is_marked
    assert ("on a sample of dev, as the trial ended within its first epoch" in text) == is_marked
