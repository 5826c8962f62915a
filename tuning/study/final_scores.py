"""The scores of a recipe as `result.json` has them: on dev, on test, and how it was decoded."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from mtl_core.number_types import KEPT, Count, Score, Seconds
from mtl_core.scores import ScoreTree, only_finite
from mtl_core.training.decoded import Judged
from tuning.records import DECODED, TrialRecord, Value

Tests = Mapping[str, ScoreTree | None]
"""Run id -> scores on the test split; None where there is no test split."""


@dataclass(frozen=True, slots=True)
class FinalDecoding:
    """Settings of decoding that were found for the model of a trial, and what they change.

    Attributes:
        settings: Dotted key of `run` -> value.
        parameters: Name -> the same, as people are shown it.
        own: The recipe's own settings, likewise.
        judged: The objective on the half of dev that did not choose them.
        dev: The objective on all of dev with the recipe's own settings.
        test: Scores on test with the recipe's own settings; None when they are not known.
        tried: How many others were tried on the model.
        seconds: How long that took.
    """

    __pydantic_config__ = KEPT

    settings: Mapping[str, object]
    parameters: Mapping[str, Value]
    own: Mapping[str, Value]
    judged: Judged
    dev: Score
    test: ScoreTree | None
    tried: Count
    seconds: Seconds


@dataclass(frozen=True, slots=True)
class FinalScores:
    """A recipe and its scores; `result.json` has one for the best and one for the default.

    Attributes:
        trial: Id of the trial.
        parameters: Dotted key of `run` -> value in effect.
        dev: Scores on the dev split, at the best epoch.
        test: Scores on the test split; None when it was not scored.
        precision: What it was computed in; empty when that is not known.
        unseen: Scores on the rows of test that do not stand in train; None when no more rows stand
            there than by chance, or all.
        decoding: The settings of decoding that all these scores are with; None = the recipe's own.
    """

    __pydantic_config__ = KEPT

    trial: str
    parameters: Mapping[str, Value]
    dev: ScoreTree
    test: ScoreTree | None = None
    precision: str = ""
    unseen: ScoreTree | None = None
    decoding: FinalDecoding | None = None

    @property
    def scored_as(self) -> str:
        """What its scores on test are known by, see `TrialRecord.scored_as`."""
        return self.trial if self.decoding is None else f"{self.trial}{DECODED}"

    def to_json(self) -> dict[str, object]:
        """Returns what `result.json` holds of the recipe."""
        return {
            "trial": self.trial,
            "parameters": dict(self.parameters),
            "precision": self.precision,
            "dev": self.dev,
            "test": self.test,
            "unseen": self.unseen,
            "decoding": None if self.decoding is None else only_finite(asdict(self.decoding)),
        }


def unseen_of(*finals: FinalScores | None) -> Tests:
    """Returns the scores of recipes on the rows of test that do not stand in train."""
    return {final.scored_as: final.unseen for final in finals if final is not None}


def tests_of_others(tests: Tests, *finals: FinalScores | None) -> Tests:
    """Returns the test scores of all trials but these."""
    ours = {final.scored_as for final in finals if final is not None}
    return {run_id: scores for run_id, scores in tests.items() if run_id not in ours}


def dev_scores(record: TrialRecord) -> dict[str, float | Mapping[str, float]]:
    """Returns the dev scores of a trial at its best epoch, as `result.json` holds them."""
    report = record.best
    assert report is not None
    # `combined` first: readers take the first score for the one that counts.
    return {
        "combined": report.combined,
        "joint_accuracy": report.joint_accuracy,
        **report.dev,
    }


def final_scores(
    record: TrialRecord | None, tests: Tests, unseen: Tests | None = None
) -> FinalScores | None:
    """Returns the scores of a trial, with its test scores when they are known.

    Args:
        record: The trial; None = there is none.
        tests: Scores on test.
        unseen: Scores on the rows of test that do not stand in train.
    """
    if record is None or record.best is None:
        return None
    return FinalScores(
        record.id,
        dict(record.best_recipe[1]),
        dev_scores(record),
        tests.get(record.scored_as),
        record.best.precision,
        (unseen or {}).get(record.scored_as),
        _decoding(record, tests),
    )


def _decoding(record: TrialRecord, tests: Tests) -> FinalDecoding | None:
    found, own = record.decoded, record.as_trained.best
    if found is None or found.taken is None or found.judged is None or own is None:
        return None
    return FinalDecoding(
        found.taken.settings,
        found.taken.parameters,
        found.taken.own,
        found.judged,
        own.combined,
        tests.get(record.id),
        len(found.tried),
        found.seconds,
    )
