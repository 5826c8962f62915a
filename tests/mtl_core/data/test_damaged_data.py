"""Damaged data files of every format: read, or refused in lines that name the place."""

import shutil
from pathlib import Path

import pytest
from damaged_data_files import SOURCES, Source, cases, line_fault, write_sources

from mtl_core.data.splits import read_splits


def test_damaged_data_files_are_read_or_refused_in_lines(tmp_path: Path) -> None:
    faults = {case.name: fault for case in cases(tmp_path, 0, 160) if (fault := case.fault())}
    assert faults == {}


@pytest.mark.parametrize("source", SOURCES, ids=[source.name for source in SOURCES])
def test_undamaged_they_are_read(tmp_path: Path, source: Source) -> None:
    write_sources(tmp_path)
    config = source.config(tmp_path)
    columns = {name: kind for one in config.columns("data") for name, kind in one.reads.items()}
    assert len(read_splits(config.datasets["data"], columns)["train"]) > 10
    shutil.rmtree(tmp_path)


def test_a_line_without_a_place_is_a_fault() -> None:
    assert line_fault("rows.csv:3: expected 2 columns") is None
    assert line_fault("expected 2 columns") == "no place: expected 2 columns"
