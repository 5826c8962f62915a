"""What a command finds around it: streams, folders, variables, terminals of any kind."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Mtl

from tuning.cli.surroundings import prepare

PROGRAM = [sys.executable, "-m", "tuning"]
ROOT = Path(__file__).parents[3]


def started(command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of the shell, in which `mtl` is the program."""
    line = f'mtl() {{ {" ".join(PROGRAM)} "$@"; }}; {command}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        ["bash", "-c", line],
        check=False,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_fault(tmp_path: Path, closed: str) -> None:
    found = started(f"mtl schema {closed}; echo $? > code", tmp_path)
    assert (tmp_path / "code").read_text() == "0\n"
    assert "Traceback" not in found.stderr
    # Nothing of what it prints has landed in a file that it opened.
    assert [path.name for path in tmp_path.iterdir()] == ["code"]


def test_an_error_has_its_exit_code_without_stderr(tmp_path: Path) -> None:
    assert started("mtl status nowhere 2>&-", tmp_path).returncode == 2


def test_a_current_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    found = started("cd gone; rmdir ../gone; mtl schema", tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.endswith(
        "error: the current folder is not there any more; go to another one: cd\n"
    )


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The variables and the current folder of this test alone."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_an_empty_variable_counts_as_not_set(around: pytest.MonkeyPatch) -> None:
    for name in ("MTL_CACHE", "XDG_CACHE_HOME", "HF_HOME"):
        os.environ[name] = ""
    os.environ["TMPDIR"] = "  "
    prepare()
    assert not {"MTL_CACHE", "XDG_CACHE_HOME", "HF_HOME", "TMPDIR"} & os.environ.keys()


def test_a_relative_cache_is_the_same_for_all_processes(
    around: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.environ["MTL_CACHE"] = "cache"
    prepare()
    assert os.environ["MTL_CACHE"] == str(tmp_path / "cache")


@pytest.mark.parametrize("columns", ["0", "1", "-5", "junk", "", "9" * 5000, "\u0663\u0663"])
def test_a_terminal_of_no_width_has_the_usual_one(
    around: pytest.MonkeyPatch, mtl: Mtl, columns: str
) -> None:
    os.environ["COLUMNS"] = columns
    found = mtl("--help")
    assert found.code == 0
    assert "Find the best recipe" in found.out
    os.environ["COLUMNS"] = "120"
    prepare()
    assert os.environ["COLUMNS"] == "120"


def test_without_a_home_folder_a_command_says_so(around: pytest.MonkeyPatch, mtl: Mtl) -> None:
    os.environ.pop("HOME", None)
    around.setattr(os, "getuid", lambda: 2**31 - 7)
    found = mtl("schema")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("error: there is no home folder: HOME is not set, and the system")
    os.environ["HOME"] = "/tmp"
    assert mtl("schema").code == 0


def test_what_a_terminal_cannot_show_is_spelt_out(around: pytest.MonkeyPatch) -> None:
    text = "gr\u00fc\u00dfe \U0001f600 \ud800"
    content = io.BytesIO()
    around.setattr(sys, "stdout", io.TextIOWrapper(content, encoding="ascii"))
    prepare()
    sys.stdout.write(json.dumps([text], ensure_ascii=False))
    sys.stdout.flush()
    assert json.loads(content.getvalue()) == [text]
    assert content.getvalue() == rb'["gr\u00fc\u00dfe \ud83d\ude00 \ud800"]'


def test_a_long_error_keeps_its_place_and_its_end(mtl: Mtl) -> None:
    found = mtl("check", f"{'a' * 5000}.yaml")
    assert found.code == 2
    assert found.err.startswith("error: aaaa")
    assert found.err.endswith("cannot be read: File name too long\n")
    assert len(found.err) < 1100


def test_streams_of_a_notebook_are_left_alone(around: pytest.MonkeyPatch) -> None:
    plain = io.StringIO()
    around.setattr(sys, "stdout", plain)
    prepare()
    assert sys.stdout is plain
