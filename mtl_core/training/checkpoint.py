"""Checkpoints of a run: the latest state to go on from, and the weights of the best report.

They hold heads, pooling and those parameters of the backbone that train in some epoch; all others
are the pretrained ones, which every run loads anyway.

The state is written first. So, whenever a process dies, either both files belong together, or the
state is that of the best report, whose weights it holds itself. A damaged checkpoint counts as
none: runs are deterministic, and one that begins anew comes to the same reports.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from torch import Tensor

from mtl_core.checks import DamagedError
from mtl_core.errors import ConfigError, StorageError, TrainingError
from mtl_core.files import remove
from mtl_core.model.autocast import Precision
from mtl_core.training.best import (
    BEST,
    BestWeights,
    copy_weights,
    read_best,
    write_best,
)
from mtl_core.training.distributed import Place
from mtl_core.training.donors import HANDED_OVER, ORIGIN
from mtl_core.training.report import Report, best_report, is_best
from mtl_core.training.run_inputs import RunInputs, difference
from mtl_core.training.so_far import EpochSoFar
from mtl_core.training.state import RunState
from mtl_core.training.state_file import (
    BROKEN_CONTENT,
    STATE,
    no_checkpoint,
    read_state,
    write_state,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint as it was read.

    Attributes:
        state: What `save_checkpoint` wrote; None = the run begins anew.
        reports: Those that were made.
        precision: What the run computes in; None = nothing says so.
    """

    state: Mapping[str, Any] | None = None
    reports: Sequence[Report] = ()
    precision: Precision | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one worker makes of a checkpoint folder.

    Attributes:
        checkpoint: What it read.
        damage: Why the run has to begin anew; "" = it need not.
        lost: Why the weights of the best report are written again; "" = they need not be.
    """

    checkpoint: Checkpoint
    damage: str = ""
    lost: str = ""


def save_checkpoint(folder: Path, run: RunState, *, inputs: RunInputs) -> None:
    """Writes the state after a report; each file is written whole or not at all.

    Args:
        folder: The checkpoint folder; made when missing.
        run: The run.
        inputs: What shapes the run; `find_checkpoint` refuses a run with others.
    """
    _make_way(folder, is_folder=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (STATE, BEST):
        _make_way(folder / name, is_folder=False)
    report = run.reports[-1]
    trained = trained_weights(run)
    state = {
        # The key is older than the name `RunInputs`; checkpoints that exist have it.
        "recipe": dict(inputs),
        "model": trained,
        "weighting": run.weighting.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "schedule": run.schedule.state_dict(),
        "reports": [report.to_json() for report in run.reports],
        "loss_scale": None if run.scale is None else asdict(run.scale),
        "so_far": None if run.so_far is None else asdict(run.so_far),
    }
    write_state(folder, state)
    if is_best(report):
        write_best(folder, BestWeights(trained, run.precision, report.number, inputs))


def find_checkpoint(folder: Path, inputs: RunInputs, place: Place) -> Checkpoint:
    """Reads the checkpoint that a run goes on from; an empty one where there is none.

    One that is damaged counts as none, which is told in a warning. All workers call this together,
    and come to the same.

    Args:
        folder: The checkpoint folder; it may not be there.
        inputs: What shapes the run.
        place: This worker.

    Raises:
        ConfigError: The checkpoint is that of a run with other inputs (says which), or the state is
            something else, such as pickled code, which is not run.
        TrainingError: The run took over the checkpoint of another, and that is lost.
    """
    seen = _look(folder, inputs)
    kept = seen.checkpoint
    # One may read what another cannot, over a network for instance.
    all_seen = place.gather((seen.damage, kept.precision, len(kept.reports)))
    damage = next((damage for damage, _, _ in all_seen if damage), "")
    precision = next((precision for _, precision, _ in all_seen if precision), None)
    if not damage and len({count for _, _, count in all_seen}) > 1:
        damage = f"workers read {STATE} of different reports"
    if damage:
        _refuse_to_begin_anew(folder, damage)
        if place.rank == 0:
            logger.warning("%s: %s; the run begins anew", folder, damage)
        return Checkpoint(precision=precision)
    if kept.state is None:
        _refuse_to_begin_anew(folder, "its checkpoint is lost")
    if seen.lost and kept.state is not None and place.rank == 0:
        logger.warning("%s: %s; it is made anew from %s", folder, seen.lost, STATE)
        assert precision is not None
        number = kept.reports[-1].number
        write_best(folder, BestWeights(kept.state["model"], precision, number, inputs))
    return replace(kept, precision=precision)


def _refuse_to_begin_anew(folder: Path, reason: str) -> None:
    """Refuses it to a run of which the recipe alone does not tell how it came where it is."""
    if (folder / ORIGIN).exists():
        raise TrainingError(
            f"{folder}: {reason}; the run went on from the checkpoint of another one (see "
            f"{ORIGIN}), so its recipe alone would train another model"
        )


def finish_checkpoint(folder: Path) -> None:
    """Leaves of a run that is over its reports and the weights of its best one.

    Nothing goes on with the rest, which is the most of it: optimiser, and weights of the last
    report. The same run yields its reports once more, and trains nothing.
    """
    # It only frees room: on a full disk all stays as it is.
    with suppress(DamagedError, StorageError):
        state = read_state(folder)
        if state is not None and not _is_over(state):
            write_state(folder, {key: state[key] for key in ("recipe", "reports")})


def _is_over(state: Mapping[str, Any]) -> bool:
    return "model" not in state


def restore(folder: Path, checkpoint: Checkpoint, run: RunState, *, epochs: int) -> None:
    """Brings a run to the state of a checkpoint; does nothing with an empty one.

    Call it before the first epoch: what makes the updates starts from the optimiser's state.

    Args:
        folder: Where the checkpoint was found, for the error.
        checkpoint: What `find_checkpoint` returned.
        run: A new run of the same inputs.
        epochs: Epochs of the run.

    Raises:
        ConfigError: What is in it does not fit the run.
    """
    state = checkpoint.state
    if state is None:
        return
    if _is_over(state) and checkpoint.reports[-1].progress >= epochs:
        run.reports.extend(checkpoint.reports)
        return
    try:
        copy_weights(run.model, state["model"])
        run.weighting.load_state_dict(state["weighting"])
        _restore_optimizer(run, state)
        # Never None where the run has a scale: a run keeps the precision that it was saved with.
        if run.scale is not None:
            for name, value in state["loss_scale"].items():
                setattr(run.scale, name, value)
        # Old versions had no reports within epochs.
        so_far = state.get("so_far")
        run.so_far = None if so_far is None else EpochSoFar(**so_far)
    except BROKEN_CONTENT as error:
        raise no_checkpoint(folder / STATE, error) from error
    run.reports.extend(checkpoint.reports)


def _restore_optimizer(run: RunState, state: Mapping[str, Any]) -> None:
    # Rates and decay are those of the run's recipe: in a state that was taken over from another run
    # they are the other's. Where nothing was taken over they are the same numbers.
    schedule = run.schedule
    own = [(group["initial_lr"], group["weight_decay"]) for group in run.optimizer.param_groups]
    run.optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    schedule.base_lrs = [rate for rate, _ in own]
    groups = run.optimizer.param_groups  # Others than before.
    for group, (rate, decay), factor in zip(groups, own, schedule.lr_lambdas, strict=True):
        group.update(initial_lr=rate, weight_decay=decay, lr=rate * factor(schedule.last_epoch))


def trained_weights(run: RunState) -> dict[str, Tensor]:
    """Returns the weights that the pretrained encoder does not hold, on the CPU, detached.

    Heads are always in it: one that does not train was drawn at random and cannot be had again,
    and some hold more than parameters (thresholds, means).
    """
    # The optimiser holds what trains in any epoch; `requires_grad` only tells of the current one.
    trained = {p for group in run.optimizer.param_groups for p in group["params"]}
    whole = run.model.whole_names()
    # Not from `state_dict`, in which tied weights stand twice.
    pretrained = {
        name: parameter
        for name, parameter in run.model.named_parameters()
        if name in whole and parameter in trained
    }
    others = run.model.own_weights()
    # Safetensors refuses tensors that are not contiguous.
    return {name: t.detach().cpu().contiguous() for name, t in (pretrained | others).items()}


def _look(folder: Path, inputs: RunInputs) -> _Seen:
    """Looks at a checkpoint folder; one of another run is refused, be it damaged or not."""
    try:
        best, lost = read_best(folder), ""
        _refuse_others(folder, best.inputs, inputs)
    except DamagedError as error:
        best, lost = None, str(error)
    precision = best.precision if best is not None else None
    try:
        state = read_state(folder)
    except DamagedError as error:
        return _Seen(Checkpoint(precision=precision), damage=str(error))
    if state is None:
        is_new = not os.path.lexists(folder / BEST)
        damage = "" if is_new else lost or f"{STATE} is missing"
        return _Seen(Checkpoint(precision=precision), damage)
    _refuse_others(folder, state["recipe"], inputs)
    try:
        reports = [Report.from_json(line) for line in state["reports"]]
        last = reports[-1]
    except (ConfigError, *BROKEN_CONTENT) as error:
        raise no_checkpoint(folder / STATE, error) from error
    precision = precision or next((p for p in get_args(Precision) if p == last.precision), None)
    found = best_report(reports)
    number = found.number if found is not None else 0
    if best is not None and best.number != number:
        lost = f"{BEST} is of report {best.number} and not of the best, {number}"
    has_weights = is_best(last) and not _is_over(state) and HANDED_OVER not in state
    if lost and number > 0 and not has_weights:  # 0 = no report was worth keeping.
        return _Seen(Checkpoint(precision=precision), damage=lost)
    # The state of the best report holds its weights.
    return _Seen(Checkpoint(state, reports, precision), lost=lost if has_weights else "")


def _refuse_others(folder: Path, found: RunInputs, inputs: RunInputs) -> None:
    try:
        differing = difference(found, inputs)
    except BROKEN_CONTENT as error:
        raise no_checkpoint(folder / STATE, error) from error
    if differing is not None:
        raise ConfigError(
            f"{folder}: holds the checkpoint of another recipe: {differing}; choose another "
            "folder, or remove it; a new run can begin with its weights: mtl train --init-from"
        )


def _make_way(path: Path, *, is_folder: bool) -> None:
    """Renames what cannot be replaced by a file, or used as a folder: it may be anybody's."""
    if os.path.lexists(path) and path.is_dir() != is_folder:
        aside = path.with_name(f"{path.name}.damaged")
        remove(aside)
        path.rename(aside)
