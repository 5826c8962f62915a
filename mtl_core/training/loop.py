"""The training loop: a generator of one `EpochReport` per epoch; closing it stops the run."""

from collections.abc import Generator
from pathlib import Path

from mtl_core.assets import Assets, inputs_of
from mtl_core.config import RunConfig
from mtl_core.model.prefix_cache import weights_hash
from mtl_core.training.checkpoint import load_checkpoint, save_checkpoint, saved_precision
from mtl_core.training.objective import Mean, ObjectiveSection
from mtl_core.training.progress import Listener
from mtl_core.training.report import EpochReport
from mtl_core.training.run import Run

_START = "the weights to begin with"


def train(
    config: RunConfig,
    *,
    objective: ObjectiveSection | None = None,
    checkpoint: Path | None = None,
    assets: Assets | None = None,
    on_progress: Listener | None = None,
) -> Generator[EpochReport, None, None]:
    """Trains one multi-task model; several workers call it alike and get the same reports.

    Args:
        config: The run.
        objective: What `combined` is; default: the mean of the main scores.
        checkpoint: Folder of the checkpoint. When it holds one of the same settings, objective and
            data, the run goes on from there, after yielding the reports that were already made. The
            numbers are those of a run that was never interrupted, bit by bit in fp32 on one CPU
            worker. The run keeps its precision, whatever `auto` would be here.
        assets: Data and encoder of an earlier run with the same `assets_key`.
        on_progress: Called after every step with how far the epoch is; training waits for it.

    Yields:
        A report after every epoch.

    Raises:
        ConfigError: The configuration cannot be run.
        DataError: A data set cannot be used.
        TrainingError: The loss is not finite, or gradients are beyond fp16 at any loss scale.
    """
    # Read first: precision shapes the state that the checkpoint is then loaded into.
    precision = None if checkpoint is None else saved_precision(checkpoint)
    run = Run(config, objective or Mean(), assets=assets, precision=precision)
    inputs = _inputs(run)
    if checkpoint is not None:
        load_checkpoint(checkpoint, run.state, inputs=inputs)
    yield from tuple(run.state.reports)
    for epoch in range(len(run.state.reports) + 1, config.training.epochs + 1):
        report = run.run_epoch(epoch, on_progress)
        if checkpoint is not None:
            _save(run, checkpoint, inputs)
        yield report


def _inputs(run: Run) -> dict[str, str]:
    """Returns what shapes a run -> its content as text, or a hash of it."""
    start = run.assets.start
    weights = {} if start is None else {_START: weights_hash(start.model.state_dict())}
    return {
        "run": run.config.model_dump_json(),
        "objective": run.objective.model_dump_json(),
        **inputs_of(run.config, run.assets.data.datasets),
        **weights,
    }


def _save(run: Run, checkpoint: Path, inputs: dict[str, str]) -> None:
    # All workers hold the same state, so one writes it.
    if run.place.rank == 0:
        save_checkpoint(checkpoint, run.state, inputs=inputs)
    # Nobody goes on before the checkpoint stands: a run that is closed at a report can be resumed
    # from that epoch.
    run.place.barrier()
