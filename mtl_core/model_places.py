"""Where models lie: inside studies and runs, below other folders, and near a name that is none."""

import difflib
from contextlib import suppress
from pathlib import Path

from mtl_core.any_path import is_file, is_folder
from mtl_core.model_folder import META

_MOST_NAMED = 3
"""Models that a message names."""


def inner_folder(folder: Path) -> Path:
    """Returns where the model lies in a folder: a study holds it in best/, a run in model/.

    A folder that is neither is taken for the model itself.
    """
    if is_file(folder / "study.yaml"):
        return folder / "best"
    return folder / "model" if is_file(folder / "model" / META) else folder


def models_below(folder: Path) -> str:
    """Returns the first models that lie below a folder, as `find_model` takes them, in words."""
    metas: list[Path] = []
    for depth in ("*", "*/*", "*/*/*"):
        with suppress(OSError):  # What goes while it is looked for is no model.
            metas += sorted(folder.glob(f"{depth}/{META}"))
    models = dict.fromkeys(
        str(meta.parent.parent if inner_folder(meta.parent.parent) == meta.parent else meta.parent)
        for meta in sorted(metas)
    )
    more = f" and {len(models) - _MOST_NAMED} more" if len(models) > _MOST_NAMED else ""
    return ", ".join(list(models)[:_MOST_NAMED]) + more


def instead_of(folder: Path) -> str:
    """Returns what may be meant by a folder that is missing: the nearest, or models beside it."""
    nearest = _nearest(folder)
    if nearest is not None:
        return f". Did you mean '{nearest}'?"
    is_inside = folder.parent != Path() and is_folder(folder.parent)
    below = models_below(folder.parent) if is_inside else ""
    return f"; models in {folder.parent}: {below}" if below else ""


def _nearest(folder: Path) -> Path | None:
    """Returns the folder whose path is most like that of a missing one; None = none is."""
    found = next((outer for outer in folder.parents if is_folder(outer)), None)
    if found is None:
        return None
    # Part by part, in a loop: what is no path at all may have thousands of them.
    for name in folder.relative_to(found).parts:
        close = [name]
        if not is_folder(found / name):
            names = [path.name for path in found.glob("*/")]
            close = difflib.get_close_matches(name, names, n=1)
        if not close:
            return None
        found /= close[0]
    return found
