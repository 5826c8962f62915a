"""What is the best trial: one rule, which no NaN upsets; results as they are written and read."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from trials import record, report

from mtl_core.data.notes import DataNote
from mtl_core.scores import flatten
from mtl_core.training.report import best_report
from tuning.goals import Goal
from tuning.study.final_scores import FinalScores
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.reached import Reached
from tuning.study.result import Result, read_result, write_result

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("scores", "epoch"),
    [
        ([], None),
        ([0.25], 1),
        ([0.25, 0.5, 0.5, 0.125], 2),
        ([NAN, 0.25], 2),
        ([NAN, 0.5, 0.25], 2),
        ([0.25, NAN, 0.5], 3),
        ([NAN, NAN], None),
        ([INF, -1.0, -INF], 2),
    ],
)
def test_the_best_report_is_the_first_of_the_highest_numbers(
    scores: list[float], epoch: int | None
) -> None:
    reports = [report(one, score) for one, score in enumerate(scores, start=1)]
    found = best_report(reports)
    assert (found.epoch if found is not None else None) == epoch
    assert record(1, "running", *scores).best == found


def test_a_trial_without_a_number_is_never_the_best() -> None:
    records = [
        record(0, "complete", NAN),
        record(1, "failed", 0.9),
        record(2, "running", NAN, 0.8),
        record(3, "stopped", 0.5),
        record(4, "complete", 0.5),
        record(5, "running"),
    ]
    for order in (records, records[::-1]):
        history = History(order)
        assert [one.id for one in history] == [f"000{number}" for number in range(6)]
        assert history.best is records[3]
        assert history.best_so_far is records[2]
        assert Goal().best(order) is records[2]
        assert history.default is records[0]
        assert history.counts == {"complete": 2, "stopped": 1, "failed": 1}
        assert len(history.ended) == 4
    assert Goal().best([]) is None


def test_what_is_noted_stands_in_the_place_of_what_was_known() -> None:
    history = History([record(1, "running")])
    history.note(record(1, "complete", 0.5))
    assert [one.status for one in history] == ["complete"]
    assert history.get("0002") is None


BEST = FinalScores(
    "0001", {"seed": 1}, {"combined": 0.5}, {"combined": 0.25}, "fp32", {"combined": 0.125}
)
NOTE = DataNote(split="dev", topic="known", text="x", level="serious", count=1, of=2, dataset="d")
DEFAULT = FinalScores("0000", {"seed": 0}, {"combined": 0.4}, None, "fp32")


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    assert read_result(folder) == Result()
    result = Result(
        trials={"complete": 2, "stopped": 1, "failed": 0}, seconds=3.5,
        goal=Reached(objective="mean"),
        best=BEST, default=DEFAULT, test_rows=100, notes=(NOTE,),
        earlier_tests={"0002": {"combined": 0.125}},
    )  # fmt: skip
    write_result(folder, result)
    assert read_result(folder) == result
    raw = json.loads(folder.result.read_text())
    assert raw["status"] == "complete"
    assert raw["model"] == raw["best"]["trial"] == "0001"
    assert raw["notes"] == [
        {"dataset": "d", "split": "dev", "topic": "known", "text": "x", "level": "serious",
         "task": "", "count": 1, "of": 2}
    ]  # fmt: skip
    assert raw["tests"] == {
        "0000": None, "0001": {"combined": 0.25}, "0002": {"combined": 0.125}
    }  # fmt: skip


def test_a_result_of_an_older_version_is_read(tmp_path: Path) -> None:
    recipe = {"trial": "0000", "parameters": {}, "dev": {"combined": 0.5}, "test": None}
    old = {"status": "complete", "trials": {"complete": 1}, "best": recipe, "default": recipe}
    folder = StudyFolder(tmp_path)
    folder.result.write_text(json.dumps(old))
    found = read_result(folder)
    assert (found.status, found.model, found.tests) == ("complete", "0000", {"0000": None})
    assert found.best is not None
    assert found.best.precision == ""
    assert found.seconds == 0


def test_a_score_that_is_no_number_is_null_in_the_file(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    test = {"combined": 0.5, "intent": {"f1": NAN, "accuracy": 0.5}}
    write_result(folder, Result(best=FinalScores("0000", {}, {"combined": 0.5}, test)))
    raw = json.loads(folder.result.read_text())["best"]["test"]
    assert raw == {"combined": 0.5, "intent": {"f1": None, "accuracy": 0.5}}
    best = read_result(folder).best
    assert best is not None
    assert flatten(best.test) == pytest.approx(flatten(test), nan_ok=True)


def test_a_study_without_a_score_has_failed() -> None:
    assert Result().status == "failed"
    assert Result().to_json()["best"] is None


def test_the_first_of_equals_is_the_best() -> None:
    history = History(
        replace(record(0, "complete", 0.5), id=run_id) for run_id in ("10000", "9999")
    )
    assert history.best is not None
    assert history.best.id == "9999"
    assert History().best is None
