"""The command that trains a recipe of a study again."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from mtl_core.study_file import as_assignment
from tuning.records import TrialRecord


def replay_overrides(precision: str, best: TrialRecord | None) -> dict[str, object]:
    """Returns what trains the recipe of a trial again, in its own precision.

    Args:
        precision: What the study file says of it.
        best: The trial; None = the study file's own recipe.
    """
    overrides = dict(best.best_recipe[0]) if best is not None else {}
    if best is not None and best.taken is not None:
        overrides |= best.taken.settings
    # What the trial was computed in, not what it would be now; empty in reports of older versions.
    computed = best.reports[-1].precision if best is not None and best.reports else ""
    if computed and precision == "auto":
        # On another machine `auto` may be another one. A trial that searched the precision itself
        # has it among its overrides, and keeps that.
        overrides.setdefault("training.precision", computed)
    return overrides


def replay_command(folder: Path, overrides: Mapping[str, object]) -> str:
    """Returns the command that trains a recipe again, quoted for a POSIX shell.

    In a folder of its own: where `mtl train` goes by itself, another run of the study may lie.

    Args:
        folder: The study folder, absolute, so that the command works from any folder.
        overrides: What makes the recipe of the study file's own.
    """
    words = ["mtl", "train", str(folder / "study.yaml"), "--output", str(folder / "replay")]
    for key, value in overrides.items():
        words += ["--set", as_assignment(key, value)]
    return shlex.join(words)
