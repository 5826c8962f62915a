"""Runs with damaged caches and checkpoints, drawn from a seed."""

from pathlib import Path

import pytest
from damaged_caches import cases


@pytest.mark.slow
def test_damaged_caches_and_checkpoints_are_made_again_and_told(tmp_path: Path) -> None:
    faults = {case.name: case.fault() for case in cases(tmp_path, seed=7, count=25)}
    assert len(faults) == 25
    assert {name: fault for name, fault in faults.items() if fault} == {}
