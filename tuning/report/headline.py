"""The head of a report: the verdict, what speaks against it, what it is made of, and the facts."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from mtl_core.markdown import plain
from tuning.records import TrialRecord
from tuning.report.claims import UNSEEN
from tuning.report.finals import count_runs
from tuning.report.gains import gains_sentence
from tuning.report.markdown import count_of, shell
from tuning.report.summary import StudySummary, Unfinished
from tuning.report.unfinished import how_far, known_so_far
from tuning.report.verdict import (
    against,
    cautions,
    combined,
    has_combined,
    on_test,
    verdict,
)
from tuning.study.final_scores import FinalScores
from tuning.study.openings import Opening
from tuning.study.result import Result


def headline(summary: StudySummary, openings: Sequence[Opening]) -> list[str]:
    """Returns the verdict in bold, what it is made of, what sharing brings, and the facts.

    Args:
        summary: What the report shows.
        openings: When test was opened for more trials than best and default.
    """
    result = summary.result
    best, default = result.best, result.default
    runs = count_runs(result.finals) if result.finals is not None else 0
    final = f" and {count_of(runs, 'run')} of the final stage" if runs else ""
    facts = (
        f"{count_of(len(summary.records), 'trial')}{final} in "
        f"{timedelta(seconds=round(result.seconds))} (h:mm:ss)"
        f"{_ended_by(result)}; objective on dev: {result.goal.objective}."
        f"{_precisions(summary.records)}"
    )
    is_scored = summary.unfinished is None or summary.unfinished.is_scored
    told = cautions(result, is_finished=is_scored, escaped=plain)
    warned = [f"**{text}**" for text in told]
    warned += [f"**{_opened(one)}**" for one in openings]
    # That a study is unfinished comes first: its best may still change.
    if summary.unfinished is not None:
        return [*_so_far(summary.unfinished, result), *warned, facts]
    compared = _comparison(best, default, result) if best and default else []
    paid = [gains_sentence(result.baselines)] if result.baselines else []
    return [f"**{verdict(result)}**", *warned, *compared, *paid, facts]


def _opened(opening: Opening) -> str:
    """Returns a sentence on a time that test was opened for trials."""
    count = len(opening.scores)
    return (
        f"Caution: test was opened for {count_of(count, 'trial')} on "
        f"{plain(opening.date)} (mtl evaluate --all): a trial that was chosen by these scores has "
        "no unseen test."
    )


def _comparison(best: FinalScores, default: FinalScores, result: Result) -> list[str]:
    """Returns a paragraph with both scores on dev and test."""
    # Of several objectives the verdict compares each, as it does behind a final stage.
    if best.scored_as == default.scored_as or result.goal.aim.tasks or result.finals is not None:
        return []
    sentences = [against("dev", combined(best.dev), combined(default.dev))]
    if has_combined(best.test) and has_combined(default.test):
        sentences.append(against("test", combined(best.test), combined(default.test)))
    found = on_test(best, default)
    if found is not None and found.where == UNSEEN:
        sentences.append(against(UNSEEN, found.best, found.default))
    return [" ".join(sentences)]


def _ended_by(result: Result) -> str:
    """Returns what ended the search, to stand behind its time."""
    if result.ended_by is None:
        return ""
    if result.ended_by == "sampler":
        return ", ended as the sampler has no more points"
    return f", ended by `study.{result.ended_by}`"


def _so_far(unfinished: Unfinished, result: Result) -> list[str]:
    """Returns how far an unfinished study is, how to go on, and what is known so far."""
    lines = [f"**{how_far(unfinished)}**"]
    if unfinished.state != "running":
        lines = [f"{lines[0]} Go on with:", shell(unfinished.go_on)]
    return [*lines, known_so_far(unfinished, result)]


def _precisions(records: Sequence[TrialRecord]) -> str:
    """Returns a sentence on what the trials were computed in; a caution when they differ."""
    # The last report: earlier ones may be of a version that kept no precision.
    found = Counter(record.reports[-1].precision for record in records if record.reports)
    found.pop("", None)
    if len(found) > 1:
        counts = ", ".join(f"{count} in {name}" for name, count in sorted(found.items()))
        return f" Caution: trials were computed in different precisions, {counts}."
    return "".join(f" Computed in {name}." for name in found)
