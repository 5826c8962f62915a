"""What shapes a run, by which a checkpoint knows whether it is of the same run."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mtl_core.config import Training
from mtl_core.data.formats.base import without_places
from mtl_core.differences import differing, told
from mtl_core.model.backbones.kinds import BACKBONE
from mtl_core.model.kinds import FreezingSection

RunInputs = Mapping[str, str]
"""Settings as JSON (`run`, `objective`), and what they only name (data, code of tasks, weights to
begin with) -> a hash of its content."""

_FREEZING: TypeAdapter[FreezingSection] = TypeAdapter(FreezingSection)
_SETTINGS = ("run", "objective")


def difference(
    before: RunInputs, now: RunInputs, *, passing: Callable[[str], bool] = lambda key: False
) -> str | None:
    """Returns what differs between two runs in a few words; None = they are the same run.

    Where data lie does not count: their content does, and it has a hash of its own.

    Args:
        before: What shapes the one.
        now: What shapes the other.
        passing: Whether a dotted key of `run` does not count.
    """
    found = differing(_settings(before), _settings(now))
    settings = {key: pair for key, pair in found.items() if not passing(key.removeprefix("run."))}
    if settings:
        return told(settings)
    names = [*before, *(name for name in now if name not in before)]
    contents = [
        name for name in names if name not in _SETTINGS and before.get(name) != now.get(name)
    ]
    return f"the content of {', '.join(contents)} has changed" if contents else None


def _settings(inputs: RunInputs) -> dict[str, Any]:
    # Missing or no JSON in the checkpoint of another version: then all of it differs.
    found = {name: json.loads(inputs.get(name, "{}")) for name in _SETTINGS}
    run = found["run"]
    if "datasets" in run:
        places = {name: without_places(one) for name, one in run["datasets"].items()}
        # Runs of versions without a setting did what is its default now.
        training = Training().model_dump(mode="json") | run["training"]
        encoder = _spelt_out(BACKBONE, run["encoder"])
        freezing = _spelt_out(_FREEZING, run["freezing"])
        changed = {"datasets": places, "training": training, "encoder": encoder}
        found["run"] = run | changed | {"freezing": freezing}
    return found


def _spelt_out(kinds: TypeAdapter[Any], section: dict[str, Any]) -> dict[str, Any]:
    """Returns a section with the defaults of the settings that it lacks."""
    try:
        return dict(kinds.validate_python(section).model_dump(mode="json"))
    except ValidationError:  # Of a version that knows more: it differs.
        return section
