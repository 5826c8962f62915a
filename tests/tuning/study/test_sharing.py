"""How tasks pull on what they share, gathered from the reports of trials, and told of."""

from dataclasses import replace

import pytest
from summaries import SUMMARY
from trials import record

from tuning.records import Status, TrialRecord
from tuning.report.figures.sharing import affinity_map, conflict_map
from tuning.report.render import render_report
from tuning.report.sharing import sharing_section
from tuning.statistics.estimates import Difference, Estimate
from tuning.study.sharing import Sharing, sharing_of

TASKS = ("intent", "slots")


def looked(
    number: int, *epochs: tuple[float, float], status: Status = "complete", back: float = -1.0
) -> TrialRecord:
    """A trial whose looks have seen, in each epoch, a cosine and the affinity of one way.

    That of the other way is as many times that as `back` says.
    """
    plain = record(number, status, *[0.5] * len(epochs))
    reports = [
        replace(
            report,
            dev={name: {"accuracy": 0.5} for name in TASKS},
            gradients={
                **{f"norm/{name}": 1.0 for name in TASKS},
                "cosine/intent/slots": cosine,
                "affinity/intent/intent": 0.1,
                "affinity/slots/slots": 0.2,
                "affinity/intent/slots": affinity,
                "affinity/slots/intent": back * affinity,
            },
        )
        for report, (cosine, affinity) in zip(plain.reports, epochs, strict=True)
    ]
    return replace(plain, reports=tuple(reports))


def found(*records: TrialRecord) -> Sharing:
    sharing = sharing_of(records)
    assert sharing is not None
    return sharing


def test_a_trial_counts_with_the_mean_of_its_epochs() -> None:
    sharing = found(looked(0, (0.2, 0.01), (0.4, 0.03)), looked(1, (-0.5, 0.06)))
    assert (sharing.tasks, sharing.runs) == (TASKS, 2)
    assert sharing.cosines.keys() == {("intent", "slots")}
    cosine = sharing.cosines["intent", "slots"]
    assert (cosine.mean, cosine.count) == (pytest.approx(-0.1), 2)
    # 12.706 * 0.4 to both sides of it, of which a cosine has a part alone.
    assert (cosine.low, cosine.high) == (-1, 1)
    affinity = sharing.affinities["intent", "slots"]
    assert affinity.mean == pytest.approx(0.04)
    # Student's t of one degree of freedom, of values 0.04 apart: 12.706 * 0.02.
    assert affinity.high - affinity.mean == pytest.approx(0.25412, rel=1e-4)
    assert sharing.affinities["slots", "slots"].mean == pytest.approx(0.2)
    assert sharing.grouping is not None
    assert sharing.grouping.groups == (TASKS,)


def test_of_reports_within_an_epoch_the_last_one_counts() -> None:
    whole = looked(0, (0.2, 0.01), (0.4, 0.03))
    first, second = whole.reports
    within = replace(whole, reports=(replace(first, epoch=1), replace(second, epoch=1)))
    assert found(within).cosines["intent", "slots"].mean == pytest.approx(0.4)


def test_stopped_trials_count_where_no_other_looked() -> None:
    early = looked(1, (1.0, 0.5), status="stopped")
    assert found(looked(0, (0.0, 0.1)), early).runs == 1
    assert found(record(0, "complete", 0.5), early).cosines["intent", "slots"].mean == 1.0


def test_without_looks_at_two_tasks_there_is_nothing_to_tell() -> None:
    assert sharing_of([]) is None
    assert sharing_of([record(0, "complete", 0.5), record(1, "failed")]) is None
    alone = record(0, "complete", 0.5)
    [report] = alone.reports
    seen = replace(report, gradients={"norm/intent": 1.0, "affinity/intent/intent": 0.1})
    assert sharing_of([replace(alone, reports=(seen,))]) is None
    assert sharing_section(None) == []


def test_the_section_tells_who_helps_whom_and_who_should_train_together() -> None:
    records = [looked(number, (-0.25, 0.01 + number / 5e3)) for number in range(6)]
    text = "\n".join(sharing_section(found(*records)))
    assert "| `intent` | **+10.00** | **+1.05** |" in text
    assert "| `slots` | **-1.05** | **+20.00** |" in text
    assert "| `intent` | **-0.25** |" in text
    assert "| `intent` | none | `slots`, **-1.05** % |" in text
    assert "| `slots` | `intent`, **+1.05** % | none |" in text
    assert "Mean over 6 trials" in text
    # What the one gains the other pays.
    assert (
        "No hint which tasks should train together: over 6 trials it cannot be told whether "
        "training them together is better than each alone (+0.00 % of a loss, 95 % interval "
    ) in text
    assert "**Hint" not in text
    helping = [looked(number, (0.1, 0.01 + number / 5e3), back=2) for number in range(6)]
    text = "\n".join(sharing_section(found(*helping)))
    assert "**Hint: train all tasks together.**" in text
    # (1 + 2) / 2 of 0.0105, and so is its interval over six trials: t(5) = 2.571.
    assert "Against each alone that is +1.57 % (95 % interval +1.52 to +1.63)" in text


def test_tasks_that_harm_each_other_are_to_train_apart() -> None:
    harmful = [looked(number, (-0.5, -0.02 - number / 1e3), back=1) for number in range(3)]
    text = "\n".join(sharing_section(found(*harmful)))
    assert "**Hint: a model for each of these groups: `intent`; `slots`.**" in text
    assert "takes +0.00 % off a loss" in text
    assert "with all tasks together it is -2.10 %" in text
    # t(2) = 4.303
    assert "Against all together that is +2.10 % (95 % interval +1.85 to +2.35)" in text


def test_where_nothing_can_be_told_there_is_no_hint() -> None:
    one = looked(0, (-0.06, -0.04), back=0.2)
    text = "\n".join(sharing_section(found(one)))
    assert "No hint which tasks should train together: of one trial nothing can be told." in text
    text = "\n".join(sharing_section(found(one, looked(1, (-0.06, -0.02), back=0.3))))
    assert "over 2 trials it cannot be told whether any groups are better than all" in text
    assert "Hint:" not in text


def test_what_a_task_paid_stands_beside_what_it_lost() -> None:
    alone = Estimate(-0.012, 0.001, -0.02, -0.004, 5)
    lost = Difference("shared", "alone", "intent/accuracy", alone, "worse")
    text = "\n".join(sharing_section(found(looked(0, (0.1, 0.02))), {"intent": lost}))
    assert "Of one trial." in text
    # Of one trial nothing is sure.
    assert "| `intent` | none | `slots`, -2.00 % | -1.20, lost |" in text
    assert "| `slots` | `intent`, +2.00 % | none | - |" in text


def test_what_is_lost_is_told_in_the_unit_of_the_score() -> None:
    lost = Difference("shared", "alone", "intent/mse", Estimate(-0.5, 0.1, -1, 1, 5), "worse")
    text = "\n".join(sharing_section(found(looked(0, (0.1, 0.02))), {"intent": lost}))
    assert "| -0.5, lost |" in text


def test_a_report_has_the_section_where_trials_looked() -> None:
    heading = "## How the tasks pull on each other"
    assert heading not in render_report(SUMMARY)
    assert heading in render_report(replace(SUMMARY, records=[looked(0, (0.1, 0.02))]))


def test_reports_from_before_affinities_tell_of_cosines_alone() -> None:
    now = looked(0, (0.3, 0.1))
    [report] = now.reports
    kept = {name: value for name, value in report.gradients.items() if "affinity" not in name}
    sharing = found(replace(now, reports=(replace(report, gradients=kept),)))
    assert sharing.affinities == {}
    assert sharing.grouping is None
    assert "+0.30" in "\n".join(sharing_section(sharing))


def test_heat_maps_show_what_was_seen() -> None:
    sharing = found(*(looked(number, (-0.25, 0.02 + number / 100)) for number in range(3)))
    figure = affinity_map(sharing)
    [drawn] = figure.data
    # Rows are steps, columns are losses; a task's own step is beyond the colours.
    assert [list(map(float, row)) for row in drawn.z] == [
        pytest.approx([10.0, 3.0]),
        pytest.approx([-3.0, 20.0]),
    ]
    assert (drawn.zmin, drawn.zmax) == (pytest.approx(-3.0), pytest.approx(3.0))
    assert [list(row) for row in drawn.text] == [["+10.00", "+3.00"], ["-3.00", "+20.00"]]
    assert drawn.customdata[0][1] == "+3.00 % (+0.52 to +5.48, 95 % interval)"
    assert figure.layout.xaxis.ticktext == figure.layout.yaxis.ticktext == TASKS
    [conflicts] = conflict_map(sharing).data
    assert [list(row) for row in conflicts.z] == [[None, -0.25], [-0.25, None]]
    # Of one run there is no interval, and what is not a number would be no JSON.
    [one] = affinity_map(found(looked(0, (0.1, 0.02)))).data
    assert one.customdata[0][1] == "+2.00 %"
    assert "NaN" not in figure.to_json()
