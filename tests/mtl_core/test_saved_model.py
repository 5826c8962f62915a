"""The folder of a saved model, in other hands: file modes, other libraries, other versions."""

import os
from pathlib import Path

import pytest
from conftest import RunConfigFactory
from saved_models import train_and_export


@pytest.mark.parametrize("umask", [0o022, 0o007])
def test_all_files_of_a_run_can_be_read_by_whom_the_umask_allows(
    run_config: RunConfigFactory, tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        train_and_export(run_config({"training.epochs": 1}), tmp_path / "run")
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert {"best.safetensors", "state.pt", "model.safetensors"} <= {path.name for path in files}
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in files}
    assert set(modes.values()) == {oct(0o666 & ~umask)}, modes
