"""Damaged study files: loaded, or refused in lines that name file and line."""

from pathlib import Path

import pytest
from damaged_study_files import cases, good_files

from tuning.study.load import load_study


def test_damaged_study_files_are_loaded_or_refused_in_lines(tmp_path: Path) -> None:
    faults = {case.name: fault for case in cases(tmp_path, 0, 120) if (fault := case.fault())}
    assert faults == {}


@pytest.mark.parametrize("name", good_files())
def test_undamaged_they_are_loaded(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(good_files()[name], encoding="utf-8")
    assert load_study(str(tmp_path / name)).study.name == name.removesuffix(".yaml")
