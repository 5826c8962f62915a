"""What test has told of runs, and whose model is in best/: `scored.json`, written as it is known.

So nothing is scored twice, whenever a driver is killed, and each time that test was opened for
another choice is written down before it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

from mtl_core.files import write_json
from mtl_core.kept import BrokenError, read_kept
from mtl_core.number_types import KEPT, Count
from mtl_core.printable import one_line
from mtl_core.scores import only_finite
from tuning.records import DECODED, TrialRecord
from tuning.study.final_scores import FinalScores, Tests, unseen_of
from tuning.study.folder import StudyFolder
from tuning.study.named import Named, names_of_choices, names_of_tests, one_of
from tuning.study.openings import Choice
from tuning.study.result import Result
from tuning.trainers.messages import Scored


@dataclass(frozen=True, slots=True)
class Model:
    """Whose model is in best/.

    Attributes:
        run: Run id.
        decoding: Settings of decoding that were found for it: dotted key of `run` -> value.
    """

    __pydantic_config__ = KEPT

    run: str
    decoding: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, record: TrialRecord) -> "Model":
        """Returns that of a run, as it is decoded now."""
        return cls(record.id, dict(record.taken.settings) if record.taken is not None else {})


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is known of test.

    Attributes:
        tests: What a run is known by (`TrialRecord.scored_as`) -> its scores on test; None where
            there is no test split.
        unseen: The same -> its scores on the rows of test that do not stand in train.
        rows: Of how many rows of test the combined score is a share; 0 = nobody knows.
        model: Whose model is in best/; None = nobody's.
        choices: When test was opened, the oldest first.
    """

    __pydantic_config__ = KEPT

    tests: Tests = field(default_factory=dict)
    unseen: Tests = field(default_factory=dict)
    rows: Count = 0
    model: Model | None = None
    choices: tuple[Choice, ...] = ()

    def opened(self, date: str, chosen: str, scored: tuple[str, ...]) -> "Scoring":
        """Returns it with another time that test was opened; one that goes on is no other."""
        last = self.choices[-1] if self.choices else None
        if last is not None and last.chosen == chosen and set(scored) <= set(last.scored):
            return self
        return replace(self, choices=(*self.choices, Choice(date, chosen, scored)))

    def with_scores(self, record: TrialRecord, found: Scored) -> "Scoring":
        """Returns it with the scores of a run.

        Args:
            record: The run, decoded as it was scored.
            found: What was found.
        """
        tests, unseen = dict(self.tests), dict(self.unseen)
        if found.decoded is not None:  # What was found before is of other settings.
            tests.pop(f"{record.id}{DECODED}", None)
        if record.taken is not None:
            tests[record.id] = found.own
        tests[record.scored_as] = found.scores
        unseen[record.scored_as] = found.unseen
        # All runs have the same test data; where none is known now, the figure is known.
        return replace(self, tests=tests, unseen=unseen, rows=found.worth_in_rows or self.rows)


def read_scoring(folder: StudyFolder, result: Result) -> Scoring:
    """Returns what is known of test.

    Args:
        folder: The study folder.
        result: What its `result.json` holds, which is all that older versions kept.

    Raises:
        BrokenError: The file is broken.
    """
    remedy = (
        "put it back from a copy, or remove it: what result.json tells of test is kept, and what "
        "it lacks is scored again"
    )
    found = read_kept(folder.scored, Scoring, remedy=remedy)
    if found is None:
        return _of_result(result)
    if (wrong := next(_wrong(found), None)) is not None:
        text = f"{folder.scored}: a file of the study is broken: {wrong}; {remedy}"
        raise BrokenError(one_line(text))
    return found


def _wrong(found: Scoring) -> Iterator[str]:
    """Yields where it names what is no id, or is not named elsewhere in it."""
    names = [
        *names_of_tests("tests", found.tests),
        *names_of_tests("unseen", found.unseen),
        *names_of_choices(found.choices),
        *([Named("model.run", found.model.run, "run")] if found.model is not None else []),
    ]
    yield from (wrong for one in names if (wrong := one.wrong) is not None)
    for run_id in found.unseen:
        yield from one_of(f"unseen.{run_id}", run_id, list(found.tests))
    if found.model is not None:
        scored = [run_id.removesuffix(DECODED) for run_id in found.tests]
        yield from one_of("model.run", found.model.run, list(dict.fromkeys(scored)))


def write_scoring(folder: StudyFolder, scoring: Scoring) -> None:
    """Writes the file."""
    write_json(folder.scored, only_finite(asdict(scoring)))


def _of_result(result: Result) -> Scoring:
    return Scoring(
        tests=result.tests,
        unseen=unseen_of(result.best, result.default),
        rows=result.test_rows or 0,
        model=_model_of(result.best) if result.finals is None else None,
        choices=tuple(result.choices),
    )


def _model_of(best: FinalScores | None) -> Model | None:
    if best is None:
        return None
    return Model(best.trial, dict(best.decoding.settings) if best.decoding is not None else {})
