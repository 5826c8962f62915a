"""The weights of the best report of a run, in a file that says what they are and can be checked."""

import json
import logging
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mtl_core.checks import DamagedError
from mtl_core.errors import ConfigError
from mtl_core.files import whole_file
from mtl_core.model.autocast import Precision
from mtl_core.printable import one_line
from mtl_core.training.run_inputs import RunInputs

logger = logging.getLogger(__name__)

BEST = "best.safetensors"
_SAID, _SUM = "mtl", "crc32"
"""The key of the metadata, and that of the checksum in its value, which is JSON."""


@dataclass(frozen=True, slots=True)
class BestWeights:
    """The weights that a run had at its best report on all of dev.

    Attributes:
        weights: All that the pretrained encoder does not hold: name -> tensor on the CPU.
        precision: What the run computed in.
        number: The number of the report, from 1.
        inputs: What shaped the run.
    """

    weights: Mapping[str, Tensor]
    precision: Precision
    number: int
    inputs: RunInputs

    def of(self, inputs: RunInputs) -> "BestWeights":
        """Returns the same weights as those of a run that goes on with other inputs."""
        return replace(self, inputs=inputs)


def write_best(folder: Path, best: BestWeights) -> None:
    """Writes the file, whole or not at all."""
    said: dict[str, Any] = {
        "precision": best.precision,
        "number": best.number,
        "inputs": dict(best.inputs),
    }
    said[_SUM] = _checksum(best.weights, said)
    with whole_file(folder / BEST) as part:
        # One key: safetensors writes several in any order, and files of equal runs are equal.
        metadata = {_SAID: json.dumps(said, allow_nan=False)}
        save_file(dict(best.weights), part, metadata=metadata)


def has_best(folder: Path) -> bool:
    """Returns whether a folder holds whole weights; of damaged ones a warning says why."""
    if not os.path.lexists(folder / BEST):
        return False
    try:
        read_best(folder)
    except DamagedError as error:
        logger.warning("%s: damaged: %s; it is passed over", folder, error)
        return False
    return True


def holds_best(folder: Path, number: int) -> bool:
    """Returns whether a checkpoint folder holds the whole weights of a report."""
    try:
        return read_best(folder).number == number
    except DamagedError:
        return False


def read_best(folder: Path) -> BestWeights:
    """Reads the file, and checks it.

    Raises:
        DamagedError: It is missing, of another version, or not what was written.
    """
    path = folder / BEST
    # Whatever is no file is not opened: a pipe would wait for ever.
    if not path.is_file():
        raise DamagedError(f"{BEST} is {'no file' if path.exists() else 'missing'}")
    try:
        # It refuses sizes that are not those of the file.
        with safe_open(path, framework="pt") as file:
            said = json.loads((file.metadata() or {}).get(_SAID, "{}"))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        is_whole = said.pop(_SUM, None) == _checksum(weights, said)
    except (AttributeError, OSError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
        raise DamagedError(f"{BEST} cannot be read: {one_line(str(error)[:200])}") from error
    if not is_whole:
        raise DamagedError(f"{BEST} is not what was written, or of another version")
    # Old versions reported once an epoch, and said the epoch.
    number = said.get("number", said.get("epoch"))
    precision, inputs = said.get("precision"), said.get("inputs")
    is_known = precision in get_args(Precision) and isinstance(number, int)
    if not is_known or not isinstance(inputs, dict):
        raise DamagedError(f"{BEST} is of another version")
    return BestWeights(weights, precision, number, inputs)


def load_best(folder: Path, model: nn.Module, *, number: int | None = None) -> Precision:
    """Brings a model with pretrained weights to its best report; returns the run's precision.

    Args:
        folder: The checkpoint folder.
        model: The model of that run.
        number: The report that the weights have to be of; None = whichever it holds.

    Raises:
        ConfigError: There is no such file, or it is damaged or of another report.
    """
    try:
        best = read_best(folder)
    except DamagedError as error:
        raise ConfigError(
            f"{folder}: the weights of the best report are lost: {error}; train the run again"
        ) from error
    if number is not None and best.number != number:
        raise ConfigError(
            f"{folder / BEST}: expected the weights of report {number}, found those of report "
            f"{best.number}; train the run again"
        )
    copy_weights(model, best.weights)
    return best.precision


def copy_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copies parameters and buffers by name; the model has to have all of them."""
    # Not `load_state_dict`: frozen parameters are missing here, and keep what they are.
    own = model.state_dict()
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def _checksum(weights: Mapping[str, Tensor], said: Mapping[str, object]) -> int:
    """Returns the CRC-32 of all that a file holds: names, types, shapes, numbers, what is said."""
    names = sorted(weights)
    shapes = [[name, str(weights[name].dtype), list(weights[name].shape)] for name in names]
    total = zlib.crc32(json.dumps([shapes, sorted(said.items())]).encode())
    for name in names:
        flat = weights[name].contiguous().reshape(-1)
        total = zlib.crc32(flat.view(torch.uint8).numpy().data, total)
    return total
