"""Reports within epochs in a study file: refused where they cannot be made, or not compared."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mtl_core.errors import ConfigError
from tuning.study.load import check_data, load_study
from tuning.study.search_check import tell_doubts

Said = Callable[..., str]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus: Path, tiny_encoder: Path) -> Said:
    """Writes a study and returns what is said against it, "" for nothing."""
    monkeypatch.chdir(tmp_path)

    def check(training: str, search: str, study: str = "trials: 4") -> str:
        Path("study.yaml").write_text(
            f"run:\n"
            f"  encoder: {{name: {tiny_encoder}}}\n"
            f"  datasets: {{corpus: {{kind: seq_in_out, path: {corpus}}}}}\n"
            f"  tasks: {{intent: {{kind: classification, dataset: corpus, column: intent}}}}\n"
            f"  training: {{{training}}}\n"
            f"search: {{{search}}}\n"
            f"study: {{{study}}}\n",
            encoding="utf-8",
        )
        try:
            loaded = load_study("study.yaml")
            check_data(loaded)
            tell_doubts(loaded)
        except ConfigError as error:
            return str(error)
        return ""

    return check


def test_an_epoch_has_a_step_for_each_report_in_every_recipe(said: Said) -> None:
    # 60 rows.
    few = "batch_size: 20, reports_per_epoch: 4"
    assert said(few, "optimizer.head_lr: {range: [0.1, 0.2]}") == (
        "run: training.reports_per_epoch: expected at most a report for each step, found 4 reports "
        "for an epoch of 3 steps"
    )
    some = "training.batch_size: {choice: [8, 15, 16, 20, 60]}"
    assert said("batch_size: 10, reports_per_epoch: 4", some).splitlines() == [
        f"search.training.batch_size: training.reports_per_epoch: expected at most a report for "
        f"each step, found 4 reports for an epoch of {steps}"
        for steps in ("3 steps", "1 step")
    ]
    assert said("batch_size: 15, reports_per_epoch: 4", "seed: {int_range: [0, 9]}") == ""


@pytest.mark.parametrize(
    "search",
    [
        "training.reports_per_epoch: {int_range: [2, 4]}",
        "training.report_rows: {choice: [5, null]}",
        "training: {choice: [{reports_per_epoch: 4}, {reports_per_epoch: 2}]}",
    ],
)
def test_how_runs_report_cannot_be_searched(said: Said, search: str) -> None:
    first, *_ = said("reports_per_epoch: 4", search).splitlines()
    key = search.partition(":")[0]
    assert first == (
        f"study.yaml:6: search.{key}: training.reports_per_epoch and training.report_rows cannot "
        "be searched: trials are compared at the same parts of an epoch, on the same rows"
    )


def test_a_grace_period_is_measured_by_the_reports_of_an_epoch(
    said: Said, caplog: pytest.LogCaptureFixture
) -> None:
    search = "seed: {int_range: [0, 9]}"
    scheduler = "trials: 4, scheduler: {kind: asha, grace_epochs: 0.1}"
    assert said("epochs: 1, batch_size: 5, reports_per_epoch: 10", search, scheduler) == ""
    assert not [line for line in caplog.messages if "grace_epochs" in line]
    assert said("epochs: 1, batch_size: 5, reports_per_epoch: 4", search, scheduler) == ""
    [line] = [line for line in caplog.messages if "grace_epochs" in line]
    assert "0.25 epochs (run.training.reports_per_epoch): none ends before" in line
