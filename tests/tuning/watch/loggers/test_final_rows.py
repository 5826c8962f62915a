import math

from tuning.statistics.estimates import Estimate
from tuning.study.final_scores import FinalScores
from tuning.study.finals import FinalRecipe, Finals
from tuning.study.gains import Baseline, Sides
from tuning.study.result import Result
from tuning.watch.loggers.final_rows import final_table
from tuning.watch.loggers.final_table import FinalRow


def estimate(mean: float) -> Estimate:
    return Estimate(mean, 0.1, mean - 0.25, mean + 0.25, 5)


def recipe(trial: str, dev: float, test: float | None = None) -> FinalRecipe:
    tests = None if test is None else {"intent/accuracy": estimate(test)}
    return FinalRecipe(trial, {}, (), {"combined": estimate(dev)}, tests)


def test_with_a_final_stage_the_means_of_its_runs_count() -> None:
    finals = Finals(
        (recipe("0003", 0.75, 0.5), recipe("0002", 0.625), recipe("0000", 0.5, 0.25)), "0003"
    )
    # Scores of the search, which no table of a study with a final stage has.
    best = FinalScores("0003", {}, {"combined": 0.875})
    table = final_table(Result(best=best, finals=finals))
    assert table.status == "complete"
    assert table.rows == (
        FinalRow("0003", "best", "dev", "combined", 0.75, 0.5, 1.0, 5),
        FinalRow("0003", "best", "test", "intent/accuracy", 0.5, 0.25, 0.75, 5),
        FinalRow("0002", "second", "dev", "combined", 0.625, 0.375, 0.875, 5),
        FinalRow("0000", "default", "dev", "combined", 0.5, 0.25, 0.75, 5),
        FinalRow("0000", "default", "test", "intent/accuracy", 0.25, 0.0, 0.5, 5),
    )
    assert table.metrics == {
        "dev/combined": 0.75, "test/intent/accuracy": 0.5,
        "default/dev/combined": 0.5, "default/test/intent/accuracy": 0.25,
    }  # fmt: skip


def test_a_recipe_that_is_both_has_its_first_role() -> None:
    default = Finals((recipe("0000", 0.75), recipe("0001", 0.5), recipe("0002", 0.25)), "0000")
    assert [row.role for row in final_table(Result(finals=default)).rows] == ["best", "second", ""]
    second = Finals((recipe("0001", 0.75), recipe("0000", 0.5)), "0001")
    assert [row.role for row in final_table(Result(finals=second)).rows] == ["best", "default"]


def test_tasks_alone_have_rows_as_well() -> None:
    sides = Sides(alone=estimate(0.5), together=estimate(0.75))
    alone = Baseline("alone/intent-01", "0002", "0001", "intent/accuracy", dev=sides, test=None)
    table = final_table(Result(baselines={"intent": alone, "slots": Baseline("alone/slots-02")}))
    assert table.rows == (
        FinalRow("alone/intent-01", "alone", "dev", "intent/accuracy", 0.5, 0.25, 0.75, 5),
    )
    assert table.metrics == {"alone/dev/intent/accuracy": 0.5}


def test_cells_are_plain_values_without_nan() -> None:
    default = FinalScores("0000", {}, {"combined": math.nan, "intent": {"f1": 0.5}})
    table = final_table(Result(default=default))
    assert table.status == "failed"
    assert table.cells == [
        ["0000", "default", "dev", "combined", None, None, None, 1],
        ["0000", "default", "dev", "intent/f1", 0.5, None, None, 1],
    ]
