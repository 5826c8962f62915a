"""Samples of what a model writes, as tables and as a file."""

from pathlib import Path

import pytest

from mtl_core.kept import BrokenError
from mtl_core.model_folder import SAMPLES
from mtl_core.samples import Sample, read_samples, samples_table, write_samples


def test_a_table_shows_any_text_on_one_line() -> None:
    table = samples_table([Sample("a|b\n<b>c", "", "x" * 500)])
    *_, line = table.splitlines()
    written, right, read = line.strip("| ").split(" | ")
    assert (written, read) == ("(empty)", r"`a\|b <b>c`")
    assert "..." in right
    assert len(right) < 420
    assert len(table.splitlines()) == 3


def test_samples_are_read_as_they_were_written(tmp_path: Path) -> None:
    samples = {"reply": (Sample("hi", "ho", "hu"), Sample("\u00fc", "", "\u65e5"))}
    assert read_samples(tmp_path) == {}
    write_samples(tmp_path, {})
    assert not (tmp_path / SAMPLES).exists()
    write_samples(tmp_path, samples)
    assert read_samples(tmp_path) == samples
    (tmp_path / SAMPLES).write_text('{"reply": [{"source": "hi"}]}')
    with pytest.raises(BrokenError, match=r"samples\.json.*: a file of the study is broken: .*rem"):
        read_samples(tmp_path)
