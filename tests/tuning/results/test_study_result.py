"""What scripts get of a study, read from its folder: finished, or on its way."""

from dataclasses import replace
from pathlib import Path

import pandas
import pytest
from simulated_study import SimulatedStudy
from trials import record, report

import tuning
from mtl_core.errors import ConfigError, NotReadyError
from mtl_core.study_file import dump
from tuning.results.frames import curves_frame
from tuning.run.stages.finals import result_of
from tuning.study.result import Result, write_result
from tuning.trainers.messages import Scored
from tuning.watch.trials_csv import trials_frame


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SimulatedStudy:
    """Six trials under ASHA, searched and not scored yet."""
    made = SimulatedStudy(tmp_path_factory.mktemp("study"), scheduler={"kind": "asha"}, trials=6)
    made.folder.study.write_text(dump(made.study))
    assert made.run()
    return made


def test_a_folder_tells_what_its_study_found(study: SimulatedStudy, tmp_path: Path) -> None:
    history = study.history
    assert history.best is not None
    found = tuning.read_study(study.folder.path)
    # All trials ended, and test was not opened: the same command would go on.
    assert found.status == "interrupted"
    assert found.best is not None
    assert (found.best.trial, found.best.test) == (history.best.id, None)
    scored = {one: Scored({"combined": 0.5}, 10) for one in {history.best.id, "0000"}}
    result = result_of(history, Result(), scored, objective="mean", seconds=2.5)
    write_result(study.folder, result)
    found = tuning.read_study(str(study.folder.path))
    assert found.status == "complete"
    assert found.result == result
    assert found.best is not None
    assert found.best.test == {"combined": 0.5}
    assert found.seconds == 2.5
    assert found.replay.startswith("mtl train ")
    pandas.testing.assert_frame_equal(found.trials, trials_frame(list(history), history.goal))
    assert found.front.empty
    assert list(found.front) == list(found.trials)


def test_curves_have_a_row_for_each_report(study: SimulatedStudy) -> None:
    curves = tuning.read_study(study.folder.path).curves
    for one in study.history:
        rows = curves[curves["run"] == one.id]
        assert list(rows["combined"]) == [made.combined for made in one.reports]
        assert list(rows["epoch"]) == [made.progress for made in one.reports]
        scores = [made.dev["intent"]["accuracy"] for made in one.reports]
        assert list(rows["intent.accuracy"]) == scores
    assert len(curves) == sum(len(one.reports) for one in study.history)


def test_curves_count_seconds_and_name_what_is_trained() -> None:
    made = replace(
        report(1, 0.5, seconds=2.0, per_epoch=2), losses={"intent": 0.25}, weights={"intent": 2.0},
        learning_rates={"heads": 1e-3}, is_sample=True,
    )  # fmt: skip
    one = replace(record(3, "running"), reports=(made, report(2, 0.75, seconds=1.5, per_epoch=2)))
    curves = curves_frame([record(0, "failed"), one])
    assert list(curves["run"]) == ["0003", "0003"]
    assert list(curves["epoch"]) == [0.5, 1.0]
    assert list(curves["seconds"]) == [2.0, 3.5]
    assert list(curves["is_sample"]) == [True, False]
    assert curves.loc[0, ["loss.intent", "weight.intent", "rate.heads"]].tolist() == [0.25, 2, 1e-3]
    assert curves.loc[1, ["loss.intent", "weight.intent", "rate.heads"]].isna().all()


def test_curves_of_a_study_that_has_not_reported_have_their_columns() -> None:
    curves = curves_frame([record(0, "running")])
    assert curves.empty
    assert {"run", "epoch", "seconds", "combined"} <= set(curves)


def test_what_is_no_study_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a study folder"):
        tuning.read_study(tmp_path)
    made = SimulatedStudy(tmp_path, scheduler={"kind": "none"})
    made.folder.study.write_text(dump(made.study))
    with pytest.raises(NotReadyError, match="no trial was begun"):
        tuning.read_study(made.folder.path)
