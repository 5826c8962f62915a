"""Messages between Tune's trials, the pool and the trainers: plain data, no tensors."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_core.training.decoded import Decoded, Tried
from mtl_core.training.progress import Progress
from mtl_core.training.report import Report

if TYPE_CHECKING:
    from mtl_core.card_data import About, RunSaid


@dataclass(frozen=True, slots=True)
class StudyRef:
    """To which of the studies that share trainers a run belongs.

    Attributes:
        name: Its name among them, "alone/intent" for instance; "" = the one that the trainers were
            started for. Workers know what each study trains and scores, see `WorkerSettings`.
        objective: Its objective as plain data, where it became known after trainers were started;
            None = as workers know it.
    """

    name: str = ""
    objective: Mapping[str, object] | None = None

    def key(self, run_id: str) -> str:
        """Returns what a run of the study is called among those of all studies."""
        return f"{self.name}/{run_id}" if self.name else run_id


OWN_STUDY = StudyRef()


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """One training run, be it a trial of the search or not.

    Attributes:
        id: What it is called in its study: "0007" for a trial, "final/0007/seed-1" for a run that
            is none. Names of folders, with "/" between them.
        overrides: Dotted key of `run` -> value.
        checkpoint: Folder of its checkpoint; the run starts from the one that is there.
        epochs: Budget: the run ends after this many epochs, or after those of its recipe if they
            are fewer; None = after those of its recipe. The learning rate's schedule always goes
            by the recipe.
        known: What settings of decoding were tried on the models of other trials.
        least_tries: Settings of decoding that are tried however long it takes.
        study: The study whose run it is.

    Raises:
        ValueError: The id could not be the path of a folder.
    """

    id: str
    overrides: dict[str, object]
    checkpoint: Path
    epochs: int | None = None
    known: tuple[Tried, ...] = ()
    least_tries: int = 0
    study: StudyRef = OWN_STUDY

    def __post_init__(self) -> None:
        """Refuses an id that would leave the study folder."""
        # Parts begin with a letter, digit or underline, so that none is "..", hidden or absolute.
        if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", self.id):
            raise ValueError(f"'{self.id}': not a run id: expected names of folders, with '/'")

    @property
    def key(self) -> str:
        """What it is called among the runs of all studies that share the trainers."""
        return self.study.key(self.id)


@dataclass(frozen=True, slots=True)
class TrainJob:
    """Train a run.

    Attributes:
        spec: The run.
        delivered: Reports that were passed on already; the trainer does not send them again,
            unless it is the last one, by which the run ends.
    """

    spec: TrialSpec
    delivered: int = 0


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """Score the best report of a run on test, and write its model when a folder is given.

    Attributes:
        spec: The run.
        export: Folder of the model.
        dev: Dev scores of that report, for the model's card.
        about: What its owner says of the model, for its card.
        number: Its number: where its weights are damaged or lost, the run is trained again.
            None = whichever the checkpoint holds.
        decoding: Settings of decoding that were found for its model: dotted key of `run` -> value.
        search_s: Seconds for which such settings are searched first, in the place of `decoding`;
            None = they are not searched.
        others: Scores of the other runs of the same recipe, for the card.
    """

    spec: TrialSpec
    export: Path | None
    dev: dict[str, float | Mapping[str, float]]
    about: "About | None" = None
    number: int | None = None
    decoding: Mapping[str, object] = field(default_factory=dict)
    search_s: float | None = None
    others: "Sequence[RunSaid]" = ()


# Compared by value: so the pool tells a job that is submitted again, after a lost answer, from
# another job of the same run.
Job = TrainJob | ScoreJob


@dataclass(frozen=True, slots=True)
class Reported:
    """A run has something to report.

    Attributes:
        report: The report.
        is_last: Whether the run ends with it.
    """

    report: Report
    is_last: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """A `ScoreJob` is done.

    Attributes:
        scores: None without any test split; without "combined" where a task that counts has none.
        worth_in_rows: Of how many rows of test the combined score is a share; see
            `Objective.worth_in_rows`. Where rows that do not stand in train are
            scored apart, the worth of those.
        unseen: Scores on the rows of test that do not stand in train; None when no more rows stand
            there than by chance, or all.
        own: What `scores` are with the recipe's own settings of decoding, where others were found;
            else None.
        decoded: What a search for such settings found, where there was one.
    """

    scores: dict[str, float | Mapping[str, float]] | None
    worth_in_rows: int
    unseen: dict[str, float | Mapping[str, float]] | None = None
    own: dict[str, float | Mapping[str, float]] | None = None
    decoded: Decoded | None = None

    @property
    def is_last(self) -> bool:
        """Always true: there is one for each job."""
        return True


@dataclass(frozen=True, slots=True)
class Failed:
    """A job cannot be done; `error` is a traceback or a sentence."""

    error: str

    @property
    def is_last(self) -> bool:
        """Always true: nothing comes after it."""
        return True


Message = Reported | Scored | Failed


@dataclass(frozen=True, slots=True)
class PoolAddress:
    """Where the actor of a pool is found.

    Attributes:
        name: Name of the actor.
        namespace: Ray's namespace that the actor is in.
    """

    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class TrainerStatus:
    """What a trainer does at a moment.

    Attributes:
        is_ready: Whether its workers have started.
        job: Key of the run that it works on; None while it waits for one.
        progress: Where that run stands; None while it loads data and encoder, and while it scores
            on test.
    """

    is_ready: bool
    job: str | None = None
    progress: Progress | None = None
