"""What a report shows of a study, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtl_core.scores import ScoreTree
from tuning.records import TrialRecord, Value


@dataclass(frozen=True, slots=True)
class FinalScores:
    """A recipe and its scores, as it stands in result.json.

    Attributes:
        trial: Id of the trial.
        parameters: Dotted key of `run` -> value in effect.
        dev: Scores on the dev split, at the best epoch.
        test: Scores on the test split; None when it was not scored.
        precision: What it was computed in; empty when that is not known.
    """

    trial: str
    parameters: Mapping[str, Value]
    dev: ScoreTree
    test: ScoreTree | None = None
    precision: str = ""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """How far a study is that is not finished.

    Attributes:
        ended: Trials that ended.
        trials: Trials of the whole study.
        state: "running" while a driver works on it, else "interrupted".
        go_on: The command that goes on with it.
    """

    ended: int
    trials: int
    state: str
    go_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySummary:
    """What `render_report` shows of a study.

    Attributes:
        name: Name of the study.
        objective: Kind of the objective that `combined` stands for.
        folder: The study folder, as the user would type it.
        records: All trials; the first score of a task is taken as its main one.
        best: The best recipe; None when no trial reached a score.
        default: The study file's own recipe; None when it reached no score.
        seconds: Wall time of the study, over all its sessions.
        replay: The command that replays the best recipe.
        num_test_rows: What the test data are worth, in rows; see
            `tuning.trainers.scoring`. None leaves the noise unjudged.
        importances: Parameter -> share of the variation in score that it explains, in [0, 1].
        unfinished: Of a study that is not finished; `best` is then the best so far.
    """

    name: str
    objective: str
    folder: str
    records: Sequence[TrialRecord]
    best: FinalScores | None
    default: FinalScores | None
    seconds: float
    replay: str
    num_test_rows: int | None = None
    importances: Mapping[str, float] = field(default_factory=dict)
    unfinished: Unfinished | None = None
