"""Donors: runs whose checkpoint another run goes on from; the files by which that is told.

A donor's state lies beside that of the run which is to go on from it, until the run is trained
again: `take_over` in `mtl_core.training.take_over` then makes it the run's own. Imports no torch.
"""

import json
import os
import re
import shutil
from pathlib import Path

from mtl_core.files import whole_file, write_json

DONOR = "donor.pt"
"""The state of the donor, in the checkpoint folder of the run that is to go on from it."""
ORIGIN = "taken_over.json"
"""Says in a checkpoint folder that the weights come from another run, and from which."""

HANDED_OVER = "handed_over"
"""The key of a state that is another run's: its weights are not those of its last report."""

MAY_DIFFER = (
    *(
        f"optimizer.{key}"
        for key in ("encoder_lr", "head_lr", "weight_decay", "warmup", "schedule", "clip_norm")
    ),
    "tasks.<name>.weight",
    "tasks.<name>.learning_rate",
)
"""Keys of `run` that may change when a run goes on from a checkpoint of another."""


def may_differ(key: str) -> bool:
    """Whether a dotted key of `run` may change when a run goes on from a checkpoint of another.

    Rates of the optimiser and weights of the tasks do: nothing that a checkpoint holds depends on
    them. All else shapes the weights, the state of the optimiser, or the data.
    """
    return re.sub(r"^tasks\.[^.]+\.", "tasks.<name>.", key) in MAY_DIFFER


def hand_over(state: Path, checkpoint: Path, donor: str, *, reports: int) -> None:
    """Puts the state of a donor into the checkpoint folder of a run that goes on from it.

    Does nothing when that was done before: the donor may have gone on since.

    Args:
        state: The donor's file; it may be replaced by a later one afterwards, and stays as it is.
        checkpoint: The folder.
        donor: Run id of the donor.
        reports: What both runs have reported.
    """
    said = {"donor": donor, "reports": reports}
    if _origin(checkpoint) == said:
        return
    if not (checkpoint / DONOR).exists():
        _copy(state, checkpoint / DONOR)
    # Last: it says that the state is there. No run goes on before that.
    write_json(checkpoint / ORIGIN, said)


def _origin(checkpoint: Path) -> object:
    try:
        return json.loads((checkpoint / ORIGIN).read_bytes())
    except (OSError, ValueError):  # Not there, or broken: it is written anew.
        return None


def _copy(state: Path, copy: Path) -> None:
    with whole_file(copy) as part:
        part.unlink()
        try:
            # A second name takes no room: the donor's next state is another file.
            os.link(state, part)
        except OSError:  # The file system has no such links.
            shutil.copyfile(state, part)
