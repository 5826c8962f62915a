"""What a run scores on draws is kept in a file that may be damaged, or be of other scores."""

from pathlib import Path

import numpy as np
import pytest

from tuning.statistics.draws import NAME, with_draws, write_draws
from tuning.statistics.seeds import RunScores

RUN = RunScores({"combined": 0.5, "a b/f1": 0.4, "other": 1.0})
DRAWN = {"combined": np.array([0.5, 0.4, 0.6]), "a b/f1": np.array([0.4, 0.3, np.nan])}


def test_draws_come_back_as_they_were_for_the_rows_that_they_are_of(tmp_path: Path) -> None:
    unseen = {"combined": np.array([0.25, 0.3, 0.2])}
    write_draws(tmp_path / "run", {"test": DRAWN, "unseen": unseen})
    found = with_draws(RUN, tmp_path / "run").draws
    assert found.keys() == DRAWN.keys()
    assert all(np.array_equal(found[name], DRAWN[name], equal_nan=True) for name in DRAWN)
    other = with_draws(RunScores({"combined": 0.25}, where="unseen"), tmp_path / "run")
    assert np.array_equal(other.draws["combined"], unseen["combined"])


def test_draws_of_other_scores_are_left_out(tmp_path: Path) -> None:
    """As after the same run was scored with other settings of decoding."""
    write_draws(tmp_path, {"test": DRAWN})
    assert with_draws(RunScores({"combined": 0.5, "a b/f1": 0.41}), tmp_path).draws.keys() == {
        "combined"
    }


def test_without_a_file_there_are_no_draws(tmp_path: Path) -> None:
    assert with_draws(RUN, tmp_path) == RUN


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"x" * 100])
def test_a_broken_file_costs_no_more_than_the_draws(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert with_draws(RUN, tmp_path).draws == {}
    assert all("is broken" in record.message for record in caplog.records)


def test_draws_of_another_shape_are_a_broken_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_draws(tmp_path, {"test": {"combined": np.zeros((2, 2))}})
    assert with_draws(RUN, tmp_path).draws == {}
    assert "is broken" in caplog.text
