"""The verdict on a study: in a sentence whether the best recipe is better, and what speaks against.

Where rows of test stand in train, it is about the rows that do not, if those were scored.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeGuard

from mtl_core.data.notes import DataNote, leaks, percent
from mtl_core.scores import ScoreTree, flatten
from tuning.report.claims import KEEP_DEFAULT, NOT_SURE, ONE_RUN, UNSEEN, in_points
from tuning.report.finals import finals_verdict, judged_on
from tuning.report.front import front_verdict, limit_cautions
from tuning.report.markdown import percent as in_percent
from tuning.report.markdown import points
from tuning.statistics.estimates import Difference
from tuning.study.final_scores import FinalScores
from tuning.study.result import Result


class Compared(NamedTuple):
    """Scores of the best and of the default that are compared.

    Attributes:
        where: The rows that they are of, for a sentence.
        best: Combined score of the best.
        default: Combined score of the default.
    """

    where: str
    best: float
    default: float


def verdict(result: Result) -> str:
    """Returns in a sentence or a few whether the best is better than the default, and where."""
    best, default = result.best, result.default
    if best is None:
        return "No trial reached a score, so there is no best recipe."
    if result.finals is not None:
        return finals_verdict(result.finals, result.goal.aim.tasks)
    if result.goal.aim.tasks:
        return front_verdict(result)
    if default is None:
        return f"The best recipe is trial {best.trial}; the default has no score to compare."
    if best.scored_as == default.scored_as:
        return _default_stays(result)
    return _against_default(result, best, default)


def _default_stays(result: Result) -> str:
    """Returns what is said where the default is the best."""
    assert result.best is not None
    # Those that failed count: they were tried.
    others = sum(result.trials.values()) - 1
    named = f"the default recipe, trial {result.best.trial}"
    if others < 1:
        return f"Nothing was compared: {named}, is the only trial."
    return f"No other trial beats {named}, on dev: keep it."


def _against_default(result: Result, best: FinalScores, default: FinalScores) -> str:
    """Returns how the best compares with the default, by one run of each."""
    subject = f"The best recipe, trial {best.trial},"
    if best.trial == default.trial:
        subject = f"The default recipe, trial {best.trial}, decoded with settings that were found,"
    # A default that failed after an epoch with a score is not the best, though it may be higher.
    # Chosen by dev, the best looks better there than it is; test, which chose nothing, may differ.
    beats_on_dev = combined(best.dev) > combined(default.dev)
    on_dev = f"{subject} {'beats' if beats_on_dev else 'does not beat'} the default on dev"
    found = on_test(best, default)
    if found is None:
        return f"{on_dev}; on test they were not compared."
    judged = _judged(result, found)
    if judged is None:
        by = f"{points(found.best - found.default)} points"
        return f"{on_dev}; on {found.where} it is {by}, and {NOT_SURE}. {ONE_RUN}"
    sure = in_points(judged)
    match judged.claim:
        case "better":
            told = f"{' and' if beats_on_dev else ', but does'} on {found.where} ({sure})."
        case "worse":
            told = f"{', but' if beats_on_dev else ' and'} is worse on {found.where} ({sure})."
        case "cannot be told":
            told = f"; whether it is better cannot be told on {found.where} ({sure})."
    advice = "" if judged.claim == "better" else f" {KEEP_DEFAULT[judged.claim]}"
    return f"{on_dev}{told} {ONE_RUN}{advice}"


def _judged(result: Result, found: Compared) -> Difference | None:
    """Returns the difference on test with its interval; None where nobody can tell how sure it is.

    Where most of test is known from train, an interval would say that it holds for new rows.
    """
    if found.where != UNSEEN and leaks(result.notes, "test"):
        return None
    return next((one for one in result.differences if one.score == "combined"), None)


def on_test(best: FinalScores, default: FinalScores) -> Compared | None:
    """Returns the scores on test that count; None where a task that counts has none."""
    pairs = ((UNSEEN, best.unseen, default.unseen), ("test", best.test, default.test))
    for where, ours, theirs in pairs:
        if has_combined(ours) and has_combined(theirs):
            return Compared(where, combined(ours), combined(theirs))
    return None


def cautions(
    result: Result, *, is_finished: bool = True, escaped: Callable[[str], str] = str
) -> Iterator[str]:
    """Yields a sentence for what speaks against the result.

    That is limits which no trial holds, each of dev and test of which too many rows stand in train,
    and that the study went on after test had been opened.

    Args:
        result: What the study found.
        is_finished: Whether all its trials have ended, so that test was opened.
        escaped: Escapes the names of data sets for where the sentences stand.
    """
    yield from limit_cautions(result)
    yield from _reopened(result, escaped)
    best, default = result.best, result.default
    found = on_test(best, default) if best is not None and default is not None else None
    is_on_others = found is not None and found.where == UNSEEN
    if result.finals is not None:
        is_on_others = judged_on(result.finals) == {"unseen"}
    if is_finished and (of_test := leaks(result.notes, "test")):
        # The scores of all rows stand in the tables all the same.
        tail = (
            "the verdict is on the others"
            if is_on_others
            else "what is said of test holds for known rows, and tells little of new ones"
        )
        yield f"Caution: rows of test stand in train, too: {_shares(of_test, escaped)}; {tail}."
    if of_dev := leaks(result.notes, "dev"):
        yield (
            f"Caution: rows of dev stand in train, too: {_shares(of_dev, escaped)}; dev chose the "
            "recipe, which favours one that remembers."
        )


def _reopened(result: Result, escaped: Callable[[str], str]) -> Iterator[str]:
    """Yields a sentence when the study went on after test had been opened."""
    if len(result.choices) > 1:
        told = ", ".join(
            f"{escaped(one.date)} for recipe {escaped(one.chosen)}" for one in result.choices
        )
        yield (
            f"Caution: test was opened {len(result.choices)} times, on {told}: the study went on "
            "after its scores on test were known, and is no longer blind to them."
        )


def against(where: str, ours: float, theirs: float) -> str:
    """Returns a sentence with the combined scores of the best and the default on some rows."""
    return (
        f"On {where} it scores {in_percent(ours)} against {in_percent(theirs)} of the default: "
        f"{points(ours - theirs)} points."
    )


def has_combined(scores: ScoreTree | None) -> TypeGuard[ScoreTree]:
    """Returns whether there are scores for all tasks that count."""
    return scores is not None and "combined" in scores


def combined(scores: ScoreTree) -> float:
    """Returns the combined score."""
    return flatten(scores)["combined"]


def _shares(notes: list[DataNote], escaped: Callable[[str], str]) -> str:
    return ", ".join(
        f"{percent(note.count, note.of)} of {escaped(note.dataset)} ({note.count:,} of {note.of:,})"
        for note in notes
    )
