"""Several studies side by side: what each found, what it took, and whether they can be compared."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from mtl_core.markdown import code
from mtl_core.scores import flatten, show_difference, show_score
from mtl_core.training.report import epochs_text
from tuning.records import keys_of_all
from tuning.report.claims import allowed_for, allows_for, interval_of, over_of
from tuning.report.comparable import Compared, content_notes, judged
from tuning.report.markdown import parameter_cell, table
from tuning.report.render import Section
from tuning.statistics.estimates import Estimate, Over
from tuning.study.result import Result


@dataclass(frozen=True, slots=True)
class BestScore:
    """A score that the best recipe of a study reached.

    Attributes:
        value: The score; with a final stage the mean over its runs.
        low: Low end of the 95 % interval of the mean; None without a final stage.
        high: High end of it; None likewise.
        over: What that allows for; None likewise.
    """

    value: float
    low: float | None = None
    high: float | None = None
    over: Over | None = None


def comparison_sections(studies: Sequence[Compared]) -> list[Section]:
    """Returns what a comparison says of studies, in order; at least one."""
    parts = [
        "# Studies compared",
        *(f"**{text}**" if text.startswith("Caution") else text for text in _notes(studies)),
        _overview(studies),
    ]
    sections = [Section("studies", parts)]
    for split in ("dev", "test"):
        found = {one.name: reached_on(one.summary.result, split) for one in studies}
        if names := keys_of_all(found.values()):
            heading = f"## Scores on {split}, in percent"
            sections.append(Section(split, [heading, *_scores(names, found)]))
    return [*sections, *_differences(studies), _recipes(studies)]


def _scores(names: Sequence[str], found: Mapping[str, Mapping[str, BestScore]]) -> list[str]:
    """Returns a table of scores, of each study, and how to read it."""
    overs = {
        name: [one[name].over if name in one else None for one in found.values()] for name in names
    }
    every = [over for some in overs.values() for over in some]
    is_sure = any(every)
    rows = [
        [
            code(name),
            *([allows_for(overs[name])] if is_sure else []),
            *(_score_cell(name, one.get(name)) for one in found.values()),
        ]
        for name in names
    ]
    header = ["score", *(["interval allows for"] if is_sure else []), *map(code, found)]
    told = "The best recipe of each."
    if is_sure:
        told = (
            "The best recipe of each; in brackets the 95 % interval of its mean over runs. That "
            "two of them overlap does not mean that the recipes are as good: that is told by the "
            "interval of their difference."
        )
    return [table(header, rows), told, *allowed_for(every)]


def _differences(studies: Sequence[Compared]) -> list[Section]:
    """Returns the section on the first study minus each other, where they had the same test."""
    first, *others = studies
    rows = [
        [
            f"{code(first.name)} - {code(other.name)}",
            code(one.score),
            show_difference(one.score, one.estimate.mean),
            interval_of(one),
            allows_for([over_of(one.estimate)]),
            one.claim,
        ]
        for other in others
        for one in judged(first, other)
    ]
    if not rows:
        return []
    header = ["difference", "score", "points", "95 % interval", "which allows for", "the first is"]
    told = (
        "The best recipe of the first study minus that of each other, on the same rows of test, by "
        "all runs of both."
    )
    return [Section("differences", ["## Differences on test", table(header, rows), told])]


def reached_on(result: Result, split: str) -> dict[str, BestScore]:
    """Returns flat name of a score, as "intent/accuracy" -> what the best recipe reached.

    Args:
        result: What a study found.
        split: "dev" or "test".
    """
    if result.finals is not None:
        best = result.finals.best
        means: Mapping[str, Estimate] = (best.dev if split == "dev" else best.test) or {}
        return {
            # Of a single run that has a score there is no interval.
            name: BestScore(one.mean)
            if math.isnan(one.low)
            else BestScore(one.mean, one.low, one.high, one.over)
            for name, one in means.items()
        }
    if result.best is None:
        return {}
    scores = flatten(result.best.dev if split == "dev" else result.best.test, "/")
    return {name: BestScore(value) for name, value in scores.items()}


def _notes(studies: Sequence[Compared]) -> Iterator[str]:
    """Yields a sentence for each reason why scores of these studies are not to be compared."""
    objectives = [one.summary.result.goal.objective for one in studies]
    if len(set(objectives)) > 1:
        told = _per_study(studies, lambda one: one.summary.result.goal.objective)
        yield f"Caution: `combined` is not the same number in each, the objectives differ: {told}."
    yield from content_notes(studies)
    tasks = [set(one.tasks) for one in studies]
    if any(one != tasks[0] for one in tasks):
        told = _per_study(studies, lambda one: ", ".join(one.tasks) or "none")
        yield f"Caution: the tasks differ: {told}."


def _per_study(studies: Sequence[Compared], tell: Callable[[Compared], str]) -> str:
    return "; ".join(f"{code(one.name)} {code(tell(one))}" for one in studies)


def _overview(studies: Sequence[Compared]) -> str:
    header = ["study", "state", "trials", "final runs", "epochs", "time, h:mm:ss"]
    header += ["best", "dev", "test"]
    return table(header, [_overview_cells(one) for one in studies])


def _overview_cells(study: Compared) -> list[str]:
    records, result = study.summary.records, study.summary.result
    best = [reached_on(result, split).get("combined") for split in ("dev", "test")]
    # What is trained alone is another study, which others share.
    finals = [one for one in result.behind if one.task is None]
    epochs = sum(record.progress for record in records) + sum(one.epochs for one in finals)
    return [
        code(study.name),
        study.state,
        str(len(records)),
        str(sum(one.runs for one in finals)),
        epochs_text(epochs),
        str(timedelta(seconds=round(result.seconds))),
        result.best.trial if result.best is not None else "-",
        *(_score_cell("combined", one) for one in best),
    ]


def _score_cell(name: str, found: BestScore | None) -> str:
    if found is None:
        return "-"
    if found.low is None or found.high is None:
        return show_score(name, found.value)
    ends = f"{show_score(name, found.low)} to {show_score(name, found.high)}"
    return f"{show_score(name, found.value)} ({ends})"


def _recipes(studies: Sequence[Compared]) -> Section:
    found = {
        one.name: dict(one.summary.result.best.parameters) if one.summary.result.best else {}
        for one in studies
    }
    rows = [
        [code(name), *(parameter_cell(one, name) for one in found.values())]
        for name in keys_of_all(found.values())
    ]
    header = ["parameter", *map(code, found)]
    return Section("recipes", ["## Best recipes", table(header, rows)])
