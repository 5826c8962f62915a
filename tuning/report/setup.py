"""What a study trained and ran with: its best recipe, seeds, data, precision, machine, versions."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtl_core.kept import BrokenError, read_kept
from mtl_core.markdown import code
from mtl_core.study_file import override, read_document
from tuning.records import DEFAULT_ID, TrialRecord
from tuning.report.markdown import count_of, table
from tuning.space.parameters import look_up
from tuning.study.folder import StudyFolder
from tuning.study.result import Result

logger = logging.getLogger(__name__)

_DIGITS = 16
"""Of a hash, in hexadecimal: enough to tell data apart."""
_SCALARS = (str, int, float)


_RECIPE = (
    "encoder.name",
    "encoder.weights",
    "freezing.kind",
    "training.epochs",
    "training.batch_size",
    "training.accumulation",
    "optimizer.encoder_lr",
    "optimizer.head_lr",
    "weighting.kind",
    "mixing.kind",
)
"""Keys of `run` that tell most of how a recipe is trained."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a study trained, and what it ran with.

    Attributes:
        training: What -> what the best recipe was trained with, searched or not.
        ran_with: What -> seeds, data, precision, machine, versions.
    """

    training: Mapping[str, str] = field(default_factory=dict)
    ran_with: Mapping[str, str] = field(default_factory=dict)


NO_SETUP = Setup()
"""Of a study of which nothing is known."""


def read_setup(folder: StudyFolder, records: Sequence[TrialRecord], result: Result) -> Setup:
    """Returns what a study ran with, from its folder.

    Args:
        folder: The study folder.
        records: Its trials.
        result: What it found.

    Raises:
        ConfigError: Its study file, or what it keeps of its data, cannot be read.
    """
    # As it was written, without the schema, which imports torch. The driver writes it resolved.
    data = read_document(folder.study).data
    precisions = dict.fromkeys(record.reports[-1].precision for record in records if record.reports)
    ran_with = {
        **_seeds(data),
        "precision": ", ".join(filter(None, precisions)),
        **{
            f"hash of {name}": hash[:_DIGITS] for name, hash in (folder.read_inputs() or {}).items()
        },
        **_versions(folder),
    }
    return Setup(_training(data, records, result), ran_with)


def training_section(training: Mapping[str, str]) -> list[str]:
    """Returns the parts of the section on what was trained; [] where nothing is known."""
    if not training:
        return []
    rows = [[code(name), code(value)] for name, value in training.items()]
    told = "How the best recipe is trained, with the values that the search found."
    return ["## Setup", told, table(["what", "value"], rows)]


def setup_section(setup: Mapping[str, str]) -> list[str]:
    """Returns the parts of the section on the machine; [] where nothing is known."""
    rows = [[code(name), code(value)] for name, value in setup.items() if value]
    if not rows:
        return []
    told = "The machine is that of the driver, in its last session."
    return ["## What it ran with", table(["what", "value"], rows), told]


def _training(
    data: Mapping[str, object], records: Sequence[TrialRecord], result: Result
) -> dict[str, str]:
    """Returns what the best recipe is trained with; of a study without one the default."""
    trial = result.best.trial if result.best is not None else DEFAULT_ID
    run = data.get("run")
    found = next((dict(one.best_recipe[0]) for one in records if one.id == trial), {})
    recipe = override(run if isinstance(run, Mapping) else {}, found)
    values = {key: look_up(recipe, key) for key in _RECIPE}
    told = {key: _shown(value) for key, value in values.items() if isinstance(value, _SCALARS)}
    if result.finals is not None:
        seeds = sorted({run.seed for one in result.finals.recipes for run in one.seeds})
        told["seeds of the final stage"] = ", ".join(map(str, seeds))
    return {**told, **_trainers(data)}


def _trainers(data: Mapping[str, object]) -> dict[str, str]:
    """Returns what a run had of the machine."""
    workers, cpus, gpus, trainers = (
        look_up(data, f"study.resources.{key}") for key in ("workers", "cpus", "gpus", "trainers")
    )
    if not (isinstance(workers, int) and isinstance(cpus, int) and isinstance(gpus, int | float)):
        return {}
    each = f"{count_of(workers, 'worker')} with {count_of(cpus, 'CPU')} and {gpus:g} GPU each"
    # Of a float such as 0.2 five fit, though not by the last bit.
    fit = math.floor(1 / gpus + 1e-9) if 0 < gpus <= 1 else 1
    most = min(fit, trainers) if isinstance(trainers, int) else fit
    return {"a run had": f"{each}; up to {most} runs shared a GPU" if most > 1 else each}


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _seeds(data: Mapping[str, object]) -> dict[str, str]:
    sections = {"run.seed": data.get("run"), "study.seed": data.get("study")}
    return {
        key: str(section["seed"])
        for key, section in sections.items()
        if isinstance(section, Mapping) and "seed" in section
    }


def _versions(folder: StudyFolder) -> dict[str, str]:
    remedy = "the report says nothing of versions"
    try:
        return read_kept(folder.path / "versions.json", dict[str, str], remedy=remedy) or {}
    except BrokenError as error:
        logger.warning("%s", error)
        return {}
