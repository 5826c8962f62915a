"""What is said of a study that is not finished: how far it is, what is missing, what test told."""

from collections.abc import Callable, Sequence

from mtl_core.markdown import code
from tuning.report.markdown import percent
from tuning.report.summary import Unfinished
from tuning.report.verdict import combined, verdict
from tuning.study.result import Result


def how_far(unfinished: Unfinished) -> str:
    """Returns a sentence on how far a study is."""
    done = f"{unfinished.ended} of {unfinished.trials} trials have ended"
    runs, ended = unfinished.runs
    if runs:
        done += f", and {ended} of {runs} runs of the final stage"
    if unfinished.state == "running":
        return f"This study is still running: {done}."
    return f"This study is not finished: {done}, and no driver runs."


def known_so_far(
    unfinished: Unfinished, result: Result, *, shown: Callable[[str], str] = code
) -> str:
    """Returns what is known of the best recipe and of test, and what is missing.

    Args:
        unfinished: How far the study is.
        result: What it has found so far.
        shown: Makes of the name of a task what stands in the sentence.
    """
    opened = f"test was opened on {' and on '.join(dict.fromkeys(unfinished.opened))}"
    if unfinished.is_scored:
        missing = _missing([shown(task) for task in unfinished.baselines])
        if unfinished.state != "running":
            missing = f"{missing}; the same command goes on"
        return f"{verdict(result)} {opened.capitalize()}; {missing}."
    if result.best is None:
        return "No trial has reported a score yet."
    last = "the final stage is over" if unfinished.runs[0] else "all trials have ended"
    on_test = f"test is opened when {last}"
    if unfinished.opened:
        on_test = f"{opened}, and what it told is shown when all is done"
    score = percent(combined(result.best.dev))
    return f"The best so far is trial {result.best.trial} with {score} on dev; {on_test}."


def unfinished_verdict(unfinished: Unfinished, result: Result) -> str:
    """Returns what is known of a study that is not finished as plain text, without Markdown."""
    told = known_so_far(unfinished, result, shown=lambda task: task)
    return f"{how_far(unfinished)} {told}"


def _missing(baselines: Sequence[str]) -> str:
    if not baselines:
        return "all is scored, and the result is still to be written"
    *first, last = baselines
    return f"the baselines of {', '.join(first)}{' and ' * bool(first)}{last} are still missing"
