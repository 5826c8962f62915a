"""The studies of one task that a study asks for: its baselines, which other studies find again.

Each is a study of its own in a folder below `study.storage`, named by all that its scores hang on.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.errors import ConfigError
from mtl_core.study_file import override
from mtl_core.training.donors import may_differ
from mtl_core.validation import validate_data
from tuning.space.space import Entry, Space
from tuning.study.config import LONGEST_NAME, StudyFile
from tuning.study.identity import identity

FOLDER = "alone"
"""Below `study.storage`: the folders of the studies of one task."""

_DIGITS = 12
"""Of the hash in the name of a folder."""


def alone_studies(study: StudyFile) -> dict[str, StudyFile]:
    """Returns task -> the study of it alone, of each task that counts; {} without baselines.

    Raises:
        ConfigError: Alone a task cannot be trained or searched as the study file says.
    """
    if not study.study.baselines.are_run:
        return {}
    return {name: _alone(study, name) for name in study.counted_tasks}


def kept_study(alone: StudyFile, inputs: Mapping[str, str]) -> StudyFile:
    """Returns the study of a task alone with the folder in which all studies look for it.

    Args:
        alone: The study.
        inputs: What else its results hang on -> a hash of it, see `inputs_of`.
    """
    # How much is tried is part of it: a task that was searched for longer is another baseline.
    # How often the best are trained again is not: that goes on in the same folder.
    limits = {key: getattr(alone.study, key) for key in ("hours", "total_epochs", "patience")}
    parts = [identity(alone), alone.trials, limits, dict(inputs)]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    [task] = alone.run.tasks
    # A folder is to tell its task; names of tasks may begin with what names of folders may not.
    name = f"{task.lstrip('_-')[: LONGEST_NAME - _DIGITS - 1]}-{digest[:_DIGITS]}".lstrip("-")
    section = alone.study.model_copy(update={"name": name})
    return alone.model_copy(update={"study": section})


def _alone(study: StudyFile, task: str) -> StudyFile:
    """Returns the study of a task alone, under a name that stands for it until data are read."""
    part = _Part(study, task)
    found = part.study_file()
    try:
        return validate_data(found, StudyFile, where="")
    except ConfigError as error:
        raise ConfigError(
            f"study.baselines: the task '{task}' cannot be trained alone as the study file says: "
            f"{error}"
        ) from error


@dataclass(frozen=True, slots=True)
class _Part:
    """What of a study is about one of its tasks.

    Attributes:
        study: The study.
        task: The task.
    """

    study: StudyFile
    task: str

    def study_file(self) -> dict[str, object]:
        """Returns the study of the task alone as plain data."""
        run, entries = self._run(), self._entries()
        search = self.study.search.model_dump(mode="json")
        kept = {key: search[key] for key in entries}
        if kept and (points := self._points(entries)):
            kept["try"] = points
        return {"run": run, "search": kept, "study": self._section(entries)}

    def _run(self) -> dict[str, object]:
        """Returns the recipe: what weighs or mixes tasks falls back to what does nothing."""
        run = self.study.run.model_dump(mode="json")
        names = {"datasets": self._datasets, "tasks": (self.task,)}
        parts = {part: {name: run[part][name] for name in kept} for part, kept in names.items()}
        whole: dict[str, Any] = {**run, **parts}
        return _without(whole, lambda key: not self._belongs(key))

    @property
    def _datasets(self) -> tuple[str, ...]:
        return tuple(self.study.run.tasks[self.task].datasets)

    def _belongs(self, key: str) -> bool:
        """Returns whether a dotted key of `run` means anything when the task is alone."""
        section, _, inner = key.partition(".")
        name, _, setting = inner.partition(".")
        match section:
            case "tasks":
                return name in ("", self.task) and setting != "weight"
            case "datasets":
                return name in ("", *self._datasets)
            case "mixing":
                return len(self._datasets) > 1
            case "weighting":
                return False
            case "encoder" if name == "decoder" and self.study.run.encoder.adds_writer:
                return self.study.run.tasks[self.task].writes
        return key != "training.gradients_every"

    def _entries(self) -> dict[str, Entry]:
        """Returns the entries of the search of which all keys belong to the task."""
        if not self.study.study.baselines.are_searched:
            return {}
        return self.study.search.split(self._belongs)[0]

    def _points(self, entries: Mapping[str, Entry]) -> object:
        """Returns the points to try first, as far as they lie in what is searched."""
        if self.study.search.tries_likely:
            return "auto"
        targets = Space(entries).targets
        inner = tuple(f"{key}." for key in targets)
        points = [
            {
                key: value
                for key, value in _leaves(override({}, point))
                if key in targets or key.startswith(inner)
            }
            for point in self.study.search.listed
        ]
        return [point for point in points if point]

    def _section(self, entries: Mapping[str, Entry]) -> dict[str, object]:
        section = self.study.study.model_dump(mode="json")
        # What trials of all tasks together tell is of little use for one; loggers hear of its runs
        # from the study itself.
        for key in ("objective", "baselines", "loggers", "warm_start", "card"):
            del section[key]
        del section["constraints"]["floors"]
        # What chooses where nothing is searched makes no other baseline of it.
        unused = () if entries else ("prior", "seed", "sampler", "scheduler")
        for key in {*unused, *self._unsuited(entries)}:
            del section[key]
        limits = self.study.study.baselines.limits(section)
        storage = Path(section["storage"]) / FOLDER
        return {**section, **limits, "name": FOLDER, "storage": str(storage)}

    def _unsuited(self, entries: Mapping[str, Entry]) -> Iterator[str]:
        """Yields what needs settings of which a task alone has none; it takes the usual kind."""
        section, space = self.study.study, Space(entries)
        if section.scheduler.changes_recipes and not space.changeable(may_differ):
            yield "scheduler"
        try:
            section.sampler.check(space)
        except ConfigError:
            yield "sampler"


def _without(
    data: Mapping[str, Any], is_out: Callable[[str], bool], path: str = ""
) -> dict[str, Any]:
    """Returns nested data without the keys that are out; what stands in these goes with them."""
    return {
        key: _without(value, is_out, f"{path}{key}.") if isinstance(value, Mapping) else value
        for key, value in data.items()
        if not is_out(f"{path}{key}")
    }


def _leaves(data: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    """Yields dotted key and value of all that stands in nested data."""
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
