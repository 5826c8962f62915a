import io
import math
from dataclasses import replace

import pandas
import pytest
from hostile import MARKUP
from summaries import BEST, DEFAULT, RECORDS, SUMMARY, epoch_report

from mtl_core.data.notes import DataNote
from mtl_core.samples import Sample
from tuning.report.claims import ONE_RUN
from tuning.report.render import render_report
from tuning.report.summary import StudySummary, Unfinished
from tuning.statistics.estimates import Difference, Estimate, Where
from tuning.study.final_scores import FinalScores
from tuning.watch.trials_csv import trials_frame


def changed(**change: object) -> StudySummary:
    """The summary with another result."""
    return replace(SUMMARY, result=replace(SUMMARY.result, **change))


def rows_of(text: str, heading: str) -> list[list[str]]:
    """The cells of the table under a heading; the bar inside a cell stands as a line break."""
    section = text.split(f"## {heading}\n\n")[1].split("\n\n")[0].replace(r"\|", "\0")
    rows = [line.strip("|").split("|") for line in section.splitlines()]
    assert len({len(row) for row in rows}) == 1
    return [[cell.strip().replace("\0", "|") for cell in row] for row in rows[2:]]


def test_the_frame_has_a_row_per_trial_and_the_scores_of_its_best_epoch() -> None:
    frame = trials_frame(RECORDS)
    assert list(frame.columns) == [
        *("trial", "status", "optimizer.encoder_lr", "freezing", "freezing.layers"),
        *("combined", "joint_accuracy", "intent.accuracy", "intent.macro_f1", "slots.f1"),
        *("best_epoch", "epochs", "seconds"),
    ]
    stopped = frame.set_index("trial").loc["0001"]
    assert stopped["combined"] == pytest.approx(0.85)
    assert stopped["slots.f1"] == 0.80
    assert (stopped["best_epoch"], stopped["epochs"], stopped["seconds"]) == (1, 2, 5.5)


def test_the_frame_leaves_missing_cells_empty_and_whole_numbers_whole_in_csv() -> None:
    text = trials_frame(RECORDS).to_csv(index=False)
    default, stopped, failed = text.splitlines()[1:]
    assert default.startswith("0000,complete,0.0002,none,,")
    assert stopped.startswith("0001,stopped,0.001,a|b,3,")
    assert failed == "0002,failed,1e-05,none,,,,,,,,0,0.0"
    assert len(pandas.read_csv(io.StringIO(text), dtype={"trial": str})) == 3


def test_the_frame_of_a_study_without_reports_still_has_its_score_columns() -> None:
    frame = trials_frame(RECORDS[2:])
    assert frame["combined"].isna().all()
    assert list(frame["epochs"]) == [0]
    assert list(trials_frame([]).columns)[:2] == ["trial", "status"]


def test_the_headline_tells_by_how_much_the_best_beats_the_default() -> None:
    text = render_report(SUMMARY)
    assert bold_of(text) == [
        "The best recipe, trial 0001, beats the default on dev; on test it is +10.00 points, and "
        f"how sure that is, is not known. {ONE_RUN}"
    ]
    assert "On dev it scores 85.00 against 70.00 of the default: +15.00 points." in text
    assert "On test it scores 75.00 against 65.00 of the default: +10.00 points." in text
    assert "3 trials in 0:07:12" in text


@pytest.mark.parametrize(
    ("change", "headline"),
    [
        (
            {"best": replace(BEST, test={"combined": 0.6})},
            "beats the default on dev; on test it is -5.00 points, and how sure that is, is not",
        ),
        ({"best": replace(BEST, test=None)}, "on dev; on test they were not compared"),
        (
            {"best": replace(BEST, test={"joint_accuracy": 0.5})},
            "on dev; on test they were not compared",
        ),
        (
            {"best": replace(BEST, dev={"combined": 0.7})},
            "does not beat the default on dev; on test it is +10.00 points, and how sure",
        ),
        ({"best": DEFAULT}, "No other trial beats the default recipe, trial 0000, on dev: keep"),
        (
            {"best": DEFAULT, "trials": {"complete": 1}},
            "Nothing was compared: the default recipe, trial 0000, is the only trial.",
        ),
        ({"default": None}, "trial 0001; the default has no score to compare"),
        ({"best": None, "default": None}, "No trial reached a score"),
    ],
)
def test_the_headline_says_plainly_what_was_not_won(
    change: dict[str, FinalScores | None], headline: str
) -> None:
    bold = render_report(changed(**change)).split("**")[1]
    assert headline in bold


def judged(mean: float, low: float, high: float, *, where: Where = "test") -> list[Difference]:
    estimate = Estimate(mean, math.nan, low, high, 1, "rows")
    return [Difference("0001", "0000", "combined", estimate, estimate.claim, where)]


@pytest.mark.parametrize(
    ("dev", "interval", "told"),
    [
        (0.85, (0.1, 0.02, 0.18), "beats the default on dev and on test (+10.00 points, 95 % "
         "interval +2.00 to +18.00)."),
        (0.7, (0.1, 0.02, 0.18), "does not beat the default on dev, but does on test (+10.00"),
        (0.85, (0.002, -0.0387, 0.0427), "beats the default on dev; whether it is better cannot be "
         "told on test (+0.20 points, 95 % interval -3.87 to +4.27)."),
        (0.85, (-0.1, -0.18, -0.02), "beats the default on dev, but is worse on test (-10.00"),
        (0.7, (-0.1, -0.18, -0.02), "does not beat the default on dev and is worse on test (-10"),
    ],
)  # fmt: skip
def test_the_bold_sentence_claims_no_more_than_its_interval(
    dev: float, interval: tuple[float, float, float], told: str
) -> None:
    best = replace(BEST, dev={"combined": dev})
    bold, *others = bold_of(render_report(changed(best=best, differences=judged(*interval))))
    assert bold.startswith(f"The best recipe, trial 0001, {told}")
    assert ONE_RUN in bold
    # What to do stands there where the default is not beaten.
    assert ("Keep the default" in bold) == (interval[1] <= 0)
    assert not others


LEAK = DataNote(split="test", topic="known", text="", level="serious", count=12, of=20,
                dataset="d")  # fmt: skip
TOLD = "Caution: rows of test stand in train, too: 60 % of d (12 of 20); "


def bold_of(text: str) -> list[str]:
    return text.split("\n## ")[0].split("**")[1::2]


def test_a_leak_stands_in_the_verdict_which_then_holds_for_known_rows_only() -> None:
    text = render_report(changed(notes=(LEAK,), differences=judged(0.1, 0.05, 0.15)))
    assert bold_of(text) == [
        "The best recipe, trial 0001, beats the default on dev; on test it is +10.00 points, and "
        f"how sure that is, is not known. {ONE_RUN}",
        f"{TOLD}what is said of test holds for known rows, and tells little of new ones.",
    ]
    assert "interval" not in text


def test_where_unseen_rows_are_scored_the_verdict_is_on_them() -> None:
    best = replace(BEST, unseen={"combined": 0.5, "intent": {"accuracy": 0.5}})
    default = replace(DEFAULT, unseen={"combined": 0.6, "intent": {"accuracy": 0.6}})
    differences = judged(-0.1, -0.15, -0.05, where="unseen")
    change = {"notes": (LEAK,), "best": best, "default": default, "differences": differences}
    text = render_report(changed(**change))
    assert bold_of(text) == [
        "The best recipe, trial 0001, beats the default on dev, but is worse on the rows of test "
        "that do not stand in train (-10.00 points, 95 % interval -15.00 to -5.00). "
        f"{ONE_RUN} Keep the default.",
        f"{TOLD}the verdict is on the others.",
    ]
    compared = "On the rows of test that do not stand in train it scores 50.00 against 60.00"
    assert compared in text
    header = "test, not in train: best | test, not in train: default | test, not in train: diff"
    assert header in text
    assert rows_of(text, "Scores, in percent")[0][-3:] == ["50.00", "60.00", "-10.00"]


def test_a_leak_into_dev_is_told_with_every_verdict() -> None:
    leak = replace(LEAK, split="dev")
    told = (
        "Caution: rows of dev stand in train, too: 60 % of d (12 of 20); dev chose the recipe, "
        "which favours one that remembers."
    )
    for change in ({}, {"best": DEFAULT}, {"default": None}, {"best": None, "default": None}):
        assert bold_of(render_report(changed(notes=(leak,), **change)))[1:] == [told]


def test_of_an_unfinished_study_nothing_is_said_of_test() -> None:
    unfinished = Unfinished(ended=1, trials=3, state="running", go_on="mtl tune x")
    summary = changed(notes=(LEAK, replace(LEAK, split="dev")))
    bold = bold_of(render_report(replace(summary, unfinished=unfinished)))
    assert ["running" in bold[0], "rows of dev stand in train" in bold[1], len(bold)] == [
        True, True, 2
    ]  # fmt: skip


def test_other_notes_are_no_part_of_the_verdict() -> None:
    notes = (replace(LEAK, topic="cut"), replace(LEAK, topic="known_from_dev"))
    assert render_report(changed(notes=notes)) == render_report(SUMMARY)


def test_hostile_names_of_data_sets_in_a_caution_are_shown_as_they_are() -> None:
    for name in MARKUP:
        text = render_report(changed(notes=(replace(LEAK, dataset=name),)))
        head = text.split("\n## ")[0]
        assert "<" not in head
        assert "](" not in head


def test_a_score_that_is_no_number_ranks_last() -> None:
    broken = replace(RECORDS[0], id="0007", reports=(epoch_report(1, math.nan, 0.5),))
    rows = rows_of(
        render_report(replace(SUMMARY, records=[broken, *RECORDS])), "Trials, best first"
    )
    assert [row[1] for row in rows] == ["0001", "0000", "0007", "0002"]
    assert rows[2][3] == "-"


def test_the_recipe_stands_beside_the_default() -> None:
    assert rows_of(render_report(SUMMARY), "Best recipe") == [
        ["`optimizer.encoder_lr`", "`0.001`", "`0.0002`"],
        ["`freezing`", "`a|b`", "`none`"],
        ["`freezing.layers`", "`3`", "-"],
    ]


def test_scores_are_compared_on_both_splits() -> None:
    best = replace(BEST, test=None)
    rows = rows_of(render_report(changed(best=best)), "Scores, in percent")
    assert rows == [
        ["`combined`", "85.00", "70.00", "+15.00", "-", "65.00", "-"],
        ["`intent.accuracy`", "90.00", "80.00", "+10.00", "-", "75.00", "-"],
    ]


def test_trials_are_counted_and_ranked_with_scoreless_ones_last() -> None:
    text = render_report(SUMMARY)
    counts = dict(rows_of(text, "Trials by status"))
    assert counts == {"running": "0", "complete": "1", "stopped": "1", "failed": "1"}
    rows = rows_of(text, "Trials, best first")
    assert [row[:6] for row in rows] == [
        ["1", "0001", "stopped", "85.00", "90.00", "80.00"],
        ["2", "0000", "complete", "70.00", "80.00", "60.00"],
        ["-", "0002", "failed", "-", "-", "-"],
    ]
    assert rows[0][6:] == ["`0.001`", "`a|b`", "`3`", "2", "6"]


def test_an_error_with_bars_line_breaks_and_backticks_stays_one_cell() -> None:
    rows = rows_of(render_report(SUMMARY), "Failures")
    assert rows == [["0002", "`` ValueError: shape (2|3) with `ticks` ``"]]


def test_importances_stand_with_how_sure_they_are() -> None:
    rows = rows_of(render_report(SUMMARY), "Importance of the parameters")
    assert rows == [
        ["`optimizer.encoder_lr`", "75 (60 to 90)"],
        ["`freezing`", "25 (0 to 50)"],
    ]


def test_the_report_ends_with_the_commands() -> None:
    text = render_report(SUMMARY)
    assert "```sh\nmtl train demo --set optimizer.encoder_lr=0.001\n```" in text
    assert "```sh\ntensorboard --logdir 'runs/my demo/tensorboard'\n```" in text


def test_a_study_in_which_everything_failed_has_a_report() -> None:
    empty = replace(changed(best=None, default=None), records=RECORDS[2:], importances=())
    text = render_report(empty)
    assert "## Best recipe" not in text
    assert "Replay" not in text
    assert "Not enough trials to tell:" in text


@pytest.mark.parametrize(
    ("ended_by", "words"),
    [
        (None, "0:07:12 (h:mm:ss); objective"),
        ("patience", "0:07:12 (h:mm:ss), ended by `study.patience`; objective"),
        ("sampler", "0:07:12 (h:mm:ss), ended as the sampler has no more points; objective"),
    ],
)
def test_the_headline_says_what_ended_the_search(ended_by: str | None, words: str) -> None:
    assert words in render_report(changed(ended_by=ended_by))


def test_what_the_best_model_writes_stands_beside_what_is_right() -> None:
    samples = {"reply": (Sample("a room ?", "which *area* ?", "how many nights ?"),)}
    text = render_report(SUMMARY, samples=samples)
    assert "## Samples\n\nOf task `reply`, on rows of dev:\n\n" in text
    assert "| `which *area* ?` | `how many nights ?` | `a room ?` |" in text
    # Of an unfinished study the model may be that of an earlier best.
    unfinished = Unfinished(ended=1, trials=3, state="interrupted", go_on="mtl tune x")
    assert "## Samples" not in render_report(
        replace(SUMMARY, unfinished=unfinished), samples=samples
    )
    assert "## Samples" not in render_report(SUMMARY)


def test_the_main_score_of_each_task_stands_before_the_others() -> None:
    dev = {
        "combined": 0.5,
        "a": {"f1": 0.5, "city/f1": 0.5},
        "b": {"accuracy": 0.5, "f1": 0.5},
    }
    text = render_report(
        changed(best=replace(BEST, dev=dev, test={"b": {"f1": 0.25}}), default=None)
    )
    names = [row[0] for row in rows_of(text, "Scores, in percent")]
    assert names == ["`combined`", "`a.f1`", "`b.accuracy`", "`a.city/f1`", "`b.f1`"]
