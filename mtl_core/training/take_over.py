"""Taking over: a run goes on from the checkpoint of another, with other rates and weights."""

import os
from pathlib import Path

from mtl_core.checks import DamagedError
from mtl_core.errors import ConfigError, TrainingError
from mtl_core.files import remove
from mtl_core.training.best import BEST, read_best, write_best
from mtl_core.training.distributed import Place
from mtl_core.training.donors import DONOR, HANDED_OVER, may_differ
from mtl_core.training.run_inputs import RunInputs, difference
from mtl_core.training.state_file import STATE, read_state, write_state


def take_over(folder: Path, inputs: RunInputs, place: Place) -> None:
    """Makes the state of a donor that lies in a checkpoint folder the state of the run there.

    Weights, optimiser and schedule become the donor's; the reports, and the weights of the best of
    them, stay the run's own. Does nothing where there is no donor. All workers call this together.

    Args:
        folder: The checkpoint folder of the run.
        inputs: What shapes the run from here on.
        place: This worker.

    Raises:
        ConfigError: The donor is a run that differs in more than rates and weights of tasks, or has
            not come as far.
        TrainingError: A file is damaged, so that there is nothing to go on from.
    """
    error: ConfigError | TrainingError | None = None
    if place.rank == 0:
        try:
            _take_over(folder, inputs)
        except (ConfigError, TrainingError) as raised:
            error = raised
    # The others wait for the state, and fail with the first.
    for found in place.gather(error):
        if found is not None:
            raise found


def _take_over(folder: Path, inputs: RunInputs) -> None:
    if not (folder / DONOR).is_file():
        return
    try:
        donor, own = read_state(folder, DONOR), read_state(folder)
        # A run that has only been scored on a sample of dev has none.
        best = read_best(folder) if os.path.lexists(folder / BEST) else None
    except DamagedError as error:
        raise TrainingError(f"{folder}: {error}; the run cannot go on from a donor") from error
    if own is None:
        raise TrainingError(f"{folder / STATE}: is lost; the run cannot go on from a donor")
    if donor is None or "model" not in donor:
        raise TrainingError(f"{folder / DONOR}: holds no state that a run can go on from")
    found = difference(donor["recipe"], inputs, passing=may_differ)
    if found is not None:
        raise ConfigError(
            f"{folder / DONOR}: holds the checkpoint of a run that differs in more than rates and "
            f"weights of tasks: {found}"
        )
    if len(donor["reports"]) != len(own["reports"]):
        raise ConfigError(
            f"{folder / DONOR}: holds the checkpoint of a run after {len(donor['reports'])} "
            f"reports, expected one after {len(own['reports'])}, as many as this run has made"
        )
    # The donor goes last: killed before that, all of this is done once more, to the same end.
    if best is not None:
        write_best(folder, best.of(inputs))
    own = {"recipe": dict(inputs), "reports": own["reports"], HANDED_OVER: True}
    write_state(folder, {**donor, **own})
    remove(folder / DONOR)
