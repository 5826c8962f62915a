"""The training loop: a generator of `Report`s; closing it stops the run."""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from mtl_core.assets import Assets, inputs_of
from mtl_core.config import RunConfig
from mtl_core.model.weights_hash import weights_hash
from mtl_core.training.best import holds_best
from mtl_core.training.checkpoint import find_checkpoint, restore, save_checkpoint
from mtl_core.training.distributed import Place
from mtl_core.training.objectives.kinds import ObjectiveSection
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.progress import Listener
from mtl_core.training.report import Report
from mtl_core.training.run import Run
from mtl_core.training.take_over import take_over

logger = logging.getLogger(__name__)

_START = "the weights to begin with"


def train(
    config: RunConfig,
    *,
    objective: ObjectiveSection | None = None,
    checkpoint: Path | None = None,
    assets: Assets | None = None,
    on_progress: Listener | None = None,
    times_predictions: bool = False,
) -> Generator[Report, None, None]:
    """Trains one multi-task model; several workers call it alike and get the same reports.

    Args:
        config: The run.
        objective: What `combined` is; default: the mean of the main scores.
        checkpoint: Folder of the checkpoint. When it holds one of the same settings, objective and
            data, the run goes on from there, after yielding the reports that were already made. The
            numbers are those of a run that was never interrupted, bit by bit in fp32 on one CPU
            worker. The run keeps its precision, whatever `auto` would be here. From a damaged one
            the run begins anew.
        assets: Data and encoder of an earlier run with the same `assets_key`.
        on_progress: Called after every step with how far the epoch is; training waits for it.
        times_predictions: Whether its reports say how long a prediction takes, see `speed`.

    Yields:
        Its reports: one at the end of every epoch, and others within where the run says so.

    Raises:
        ConfigError: The configuration cannot be run.
        DataError: A data set cannot be used.
        TrainingError: The loss is not finite, or gradients are beyond fp16 at any loss scale.
    """
    objective = objective or Mean()
    assets = assets or Assets.load(config, device=Place.current().device)
    inputs = _inputs(config, objective, assets)
    run = _begin(config, objective, assets, checkpoint, inputs)
    # Before the first step: it takes as long with any weights.
    speed = run.ms_per_sentence() if times_predictions else None
    for report in _reports(run, partial(_save, run, checkpoint, inputs), on_progress):
        yield replace(report, ms_per_sentence=speed)


def _reports(run: Run, save: Callable[[], None], on_progress: Listener | None) -> Iterator[Report]:
    """Yields the reports of a run that were made before, then trains; saves before each."""
    yield from tuple(run.state.reports)
    config = run.config
    # From the epoch of the next report on: the checkpoint may lie within one.
    done = len(run.state.reports) // config.training.reports_per_epoch
    for epoch in range(done + 1, config.training.epochs + 1):
        for report in run.run_epoch(epoch, on_progress):
            save()
            yield report


def _begin(
    config: RunConfig,
    objective: ObjectiveSection,
    assets: Assets,
    checkpoint: Path | None,
    inputs: dict[str, str],
) -> Run:
    """Returns the run as its checkpoint left it, or a new one."""
    if checkpoint is None:
        return Run(config, objective, assets=assets)
    take_over(checkpoint, inputs, Place.current())
    # Before the run is made: precision shapes the state that the checkpoint is then loaded into.
    kept = find_checkpoint(checkpoint, inputs, Place.current())
    run = Run(config, objective, assets=assets, precision=kept.precision)
    restore(checkpoint, kept, run.state, epochs=config.training.epochs)
    return run


def recover_best(
    config: RunConfig,
    *,
    objective: ObjectiveSection,
    checkpoint: Path,
    assets: Assets,
    number: int,
) -> int:
    """Makes sure that a checkpoint holds the weights of the best report of a run that has ended.

    Where they are damaged or lost the run is trained again, up to that report; a warning says so.
    All workers call this together.

    Args:
        config: The run.
        objective: What `combined` is.
        checkpoint: Folder of the checkpoint.
        assets: Data and encoder of the run; models made of them before become unusable.
        number: The number of its best report.

    Returns:
        The report whose weights are there: another one where this machine computes other numbers.

    Raises:
        MtlError: The run cannot be trained again; see `train`.
    """
    place, best = Place.current(), number
    if all(place.gather(holds_best(checkpoint, number))):
        return number
    reports = train(config, objective=objective, checkpoint=checkpoint, assets=assets)
    with closing(reports):
        for report in reports:
            best = best if report.is_sample else report.best_number
            if report.number >= number:
                break
    if best != number and place.rank == 0:
        said = "%s: trained again, its best report is number %d and no longer %d"
        logger.warning(said, checkpoint, best, number)
    return best


def _inputs(config: RunConfig, objective: ObjectiveSection, assets: Assets) -> dict[str, str]:
    """Returns what shapes a run -> its content as text, or a hash of it."""
    start = assets.start
    weights = {} if start is None else {_START: weights_hash(start.model.state_dict())}
    return {
        "run": config.model_dump_json(),
        "objective": objective.model_dump_json(),
        **inputs_of(config, assets.data.datasets),
        **weights,
    }


def _save(run: Run, checkpoint: Path | None, inputs: dict[str, str]) -> None:
    if checkpoint is None:
        return
    # All workers hold the same state, so one writes it.
    if run.place.rank == 0:
        save_checkpoint(checkpoint, run.state, inputs=inputs)
    # Nobody goes on before the checkpoint stands: a run that is closed at a report can be resumed
    # from there.
    run.place.barrier()
