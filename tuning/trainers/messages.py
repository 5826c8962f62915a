"""What passes between Tune's trials, the pool and the trainers; plain data, nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mtl_core.training.progress import Progress


@dataclass(frozen=True, slots=True)
class TrialJob:
    """Train one trial.

    Attributes:
        number: The trial.
        overrides: Dotted key of `run` -> value.
        checkpoint: Folder of its checkpoint.
        delivered: Reports that Tune already has; the trainer does not send them again.
    """

    number: int
    overrides: dict[str, object]
    checkpoint: Path
    delivered: int = 0


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """Score the best epoch of a trial on test, and write its model when a folder is given.

    Attributes:
        number: The trial.
        overrides: Dotted key of `run` -> value.
        checkpoint: Folder of its checkpoint.
        export: Folder of the model.
        dev: Dev scores of that epoch, for the model's card.
    """

    number: int
    overrides: dict[str, object]
    checkpoint: Path
    export: Path | None
    dev: dict[str, float | Mapping[str, float]]


Job = TrialJob | ScoreJob


@dataclass(frozen=True, slots=True)
class Reported:
    """A trial ended an epoch; `line` is the `EpochReport` as JSON."""

    line: str
    is_last: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """A `ScoreJob` is done.

    Attributes:
        scores: None without any test split; without "combined" where a task that counts has none.
        worth_in_rows: Of how many rows of test the combined score is a share; see
            `tuning.report.statistics`.
    """

    scores: dict[str, float | Mapping[str, float]] | None
    worth_in_rows: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A job cannot be done; `error` is a traceback or a sentence."""

    error: str


Message = Reported | Scored | Failed


@dataclass(frozen=True, slots=True)
class TrainerStatus:
    """What a trainer does at a moment.

    Attributes:
        is_ready: Whether its workers have started.
        job: Number of the trial that it works on; None while it waits for one.
        progress: Where the training run of that trial stands; None while it loads data and
            encoder, and while it scores on test.
    """

    is_ready: bool
    job: int | None = None
    progress: Progress | None = None
