"""What a study ran with, as its folder has it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from trials import record

from tuning.report.setup import read_setup, setup_section
from tuning.study.folder import StudyFolder
from tuning.study.versions import versions


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    (tmp_path / "study.yaml").write_text("run: {seed: 3}\nstudy: {seed: 5, name: x}\n")
    (tmp_path / "inputs.json").write_text(json.dumps({"data set 'a'": "0123456789abcdef0123"}))
    (tmp_path / "versions.json").write_text(json.dumps({"python": "3.11", "processor": "<b>"}))
    return StudyFolder(tmp_path)


def test_seeds_hashes_precision_and_versions_are_read(folder: StudyFolder) -> None:
    made = record(0, "complete", 0.5)
    records = [
        replace(made, reports=(replace(made.reports[0], precision=one),)) for one in ("bf16", "")
    ]
    assert read_setup(folder, records) == {
        "run.seed": "3", "study.seed": "5", "precision": "bf16",
        "hash of data set 'a'": "0123456789abcdef", "python": "3.11", "processor": "<b>",
    }  # fmt: skip


def test_broken_versions_are_told_of_and_passed_over(
    folder: StudyFolder, caplog: pytest.LogCaptureFixture
) -> None:
    (folder.path / "versions.json").write_text("[")
    assert "python" not in read_setup(folder, [])
    assert "the report says nothing of versions" in caplog.text
    (folder.path / "versions.json").unlink()
    assert read_setup(folder, [])["run.seed"] == "3"


def test_it_is_a_table_of_what_is_known() -> None:
    heading, rows, _ = setup_section({"run.seed": "3", "precision": "", "gpus": "a|b"})
    assert heading == "## What it ran with"
    assert rows.splitlines()[2:] == ["| `run.seed` | `3` |", r"| `gpus` | `a\|b` |"]
    assert setup_section({}) == []


def test_the_machine_is_known() -> None:
    found = versions()
    assert found["processor"].endswith("threads")
    assert found["memory"].endswith("GiB")
    assert "python" in found
