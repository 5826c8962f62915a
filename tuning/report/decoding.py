"""The part of a report on settings of decoding, which were searched without training."""

from collections.abc import Iterator, Sequence

from mtl_core.markdown import code
from tuning.records import TrialRecord, keys_of_all
from tuning.report.markdown import parameter_cell, percent, points, table
from tuning.report.verdict import combined, has_combined
from tuning.study.final_scores import FinalDecoding, FinalScores


def decoding_section(best: FinalScores | None, records: Sequence[TrialRecord]) -> list[str]:
    """Returns what was found, what it gains and what it took; nothing where nothing was searched.

    Args:
        best: The best recipe; None when no trial reached a score.
        records: All trials.
    """
    searched = [record.decoded for record in records if record.decoded is not None]
    if best is None or not searched:
        return []
    tried, seconds = sum(len(one.tried) for one in searched), sum(one.seconds for one in searched)
    trained = sum(record.seconds for record in records)
    cost = (
        f"Searched without training, on the models of {len(searched)} of {len(records)} trials: "
        f"{tried} setting{'s' if tried != 1 else ''} in {seconds:.1f} s"
    )
    share = f", {100 * seconds / trained:.1f} % of the time of all trials." if trained else "."
    found = best.decoding
    if found is None:
        said = [
            "On the best model no others beat the recipe's own on the half of dev that did not "
            "choose them, so these stay."
        ]
    else:
        said = [_table(found), " ".join(_gains(best, found))]
    return ["## Settings of decoding", f"{cost}{share}", *said]


def _table(found: FinalDecoding) -> str:
    rows = [
        [code(name), parameter_cell(found.parameters, name), parameter_cell(found.own, name)]
        for name in keys_of_all([found.parameters, found.own])
    ]
    return table(["parameter", "found", "own"], rows)


def _gains(best: FinalScores, found: FinalDecoding) -> Iterator[str]:
    """Yields a sentence for each of what judges the settings that were found."""
    half = found.judged
    where = f"the {half.rows:,} examples of dev that did not choose them"
    yield _gain(where, half.after, half.before)
    yield _gain("all of dev", combined(best.dev), found.dev)
    if has_combined(best.test) and has_combined(found.test):
        yield _gain("test", combined(best.test), combined(found.test))


def _gain(where: str, now: float, before: float) -> str:
    return (
        f"On {where} the model scores {percent(now)} with them against {percent(before)} with the "
        f"recipe's own: {points(now - before)} points."
    )
