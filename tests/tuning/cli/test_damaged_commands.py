"""Command lines with something wrong in them: each is answered, and writes nothing."""

from pathlib import Path

from conftest import Mtl
from damaged_commands import cases


def test_every_command_line_is_answered(tmp_path: Path, mtl: Mtl) -> None:
    found = cases(tmp_path, 0, 60)
    faults = {case.name: fault for case in found if (fault := case.fault())}
    assert faults == {}
