"""Every command on a disk that takes no more: one line, nothing half-written, and then as ever."""

import random
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from answers import answer_of
from conftest import RunConfigFactory
from full_disks import Disk, no_file_beyond

from mtl_core.study_file import dump

ROWS = "text,label\n" + "".join(
    f"play some {word} {number},{label}\n"
    for number in range(12)
    for word, label in (("jazz", "music"), ("chess", "game"))
)

COMMANDS: dict[str, tuple[str, ...]] = {
    "schema": ("schema", "--output", "made/schema.json"),
    "init": ("init", "rows.csv", "--output", "made/study.yaml"),
    "check": ("check", "study.yaml"),
    "train": ("train", "study.yaml", "--output", "made/run", "--quiet"),
    "predict": ("predict", "model", "play jazz", "--output", "made/out.jsonl"),
    "evaluate": ("evaluate", "model", "--split", "dev"),
}
"""Command -> its words, in a folder that has all that it reads."""


@pytest.fixture(scope="module")
def place(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a study file and a model."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "rows.csv").write_text(ROWS)
    config = run_config({"training.epochs": 2})
    lines = dump(config).splitlines()
    (folder / "study.yaml").write_text("run:\n" + "".join(f"  {line}\n" for line in lines))
    answer = answer_of(["train", str(folder / "study.yaml"), "--output", str(folder / "trained")])
    assert answer.code == 0, answer
    (folder / "trained" / "model").rename(folder / "model")
    return folder


MOST = {"schema": 9, "init": 9, "check": 9, "train": 5, "predict": 9, "evaluate": 9}
"""Command -> places at which it is disturbed; each takes up to seconds."""


class Stage:
    """A fresh place, with a cache of its own, for each command."""

    def __init__(self, place: Path, top: Path, patch: pytest.MonkeyPatch) -> None:
        self._place = place
        self._top = top
        self._patch = patch
        self.disk = Disk(top)

    def set(self, name: str) -> Path:
        folder = self._top / name
        (folder / "made").mkdir(parents=True)
        for path in self._place.iterdir():
            (folder / path.name).symlink_to(path)
        self._patch.chdir(folder)
        self._patch.setenv("MTL_CACHE", str(folder / "cache"))
        return folder


@pytest.fixture
def stage(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(place, tmp_path, monkeypatch)


def made(folder: Path) -> dict[str, bytes]:
    """The files that a command made, by their names; of a checkpoint, which holds times, none."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith(".lock") and not path.is_symlink():
            is_state = path.name == "state.pt"
            found[str(path.relative_to(folder))] = b"" if is_state else path.read_bytes()
    return found


def check_full(command: str, folder: Path, full: AbstractContextManager[None]) -> bool:
    """Runs a command on a full disk; returns whether it failed by that."""
    with full:
        answer = answer_of(COMMANDS[command])
    assert not answer.trace, answer.trace
    assert "Traceback" not in answer.stderr
    if answer.code != 0:
        assert answer.code == 1, answer
        [line] = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
        assert "No space left on device" in line or "File too large" in line, line
    # Nothing that is half-written, and nothing that is empty.
    left = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    files = [path for path in left if not path.name.endswith(".lock")]
    assert [path for path in files if path.name.endswith(".part")] == []
    assert [path for path in files if not path.stat().st_size] == []
    return answer.code != 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_step_that_a_full_disk_refuses(command: str, stage: Stage) -> None:
    folder = stage.set("whole")
    with stage.disk.full_at(None):
        assert answer_of(COMMANDS[command]).code == 0
    whole, steps = made(folder / "made"), len(stage.disk.steps)
    # All steps of the quick ones; of the others as many as take seconds, the last ones among them.
    numbers = random.Random(0).sample(range(steps), min(steps, MOST[command]))
    failed = 0
    for number in {*numbers, steps - 1}:
        folder = stage.set(f"full-at-{number}")
        failed += check_full(command, folder, stage.disk.full_at(number))
        again = answer_of(COMMANDS[command])
        assert again.code == 0, again
        assert made(folder / "made") == whole
    assert failed >= min(steps, MOST[command]) // 2


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_does_not_fit(command: str, stage: Stage) -> None:
    folder = stage.set("whole")
    assert answer_of(COMMANDS[command]).code == 0
    whole = made(folder)
    sizes = sorted({len(content) - 1 for content in whole.values() if content})
    limits = random.Random(0).sample(sizes, min(len(sizes), MOST[command]))
    for limit in {*limits, 0, sizes[-1]}:
        folder = stage.set(f"up-to-{limit}")
        check_full(command, folder, no_file_beyond(limit))
        again = answer_of(COMMANDS[command])
        assert again.code == 0, again
        assert made(folder / "made") == {
            name.removeprefix("made/"): content
            for name, content in whole.items()
            if name.startswith("made/")
        }
