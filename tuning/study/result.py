"""The result of a study: `result.json` as a typed value."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from pydantic import BaseModel

from mtl_core.data.notes import DataNote
from mtl_core.files import write_json
from mtl_core.kept import read_kept
from mtl_core.number_types import KEPT, Count, Seconds
from mtl_core.scores import ScoreTree, only_finite
from tuning.records import EndedBy
from tuning.study.final_scores import FinalScores, Tests, tests_of_others
from tuning.study.finals import Finals
from tuning.study.folder import StudyFolder
from tuning.study.gains import Baseline, Baselines
from tuning.study.openings import Choice
from tuning.study.reached import Reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a study found, as `result.json` holds it.

    Attributes:
        trials: How many trials ended in each way.
        seconds: Wall time of all sessions of the study together, in seconds with two decimals.
        best: The best recipe; None when no trial reached a score.
        default: The study file's own recipe; None when it reached no score.
        test_rows: What the test data are worth, in rows; see `tuning.trainers.scoring`. None
            leaves the noise unjudged.
        ended_by: What ended the search; None of one that has not ended, or from before it was kept.
        notes: What a user should know of the data, the most important first.
        earlier_tests: Scores on test of trials that were the best once: it is opened once for each.
            Behind a final stage those of its runs as well.
        goal: The objective, and what was reached of several and of limits.
        finals: What the final stage found; None without one. `best` is then the trial of the
            recipe that it chose, and the scores that count are those of `finals`: of the
            checkpoint of a trial no scores on test stand in `best` and `default`.
        choices: When test was opened for what dev had chosen, the oldest first; once, unless the
            study went on after that.
        baselines: Each task that counts beside the same task alone; None of a study without
            baselines.
    """

    trials: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    best: FinalScores | None = None
    default: FinalScores | None = None
    test_rows: int | None = None
    ended_by: EndedBy | None = None
    notes: Sequence[DataNote] = ()
    earlier_tests: Tests = field(default_factory=dict)
    goal: Reached = field(default_factory=Reached)
    finals: Finals | None = None
    baselines: Baselines | None = None
    choices: Sequence[Choice] = ()

    @property
    def status(self) -> str:
        """Either "complete", or "failed" when no trial reached a score."""
        return "complete" if self.best is not None else "failed"

    @property
    def model(self) -> str | None:
        """Id of the run whose model stands in best/."""
        if self.finals is not None:
            return self.finals.model
        return self.best.trial if self.best is not None else None

    @property
    def tests(self) -> Tests:
        """The test scores of all runs that were scored."""
        if self.finals is not None:  # Then none stands with the trials of the two recipes.
            return self.earlier_tests
        # The scores of these two stand with their recipes; `earlier_tests` has all others.
        finals = [final for final in (self.best, self.default) if final is not None]
        return {**self.earlier_tests, **{final.scored_as: final.test for final in finals}}

    def to_json(self) -> dict[str, object]:
        """Returns the content of `result.json`."""
        # `status`, `model` and `tests` are derived, and written for the scripts that read the file.
        return {
            "status": self.status,
            "trials": self.trials,
            "ended_by": self.ended_by,
            "seconds": self.seconds,
            "best": self.best.to_json() if self.best is not None else None,
            "default": self.default.to_json() if self.default is not None else None,
            "objective": self.goal.objective,
            "test_rows": self.test_rows,
            "notes": [note.to_json() for note in self.notes],
            "model": self.model,
            "tests": self.tests,
            "goal": self.goal.to_json(),
            "finals": None if self.finals is None else only_finite(asdict(self.finals)),
            "choices": [asdict(one) for one in self.choices],
            "baselines": None
            if self.baselines is None
            else {task: only_finite(asdict(one)) for task, one in self.baselines.items()},
        }


class _Kept(BaseModel):
    """The keys of `result.json`; what an older one lacks gets its default."""

    model_config = KEPT

    status: Literal["complete", "failed"] = "failed"
    trials: dict[str, Count] = {}
    seconds: Seconds = 0.0
    ended_by: EndedBy | None = None
    best: FinalScores | None = None
    default: FinalScores | None = None
    objective: str = ""
    test_rows: Count | None = None
    notes: tuple[DataNote, ...] = ()
    model: str | None = None
    tests: dict[str, ScoreTree | None] = {}
    goal: Reached | None = None
    finals: Finals | None = None
    baselines: dict[str, Baseline] | None = None
    choices: tuple[Choice, ...] = ()


def read_result(folder: StudyFolder) -> Result:
    """Returns what `result.json` of a study folder holds; an empty result when there is none yet.

    Raises:
        BrokenError: The file is broken.
    """
    remedy = (
        "put it back from a copy, or remove it and give `mtl tune` again, which scores the best "
        "recipe and the default on test again"
    )
    kept = read_kept(folder.result, _Kept, remedy=remedy)
    if kept is None:
        return Result()
    return Result(
        trials=kept.trials,
        seconds=kept.seconds,
        ended_by=kept.ended_by,
        best=kept.best,
        default=kept.default,
        test_rows=kept.test_rows,
        notes=kept.notes,
        earlier_tests=kept.tests
        if kept.finals is not None
        else tests_of_others(kept.tests, kept.best, kept.default),
        # Results of old versions have the kind alone.
        goal=kept.goal or Reached(objective=kept.objective),
        finals=kept.finals,
        choices=kept.choices,
        baselines=kept.baselines,
    )


def write_result(folder: StudyFolder, result: Result) -> None:
    """Writes `result.json`."""
    write_json(folder.result, result.to_json())
