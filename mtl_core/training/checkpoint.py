"""Checkpoints of a run: the latest state to go on from, and the weights of the best epoch.

They hold heads, pooling and those parameters of the encoder that train in some epoch; all others
are the pretrained ones, which every run loads anyway.
"""

import pickle
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mtl_core.errors import ConfigError
from mtl_core.files import whole_file
from mtl_core.model.autocast import Precision
from mtl_core.printable import one_line
from mtl_core.training.report import EpochReport
from mtl_core.training.run_inputs import RunInputs, difference
from mtl_core.training.state import RunState

_STATE = "state.pt"
_BEST = "best.safetensors"


def save_checkpoint(folder: Path, run: RunState, *, inputs: RunInputs) -> None:
    """Writes the state after an epoch; each file is written whole or not at all.

    Args:
        folder: The checkpoint folder; made when missing.
        run: The run.
        inputs: What shapes the run; `load_checkpoint` refuses a run with others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report = run.reports[-1]
    trained = trained_weights(run)
    if report.best_epoch == report.epoch:
        # Written first: killed between the two files, the run does this epoch again.
        with whole_file(folder / _BEST) as part:
            save_file(trained, part, metadata={"precision": run.precision})
    state = {
        # The key is older than the name `RunInputs`; checkpoints that exist have it.
        "recipe": dict(inputs),
        "model": trained,
        "weighting": run.weighting.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "schedule": run.schedule.state_dict(),
        "reports": [report.to_json() for report in run.reports],
        "loss_scale": None if run.scale is None else asdict(run.scale),
    }
    # To a file of Python's: torch's own says of a full disk that a position was not expected.
    with whole_file(folder / _STATE) as part, part.open("wb") as file:
        torch.save(state, file)


def load_checkpoint(folder: Path, run: RunState, *, inputs: RunInputs) -> None:
    """Brings a run to the state of its last checkpoint; does nothing when there is none.

    Call it before the first epoch: what makes the updates starts from the optimiser's state.

    Raises:
        ConfigError: The checkpoint is that of a run with other inputs (says which), or the file is
            something else, such as pickled code, which is not run.
    """
    path = folder / _STATE
    if not path.is_file():
        return
    try:
        # `weights_only` refuses pickled code: study folders are passed from hand to hand.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, OSError, RuntimeError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigError(f"{path}: not a checkpoint: {reason}; remove it to go on") from error
    if not isinstance(state, dict) or not isinstance(state.get("recipe"), dict):
        raise ConfigError(f"{path}: not a checkpoint: it holds no recipe; remove it to go on")
    found = difference(state["recipe"], inputs)
    if found is not None:
        raise ConfigError(
            f"{folder}: holds the checkpoint of another recipe: {found}; choose another folder, or "
            "remove it; a new run can begin with its weights: mtl train --init-from"
        )
    copy_weights(run.model, state["model"])
    run.weighting.load_state_dict(state["weighting"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.schedule.load_state_dict(state["schedule"])
    run.reports.extend(EpochReport.from_json(line) for line in state["reports"])
    # Never None where the run has a scale: a run keeps the precision that it was saved with.
    if run.scale is not None:
        for name, value in state["loss_scale"].items():
            setattr(run.scale, name, value)


def saved_precision(folder: Path) -> Precision | None:
    """Returns the precision of a checkpoint folder's run; None when there is no checkpoint.

    Raises:
        ConfigError: The checkpoint was written by another version, or is broken.
    """
    path = folder / _BEST
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            found = (file.metadata() or {}).get("precision")
    except (OSError, SafetensorError) as error:
        reason = one_line(str(error))
        raise ConfigError(f"{path}: not weights of a checkpoint: {reason}; remove it") from error
    for precision in get_args(Precision):
        if precision == found:
            return precision  # type: ignore[no-any-return]
    raise ConfigError(
        f"{folder}: the checkpoint names no precision, it was written by another version of mtl; "
        "choose another folder or remove it"
    )


def load_best(folder: Path, model: nn.Module) -> Precision:
    """Brings a model with pretrained weights to its best epoch; returns the run's precision.

    Raises:
        ConfigError: There is no checkpoint, or it was written by another version.
    """
    precision = saved_precision(folder)
    if precision is None:
        raise ConfigError(f"{folder}: there is no checkpoint ({_BEST})")
    copy_weights(model, load_file(folder / _BEST))
    return precision


def trained_weights(run: RunState) -> dict[str, Tensor]:
    """Returns the weights that the pretrained encoder does not hold, on the CPU, detached.

    Heads are always in it: one that does not train was drawn at random and cannot be had again,
    and some hold more than parameters (thresholds, means).
    """
    # The optimiser holds what trains in any epoch; `requires_grad` only tells of the current one.
    trained = {p for group in run.optimizer.param_groups for p in group["params"]}
    encoder = {
        f"encoder.{name}": parameter
        for name, parameter in run.model.encoder.named_parameters()
        if parameter in trained
    }
    others = {
        name: value
        for name, value in run.model.state_dict().items()
        if not name.startswith("encoder.")
    }
    # Safetensors refuses tensors that are not contiguous.
    return {name: t.detach().cpu().contiguous() for name, t in (encoder | others).items()}


def copy_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copies parameters and buffers by name; the model has to have all of them."""
    # Not `load_state_dict`: frozen parameters are missing here, and keep what they are.
    own = model.state_dict()
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)
