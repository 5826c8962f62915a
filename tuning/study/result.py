"""The result of a study: `result.json` as a typed value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from pydantic import BaseModel

from mtl_core.data.notes import DataNote
from mtl_core.files import write_json
from mtl_core.kept import BrokenError, read_kept
from mtl_core.number_types import KEPT, Count, Seconds
from mtl_core.printable import one_line
from mtl_core.scores import ScoreTree, only_finite
from tuning.records import DEFAULT_ID, EndedBy
from tuning.statistics.estimates import Difference
from tuning.study.final_scores import FinalScores, Tests, tests_of_others
from tuning.study.finals import Finals
from tuning.study.folder import StudyFolder
from tuning.study.gains import Baseline, Baselines
from tuning.study.history import History
from tuning.study.named import (
    Named,
    names_of_baselines,
    names_of_choices,
    names_of_finals,
    names_of_goal,
    names_of_tests,
    one_of,
    wrong_in_baselines,
    wrong_in_finals,
    wrong_in_goal,
)
from tuning.study.openings import Choice
from tuning.study.reached import Reached
from tuning.study.trained import Trained

REMEDY = (
    "put it back from a copy, or remove it and give `mtl tune` again, which scores the best "
    "recipe and the default on test again"
)
"""What to do about a broken result."""


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
        differences: The best minus the default on test, of the one run each that the search has;
            none behind a final stage, which has its own, and where no interval is known. Computed
            anew from what the runs keep, and not in `result.json`.
        behind: What was trained behind the search; computed anew likewise.
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
    differences: Sequence[Difference] = ()
    behind: Sequence[Trained] = ()

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
    def names(self) -> Iterator[Named]:
        """What it names of trials, recipes and runs, with the key where each stands."""
        for key, one in (("best", self.best), ("default", self.default)):
            if one is not None:
                yield Named(f"{key}.trial", one.trial)
        yield from names_of_tests("tests", self.earlier_tests)
        yield from names_of_goal(self.goal)
        yield from names_of_finals(self.finals)
        yield from names_of_choices(self.choices)
        yield from names_of_baselines(self.baselines)

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
    """The keys of `result.json`; those that every version wrote have to be there."""

    model_config = KEPT

    status: Literal["complete", "failed"]
    trials: dict[str, Count]
    best: FinalScores | None
    seconds: Seconds = 0.0
    ended_by: EndedBy | None = None
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
        BrokenError: The file is broken, or does not go with itself.
    """
    kept = read_kept(folder.result, _Kept, remedy=REMEDY)
    if kept is None:
        return Result()
    found = Result(
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
    if (wrong := next(_wrong(found, kept), None)) is not None:
        raise _broken(folder, wrong)
    return found


def _wrong(result: Result, kept: _Kept) -> Iterator[str]:
    """Yields where a result does not go with itself, the forms of its ids first."""
    yield from (wrong for one in result.names if (wrong := one.wrong) is not None)
    yield from one_of("status", kept.status, [result.status])
    if result.default is not None:
        yield from one_of("default.trial", result.default.trial, [DEFAULT_ID])
    yield from wrong_in_finals(result.finals, result.best)
    yield from wrong_in_goal(result.goal, result.best, result.finals)
    yield from wrong_in_baselines(result.baselines, result.best, result.finals)
    # All else is known to agree, so there is a run whose model stands in best/.
    if kept.model is not None:
        yield from one_of("model", kept.model, [result.model] if result.model is not None else [])


def check_named(folder: StudyFolder, result: Result, history: History) -> None:
    """Refuses a result that names trials of which the journal does not know.

    Args:
        folder: The study folder.
        result: What its `result.json` holds.
        history: Its trials, by the journal.

    Raises:
        BrokenError: There is such a trial.
    """
    for one in result.names:
        if one.is_own and history.get(one.trial) is None:
            raise _broken(
                folder,
                f"{one.place}: there is no trial {one.trial}; {folder.journal.name} has "
                f"{len(history)} trials",
            )


def _broken(folder: StudyFolder, wrong: str) -> BrokenError:
    text = f"{folder.result}: a file of the study is broken: {wrong}; {REMEDY}"
    return BrokenError(one_line(text))


def write_result(folder: StudyFolder, result: Result) -> None:
    """Writes `result.json`."""
    write_json(folder.result, result.to_json())
