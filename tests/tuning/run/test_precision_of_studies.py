"""Precision in studies: what the check, the driver, results and the report say of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from conftest import Mtl, RunConfigFactory

from mtl_core.training import precision
from mtl_core.training.report import Report
from tuning.records import TrialRecord, run_id_of
from tuning.report.render import render_report
from tuning.report.summary import StudySummary
from tuning.run import tune as study_module
from tuning.study.config import StudyFile
from tuning.study.final_scores import final_scores
from tuning.study.reached import Reached
from tuning.study.result import Result


@pytest.mark.parametrize(
    ("setting", "share", "line"),
    [
        (
            "auto",
            0.45,
            "precision: auto = bf16 on this machine: a product in bf16 takes 0.45 of its time in "
            "fp32 (AVX512 bf16)",
        ),
        ("bf16", 0.45, "precision: bf16"),
        (
            "bf16",
            7.3,
            "precision: bf16 is 7.3 times slower than fp32 on this processor; auto would choose "
            "fp32",
        ),
    ],
)
def test_check_says_what_is_computed_in(
    mtl: Mtl, monkeypatch: pytest.MonkeyPatch, setting: str, share: float, line: str
) -> None:
    monkeypatch.setattr(precision, "bf16_instructions", lambda: "AVX512 bf16")
    monkeypatch.setattr(precision, "product_share", lambda *_: share)
    outcome = mtl("check", "demo", "--set", f"run.training.precision={setting}")
    assert (outcome.code, outcome.err) == (0, "")
    assert line in outcome.out.splitlines()


@pytest.mark.parametrize(
    # Advice is given once per process: each case has its own.
    ("address", "count", "share"),
    [(None, 1, 91.3), ("head:6379", 0, 92.3)],
)
def test_a_slow_precision_is_said_by_the_driver_where_the_study_runs(
    run_config: RunConfigFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    address: str | None,
    count: int,
    share: float,
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(precision, "bf16_instructions", lambda: "")
    monkeypatch.setattr(precision, "product_share", lambda *_: share)

    @contextmanager
    def no_cluster(*_: object, **__: object) -> Iterator[MagicMock]:
        yield MagicMock(side_effect=KeyboardInterrupt)  # Asked for once all is read.

    monkeypatch.setattr(study_module, "cluster", no_cluster)
    run = run_config({"training.precision": "bf16"}).model_dump(mode="json")
    raw = {"run": run, "study": {"name": "tiny", "trials": 1, "storage": str(tmp_path)}}
    with pytest.raises(KeyboardInterrupt):
        study_module.tune_study(StudyFile.model_validate(raw), address=address)
    said = [r.getMessage() for r in caplog.records if f"{share} times slower" in r.getMessage()]
    assert len(said) == count


def test_results_tell_the_precision() -> None:
    final = final_scores(records("bf16")[0], {})
    assert final is not None
    assert final.to_json()["precision"] == "bf16"


def records(*precisions: str) -> list[TrialRecord]:
    report = (1, 1, 1.0, 1, {}, {}, {}, {}, 0.5, 0.5, 0.5, 1, 1.0, 1.0)
    return [
        TrialRecord(
            run_id_of(number), "complete", {}, {}, reports=(Report(*report, precision=name),)
        )
        for number, name in enumerate(precisions)
    ]


@pytest.mark.parametrize(
    ("precisions", "sentence"),
    [
        (["bf16", "bf16"], " Computed in bf16."),
        (["", ""], ""),
        (
            ["bf16", "fp32", "bf16"],
            " Caution: trials were computed in different precisions, 2 in bf16, 1 in fp32.",
        ),
    ],
)
def test_the_report_says_what_trials_were_computed_in(precisions: list[str], sentence: str) -> None:
    failed = TrialRecord("0009", "failed", {}, {}, error="no memory")
    summary = StudySummary(
        name="tiny", folder="runs/tiny", records=[*records(*precisions), failed],
        result=Result(goal=Reached(objective="mean"), seconds=1.0), replay="",
    )  # fmt: skip
    assert f"objective on dev: mean.{sentence}\n" in render_report(summary)
