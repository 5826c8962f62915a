"""How the tasks of a study pulled on what they share, gathered from the reports of its trials."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from mtl_core.training.report import Report
from tuning.records import TrialRecord
from tuning.statistics.estimates import Estimate
from tuning.statistics.seeds import RunScores, estimates
from tuning.study.grouping import Grouping, best_grouping

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sharing:
    """What looks at the tasks have seen, over the trials of a study.

    Attributes:
        tasks: Those that train, in the order of the study file; two at least.
        runs: Trials that were looked at.
        cosines: Two tasks, each pair once -> cosine of their gradients on what they share.
        affinities: Task whose step it is, task whose loss it is -> what the one takes off the
            other, as a share of the loss; of a task and itself as well.
        grouping: Which tasks should train together; None where nothing can be said.
    """

    tasks: tuple[str, ...]
    runs: int
    cosines: Mapping[Pair, Estimate]
    affinities: Mapping[Pair, Estimate]
    grouping: Grouping | None


def sharing_of(records: Iterable[TrialRecord]) -> Sharing | None:
    """Returns what was seen in trials that ran all their epochs, or in all where there are none.

    Of a trial it is the mean over its epochs; of the study the mean over its trials, with the
    interval that they give. It holds for the recipes that were tried, good and bad.

    Args:
        records: The trials; those without looks (`training.gradients_every`) are passed over.

    Returns:
        None where no two tasks were looked at.
    """
    looked = [one for one in records if any(report.gradients for report in one.reports)]
    # A trial that was stopped has seen the first epochs alone, in which rates are highest.
    chosen = [one for one in looked if one.status == "complete"] or looked
    runs = [_means(one.reports) for one in chosen]
    tasks = _tasks(chosen, runs)
    if len(tasks) < 2:
        return None
    affinities = [_pairs(run, "affinity", product(tasks, tasks)) for run in runs]
    cosines = _estimates([_pairs(run, "cosine", combinations(tasks, 2)) for run in runs])
    return Sharing(
        tasks,
        len(runs),
        {pair: cosine.within(-1, 1) for pair, cosine in cosines.items()},
        _estimates(affinities),
        best_grouping(tasks, affinities),
    )


def _means(reports: Sequence[Report]) -> dict[str, float]:
    """Returns name -> mean over the epochs of a run, as `Report.gradients` has them."""
    # Reports within an epoch hold its looks so far, so the last one holds all of them.
    epochs = {report.epoch: report.gradients for report in reports}
    seen: dict[str, list[float]] = {}
    for gradients in epochs.values():
        for name, value in gradients.items():
            seen.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in seen.items()}


def _tasks(records: Sequence[TrialRecord], runs: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    looked_at = {name for run in runs for name in run if name.startswith("norm/")}
    order = dict.fromkeys(name for record in records for name in record.reports[-1].dev)
    return tuple(name for name in order if f"norm/{name}" in looked_at)


def _pairs(run: Mapping[str, float], what: str, pairs: Iterable[Pair]) -> dict[Pair, float]:
    found = {pair: run.get(f"{what}/{pair[0]}/{pair[1]}") for pair in pairs}
    return {pair: value for pair, value in found.items() if value is not None}


def _estimates(runs: Sequence[Mapping[Pair, float]]) -> dict[Pair, Estimate]:
    """Returns pair -> mean over the runs that have seen it."""
    pairs = dict.fromkeys(pair for run in runs for pair in run)
    return {
        pair: estimates([RunScores({"seen": run[pair]}) for run in runs if pair in run])["seen"]
        for pair in pairs
    }
