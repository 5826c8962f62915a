"""Many training runs: search, warm trainers, studies and the command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuning.result import StudyResult


def tune(study: str | Path, overrides: Mapping[str, object] | None = None) -> "StudyResult":
    """Runs a study and returns what it found; the way for notebooks.

    Args:
        study: Path of a study file, or the name of a bundled one.
        overrides: Dotted key -> value, such as {"run.training.epochs": 3}; relative paths start
            from the current folder.

    Raises:
        MtlError: The study cannot be run.
    """
    from mtl_core.study_file import as_assignment
    from tuning.load import load_study
    from tuning.study import tune_study

    assignments = [as_assignment(key, value) for key, value in (overrides or {}).items()]
    return tune_study(load_study(str(study), assignments))
