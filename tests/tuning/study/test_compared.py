"""Tasks beside the same tasks alone: what is compared, by which interval, what is said of it."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtl_core.errors import ConfigError
from tuning.records import DEFAULT_ID
from tuning.report.gains import gains_section, gains_sentence
from tuning.statistics.draws import write_draws
from tuning.statistics.estimates import Difference, Estimate
from tuning.statistics.newcombe import difference_interval
from tuning.statistics.seeds import RunScores, differences
from tuning.study.compared import Side, compared, over_default, side_of
from tuning.study.final_scores import FinalScores
from tuning.study.finals import FinalRecipe, Finals, SeedScores
from tuning.study.folder import StudyFolder
from tuning.study.gains import Baseline, verdict_of
from tuning.study.result import Result, read_result, write_result


def scores(intent: float, slots: float | None = None) -> dict[str, object]:
    tasks = {"intent": {"accuracy": intent, "macro_f1": 0.1}}
    return {"combined": intent, **tasks, **({"slots": {"f1": slots}} if slots is not None else {})}


def result(trial: str, dev: float, test: float | None, **more: object) -> Result:
    one = FinalScores(trial, {}, scores(dev), None if test is None else scores(test))
    one = replace(one, **more)
    return Result(trials={"complete": 1}, best=one, default=one, test_rows=1000)


def side(folder: Path, found: Result) -> Side:
    return side_of(StudyFolder(folder), found, is_default=False)


def alone_side(*intents: float) -> Side:
    runs = [RunScores({"intent/accuracy": one}) for one in intents]
    return Side("0003", runs, runs, rows=1000)


def test_one_run_each_is_judged_as_shares_of_the_rows_of_test(tmp_path: Path) -> None:
    alone = side(tmp_path, result("0003", 0.85, 0.80))
    together = side(tmp_path, result("0007", 0.90, 0.86))
    found = compared("alone/intent-1", "intent", alone, together)
    assert (found.trial, found.together, found.score) == ("0003", "0007", "intent/accuracy")
    assert (found.dev.alone.mean, found.dev.together.mean) == (0.85, 0.90)
    estimate = found.difference.estimate
    assert (estimate.low, estimate.high) == difference_interval(0.86, 0.80, 1000)
    assert (estimate.over, found.difference.where) == ("rows", "test")
    assert found.verdict == "gained"
    assert compared("f", "intent", together, alone).verdict == "lost"
    near = side(tmp_path, result("0003", 0.85, 0.85))
    assert compared("f", "intent", near, together).verdict == "cannot be told"


def test_a_result_without_scores_of_a_task_is_refused_in_a_line() -> None:
    with pytest.raises(
        ConfigError, match=r"recipe 0003 has no score of 'slots' on dev; put it back"
    ):
        alone_side(0.8).main_score("slots")


def test_several_seeds_are_judged_by_their_spread() -> None:
    alone, together = alone_side(0.80, 0.81, 0.82), alone_side(0.90, 0.91, 0.92)
    [expected] = differences("0003", "0003", together.test, alone.test)
    found = compared("f", "intent", alone, together)
    assert found.difference == expected
    assert found.difference.estimate.mean == pytest.approx(0.1)
    assert found.verdict == "gained"
    # Of one run against three nothing is known of the spread of the one.
    assert compared("f", "intent", alone_side(0.9), together).difference.estimate.over == "rows"


def test_new_rows_are_compared_where_both_know_them(tmp_path: Path) -> None:
    alone = side(tmp_path, result("0003", 0.9, 0.95, unseen=scores(0.70)))
    together = side(tmp_path, result("0007", 0.9, 0.95, unseen=scores(0.80)))
    found = compared("f", "intent", alone, together)
    assert (found.test.alone.mean, found.difference.where) == (0.70, "unseen")
    other = side(tmp_path, result("0007", 0.9, 0.95))
    assert compared("f", "intent", alone, other).test.alone.mean == 0.95


def test_what_is_not_known_is_left_open(tmp_path: Path) -> None:
    closed = side(tmp_path, result("0007", 0.9, None))
    found = compared("f", "intent", closed, closed)
    assert (found.test, found.difference, found.verdict) == (None, None, "cannot be told")
    assert compared("f", "intent", None, closed) == Baseline("f")
    # A correlation below 0 is no share of rows.
    low, high = (replace(alone_side(one), rows=1000) for one in (-0.2, 0.4))
    assert compared("f", "intent", low, high).difference is None


def test_a_final_stage_counts_in_the_place_of_the_search(tmp_path: Path) -> None:
    seeds = tuple(
        SeedScores(seed, f"final/0007/seed-{seed}", scores(0.9 + seed / 100), scores(0.8))
        for seed in (1, 2)
    )
    recipe = FinalRecipe("0007", {}, seeds, {})
    lost = FinalRecipe("0000", {}, (), {}, failed={"final/0000/seed-1": "NaN"})
    found = replace(result("0007", 0.5, 0.5), finals=Finals((recipe, lost), "0007"))
    best, folder = side(tmp_path, found), StudyFolder(tmp_path)
    assert (len(best.dev), best.mean_on_dev("intent")) == (2, pytest.approx(0.915))
    assert side_of(folder, found, is_default=True) is None
    assert side_of(folder, Result(), is_default=True) is None


def test_rows_are_drawn_where_draws_are_known(tmp_path: Path) -> None:
    draws = {"0003": [0.80, 0.79, 0.81, 0.80], "0007": [0.86, 0.84, 0.86, 0.86]}
    for run_id, drawn in draws.items():
        one = {"intent/accuracy": np.array(drawn)}
        write_draws(StudyFolder(tmp_path).run(run_id), {"test": one})
    alone = side(tmp_path, result("0003", 0.9, 0.80))
    together = side(tmp_path, result("0007", 0.9, 0.86))
    found = compared("f", "intent", alone, together).difference.estimate
    # The draws of both are of the same rows: 0.05, 0.05 and 0.06 better.
    spread = np.std([0.05, 0.05, 0.06], ddof=1)
    assert found.high - found.mean == pytest.approx(1.96 * spread, rel=1e-3)
    assert found.over == "rows"


def write_draw(folder: Path, trial: str, **drawn: list[float]) -> None:
    arrays = {"combined": drawn["combined"], "intent/accuracy": drawn["intent"]}
    where = {"test": {name: np.array(one) for name, one in arrays.items()}}
    write_draws(StudyFolder(folder).run(trial), where)


def test_the_best_and_the_default_of_a_search_are_compared_draw_by_draw(tmp_path: Path) -> None:
    write_draw(tmp_path, "0007", combined=[0.86, 0.84, 0.86, 0.86], intent=[0.86, 0.8, 0.9, 0.9])
    write_draw(tmp_path, "0000", combined=[0.80, 0.79, 0.81, 0.80], intent=[0.80, 0.8, 0.8, 0.8])
    best, default = result("0007", 0.9, 0.86).best, result("0000", 0.9, 0.80).best
    found = Result(best=best, default=default, test_rows=10)
    folder = StudyFolder(tmp_path)
    combined, intent = over_default(folder, found)
    assert (combined.first, combined.second, combined.where) == ("0007", "0000", "test")
    # The draws of both are of the same rows: 0.05, 0.05 and 0.06 better; 0, 0.1 and 0.1.
    for one, values in ((combined, [0.05, 0.05, 0.06]), (intent, [0, 0.1, 0.1])):
        margin = 1.96 * np.std(values, ddof=1)
        assert one.estimate.high - one.estimate.mean == pytest.approx(margin, rel=1e-3)
        assert one.estimate.over == "rows"
    assert (combined.claim, intent.claim) == ("better", "cannot be told")
    # Of what cannot be drawn the combined score alone is known as a share of rows.
    plain = replace(found, best=replace(best, trial="0008"))
    [rough] = over_default(folder, plain)
    ends = (rough.estimate.low, rough.estimate.high)
    assert ends == pytest.approx(difference_interval(0.86, 0.80, 10))
    assert over_default(folder, replace(plain, test_rows=None)) == ()
    # A gain is no share.
    gain = replace(best, test={**scores(0.86), "combined": 1.2})
    assert over_default(folder, replace(found, best=gain)) == (intent,)


def test_of_a_search_only_what_differs_and_was_scored_is_compared(tmp_path: Path) -> None:
    folder, one = StudyFolder(tmp_path), result("0007", 0.9, 0.86)
    assert over_default(folder, one) == over_default(folder, Result()) == ()
    closed = result("0000", 0.9, None).best
    assert over_default(folder, replace(one, default=closed)) == ()
    new = [replace(side, unseen=scores(0.5)) for side in (one.best, result("0", 0.9, 0.8).best)]
    [difference] = over_default(folder, replace(one, best=new[0], default=new[1]))
    assert difference.where == "unseen"


def baseline(mean: float, low: float, high: float) -> Baseline:
    estimate = Estimate(mean, math.nan, low, high, 1, "rows")
    difference = Difference("0007", "0003", "intent/accuracy", estimate, estimate.claim)
    one = side(Path("none"), result("0003", 0.85, 0.80))
    found = compared("alone/intent-1", "intent", one, one)
    return replace(found, difference=difference, verdict=verdict_of(difference))


def test_result_json_keeps_baselines_with_their_verdicts(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    kept = replace(
        result("0007", 0.9, 0.8),
        default=None,
        baselines={"intent": baseline(0.03, 0.01, 0.05), "slots": Baseline("alone/slots-1")},
    )
    write_result(folder, kept)
    assert kept.to_json()["baselines"]["intent"]["verdict"] == "gained"
    again = read_result(folder)
    assert again.baselines["slots"] == Baseline("alone/slots-1")
    assert again.baselines["intent"].difference.estimate.low == 0.01
    assert again.to_json() == kept.to_json()
    assert read_result(StudyFolder(tmp_path / "none")).baselines is None


def test_the_report_says_who_gained() -> None:
    baselines = {
        "intent": baseline(0.03, 0.01, 0.05),
        "slots": baseline(-0.03, -0.05, -0.01),
        "a|b": baseline(0.0, -0.01, 0.01),
        "topic": Baseline("alone/topic-1"),
    }
    assert gains_sentence(baselines) == (
        "Recipe 0003 against the same tasks alone: `intent` gained by being trained together; "
        "`slots` lost by being trained together; `a|b` and `topic` show no difference that can be "
        "told."
    )
    own = {"intent": replace(baselines["intent"], together=DEFAULT_ID)}
    assert gains_sentence(own, shown=str) == (
        "The default recipe against the same tasks alone: intent gained by being trained together."
    )
    heading, table, *notes = gains_section(baselines)
    assert heading == "## Does sharing pay?"
    assert (
        "| `intent` | `accuracy` | 85.00 | 85.00 | 80.00 | 80.00 | +3.00 | +1.00 to +5.00 |"
        in table
    )
    assert notes[0] == (
        "Together = recipe 0003 of this study; alone = what the study of the task alone found "
        "best: 0003 of `intent`, 0003 of `slots`, 0003 of `a|b`. The reports of the tasks alone "
        "lie below the storage: `alone/intent-1`, `alone/intent-1`, `alone/intent-1`."
    )
    own = replace(baselines["intent"], trial=DEFAULT_ID, together=DEFAULT_ID)
    searched = replace(own, trial="0004")
    first = [gains_section({"intent": one, "b": own})[2] for one in (own, searched)]
    assert first[0].startswith("Both together and alone it is the study file's own recipe. The ")
    assert "alone found best: 0004 of `intent`, 0000 of `b`." in first[1]
    assert "not for other seeds" in notes[1]
    assert notes[2].endswith("alone reached a score: `topic`.")
    assert gains_section(None) == gains_section({}) == []
