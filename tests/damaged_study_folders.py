"""Damaged study folders: what every command that reads one answers, and whether it says all."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

from answers import Answer, Case, answer_of
from damage import copy_folder, damage_file, files_of
from small_studies import small_studies

from mtl_core.errors import TrainingError

STARTS = "trainers would start here"
"""What a study that goes on says without Ray."""
_ENDS = (STARTS, "no trial of the study reached a score")
NOTES = ("serious: ", "warning: ", "hint: ", "written: ")
"""How what is said of the data begins, and of the files that a command has written."""
COMMANDS: Mapping[str, Sequence[str]] = {
    "status": ("status", "FOLDER"),
    "status as JSON": ("status", "FOLDER", "--json"),
    "report": ("report", "FOLDER"),
    "tune": ("tune", "FOLDER/study.yaml"),
    "evaluate all": ("evaluate", "FOLDER", "--all"),
    "evaluate": ("evaluate", "FOLDER"),
    "predict": ("predict", "FOLDER", "play some jazz"),
}
_WRITING = {"report", "tune", "evaluate all"}
_WEIGHTS = ("checkpoint", "best")
"""Folders whose files are read as weights and models: they have cases of their own."""


def cases(folder: Path, seed: int, count: int) -> Iterator[Case]:
    """Yields damaged copies of a finished, an interrupted and a failed study, each with a command.

    Args:
        folder: An empty folder; all is written there.
        seed: Of all damage.
        count: How many.
    """
    rng = random.Random(seed)
    studies = small_studies(folder)
    kept = {name: copy_folder(path, folder / "kept" / name) for name, path in studies.items()}
    known = {name: _status(path) for name, path in studies.items()}
    for number in range(count):
        name = rng.choice(list(studies))
        work = copy_folder(kept[name], studies[name])
        files = [path for path in files_of(work) if path.name != ".lock"]
        by_kind: dict[str, list[Path]] = {}
        for path in files:
            by_kind.setdefault(_kind(path.relative_to(work)), []).append(path)
        # A kind of file first: of some there is one, of others dozens.
        path = rng.choice(by_kind[rng.choice(sorted(by_kind))])
        what = damage_file(path, rng)
        command = rng.choice(list(COMMANDS))
        yield Case(
            f"{number}: {name}/{path.relative_to(work)}: {what}; {command}",
            partial(fault, work, command, path, known[name]),
        )


def _kind(path: Path) -> str:
    for name in (*_WEIGHTS, "tensorboard"):
        if name in path.parts:
            return name
    return path.name


def fault(folder: Path, command: str, damaged: Path, known: Mapping[str, object]) -> str | None:
    """Returns what is wrong with the answer of a command to a damaged folder."""
    words = [word.replace("FOLDER", str(folder)) for word in COMMANDS[command]]
    with without_ray():
        answer = answer_of(words, [folder])
    said = [
        line
        for line in answer.stderr.splitlines()
        if not line.startswith(NOTES) and not any(end in line for end in _ENDS)
    ]
    has_gone_on = command == "tune" and answer.code == 1 and not answer.trace
    # A session that was not refused went on as far as it could, and has written.
    wrong = None if has_gone_on and _ended(answer) else answer.fault(writes=command in _WRITING)
    if wrong or said or answer.code == 2 or damaged.name == "study.yaml":
        return wrong
    found = _status(folder)
    return None if found in (known, {}) else f"without a word {found} in the place of {known}"


def _ended(answer: Answer) -> bool:
    return any(end in answer.stderr for end in _ENDS)


def _status(folder: Path) -> Mapping[str, object]:
    """Returns what may not change without a word; {} where the study is refused or says a word."""
    answer = answer_of(["status", str(folder), "--json"])
    if answer.code != 0 or answer.stderr:
        return {}
    found = json.loads(answer.stdout)
    best = found["best"] or {}
    return {
        "ended": found["ended"],
        "best": best.get("trial"),
        "combined": best.get("combined"),
    }


@contextmanager
def without_ray() -> Iterator[None]:
    """Lets a study begin without Ray: it ends where it would start its trainers."""

    @contextmanager
    def cluster(*_: object, **__: object) -> Iterator[Callable[[], None]]:
        yield lambda: None

    @contextmanager
    def provided(*_: object, **__: object) -> Iterator[int]:
        yield 1

    def start(*_: object, **__: object) -> None:
        raise TrainingError(STARTS)

    with (
        patch("tuning.run.tune.cluster", cluster),
        patch("tuning.cluster.autoscaling.provided_trainers", provided),
        patch("tuning.run.session.start_for", start),
    ):
        yield
