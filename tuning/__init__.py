"""Many training runs: search, warm trainers, studies and the command line."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuning.results.read import read_study as read_study
    from tuning.results.study_result import StudyResult as StudyResult
    from tuning.watch.display import study_display as study_display
    from tuning.watch.watcher import Watcher as Watcher

_HOMES = {
    "StudyResult": "tuning.results.study_result",
    "Watcher": "tuning.watch.watcher",
    "read_study": "tuning.results.read",
    "study_display": "tuning.watch.display",
}


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used: `mtl --help` needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tuning' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def tune(
    study: str | Path,
    overrides: Mapping[str, object] | None = None,
    *,
    watcher: "Watcher | None" = None,
) -> "StudyResult":
    """Runs a study and returns what it found; the way for notebooks and scripts.

    Args:
        study: Path of a study file, or the name of a bundled one.
        overrides: Dotted key -> value, such as {"run.training.epochs": 3}; relative paths start
            from the current folder.
        watcher: Told what happens, see `Watcher`; None = shown in a notebook, and silent
            elsewhere. `study_display` makes the one of the command line.

    Raises:
        MtlError: The study cannot be run.
    """
    from mtl_core.study_file import as_assignment
    from tuning.run.tune import tune_study
    from tuning.study.load import load_study
    from tuning.watch.display import study_display
    from tuning.watch.notebook import is_notebook
    from tuning.watch.study_log import study_log

    assignments = [as_assignment(key, value) for key, value in (overrides or {}).items()]
    loaded = load_study(str(study), assignments)
    with ExitStack() as stack:
        if watcher is None:
            shown = study_display(loaded.study.name, is_quiet=not is_notebook())
            watcher = stack.enter_context(shown)
        return tune_study(loaded, watcher=watcher, log=stack.enter_context(study_log()))
