"""What ends a search, told as the error that it is."""

from pathlib import Path

import pytest
from ray.exceptions import OutOfMemoryError

from mtl_core.errors import TrainingError
from tuning.search.ending import ending_the_search, run_search


def test_an_error_of_a_callback_ends_the_search_as_it_was(tmp_path: Path) -> None:
    error = TrainingError("no trainer can work")

    @ending_the_search()
    def callback() -> None:
        raise error

    def fit() -> None:
        try:
            callback()
        except Exception:  # noqa: BLE001 (as Tune does, which then fails the trial)
            pytest.fail("Tune caught it")

    with pytest.raises(TrainingError) as raised:
        run_search(fit, tmp_path)
    assert raised.value is error


def test_a_death_that_tune_does_not_know_is_one_line(tmp_path: Path) -> None:
    def fit() -> None:
        raise RuntimeError("Caught unexpected exception") from OutOfMemoryError("30 GB / 31 GB")

    with pytest.raises(TrainingError, match=r"by Ray's memory monitor, .* are kept"):
        run_search(fit, tmp_path)


def test_a_bug_stays_one(tmp_path: Path) -> None:
    def fit() -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run_search(fit, tmp_path)
