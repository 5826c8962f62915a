"""Several studies side by side: what each found, what it took, and whether they can be compared."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from mtl_core.markdown import code
from mtl_core.scores import flatten, show_score
from mtl_core.training.report import epochs_text
from tuning.records import keys_of_all
from tuning.report.figures.progress import Order
from tuning.report.markdown import parameter_cell, table
from tuning.report.render import Section
from tuning.report.summary import StudySummary
from tuning.statistics.estimates import Estimate
from tuning.study.result import Result


@dataclass(frozen=True, slots=True)
class Compared:
    """A study among others.

    Attributes:
        name: What it is called: its own name, or its folder where two have the same.
        summary: What its report shows.
        state: Where it stands, "complete" for instance.
        inputs: What its results hang on -> a hash of it.
        order: The order in which reports were made.
    """

    name: str
    summary: StudySummary
    state: str
    inputs: Mapping[str, str]
    order: Order = ()


@dataclass(frozen=True, slots=True)
class BestScore:
    """A score that the best recipe of a study reached.

    Attributes:
        value: The score; with a final stage the mean over its runs.
        low: Low end of the 95 % interval of the mean; None without a final stage.
        high: High end of it; None likewise.
    """

    value: float
    low: float | None = None
    high: float | None = None


def comparison_sections(studies: Sequence[Compared]) -> list[Section]:
    """Returns what a comparison says of studies, in order; at least one."""
    parts = [
        "# Studies compared",
        *(f"**{text}**" for text in _cautions(studies)),
        _overview(studies),
    ]
    sections = [Section("studies", parts)]
    for split in ("dev", "test"):
        found = {one.name: reached_on(one.summary.result, split) for one in studies}
        if names := keys_of_all(found.values()):
            told = "The best recipe of each; in brackets the 95 % interval of a mean over seeds."
            rows = [
                [code(name), *(_score_cell(name, one.get(name)) for one in found.values())]
                for name in names
            ]
            header = ["score", *map(code, found)]
            heading = f"## Scores on {split}, in percent"
            sections.append(Section(split, [heading, table(header, rows), told]))
    return [*sections, _recipes(studies)]


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
            else BestScore(one.mean, one.low, one.high)
            for name, one in means.items()
        }
    if result.best is None:
        return {}
    scores = flatten(result.best.dev if split == "dev" else result.best.test, "/")
    return {name: BestScore(value) for name, value in scores.items()}


def _cautions(studies: Sequence[Compared]) -> Iterator[str]:
    """Yields a sentence for each reason why scores of these studies are not to be compared."""
    objectives = [one.summary.result.goal.objective for one in studies]
    if len(set(objectives)) > 1:
        told = _per_study(studies, lambda one: one.summary.result.goal.objective)
        yield f"Caution: `combined` is not the same number in each, the objectives differ: {told}."
    differ = [
        name
        for name in keys_of_all(one.inputs for one in studies)
        if len({one.inputs[name] for one in studies if name in one.inputs}) > 1
    ]
    if differ:
        named = ", ".join(map(code, differ))
        yield f"Caution: these have not the same content in each: {named}."
    tasks = [set(_tasks(one.summary)) for one in studies]
    if any(one != tasks[0] for one in tasks):
        told = _per_study(studies, lambda one: ", ".join(_tasks(one.summary)) or "none")
        yield f"Caution: the tasks differ: {told}."


def _per_study(studies: Sequence[Compared], tell: Callable[[Compared], str]) -> str:
    return "; ".join(f"{code(one.name)} {code(tell(one))}" for one in studies)


def _tasks(summary: StudySummary) -> list[str]:
    return keys_of_all(report.dev for one in summary.records for report in one.reports)


def _overview(studies: Sequence[Compared]) -> str:
    header = ["study", "state", "trials", "epochs", "time, h:mm:ss", "best", "dev", "test"]
    return table(header, [_overview_cells(one) for one in studies])


def _overview_cells(study: Compared) -> list[str]:
    records, result = study.summary.records, study.summary.result
    best = [reached_on(result, split).get("combined") for split in ("dev", "test")]
    return [
        code(study.name),
        study.state,
        str(len(records)),
        epochs_text(sum(record.progress for record in records)),
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
