"""The goal of a study: by what its trials are compared, and which of them is the best.

One number (`combined`), or the main scores of several tasks; within limits that a study may set.
All is known from reports, so nothing of a model has to be imported.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mtl_core.number_types import KEPT
from mtl_core.scores import main_scores
from mtl_core.training.report import Report, best_report
from tuning.records import TrialRecord, order_of, rank

FLOORS = "floors"
"""How the name of a limit begins that is a least score of a task, as in "floors.intent"."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What makes one trial better than another.

    A trial that holds all limits is better than any that does not; of those that do not, the one
    that misses least (Deb 2000, https://doi.org/10.1016/S0045-7825(99)00389-8).

    Attributes:
        tasks: Tasks whose main scores are objectives of their own, at least two; none = there is
            one objective, `combined`.
        floors: Task -> least score of the trial that is chosen from the front.
        limits: What is limited -> its limit: "parameters", "trained_parameters" and
            "ms_per_sentence", at most; "floors.<task>", the main score on dev, at least.
        is_gain: Whether `combined` may lie beyond the ends of the main scores of tasks.
    """

    __pydantic_config__ = KEPT

    tasks: tuple[str, ...] = ()
    floors: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    is_gain: bool = False

    def values(self, report: Report) -> tuple[float, ...]:
        """Returns the values of the objectives, higher is better; NaN where a score is missing."""
        if not self.tasks:
            return (report.combined,)
        found = main_scores(report.dev)
        return tuple(found[task][1] if task in found else math.nan for task in self.tasks)

    def measured(self, reports: Sequence[Report]) -> dict[str, float]:
        """Returns what is limited -> what a run has of it; {} before its first score.

        Scores are those of its best report; of the numbers of parameters the greatest counts.
        """
        best = best_report(reports)
        if best is None:
            return {}
        known = {
            "parameters": max(report.parameters for report in reports),
            "trained_parameters": max(sum(report.trained.values()) for report in reports),
            "ms_per_sentence": math.nan if best.ms_per_sentence is None else best.ms_per_sentence,
            **{f"{FLOORS}.{task}": score for task, (_, score) in main_scores(best.dev).items()},
        }
        return {name: known.get(name, math.nan) for name in self.limits}

    def violations(self, reports: Sequence[Report]) -> dict[str, float]:
        """Returns what is limited -> by what share of the limit it is missed; 0 or less = held.

        The form in which Optuna takes constraints. What was not measured is missed by all of it.
        """
        found = {}
        for name, value in self.measured(reports).items():
            limit = self.limits[name]
            missed = (limit - value if name.startswith(FLOORS) else value - limit) / limit
            found[name] = 1.0 if math.isnan(missed) else missed
        return found

    def missed(self, record: TrialRecord) -> float:
        """Returns the sum of what a trial misses of its limits; 0 = it holds all of them."""
        return sum(max(0.0, one) for one in self.violations(record.reports).values())

    def lacks(self, record: TrialRecord) -> float:
        """Returns by how much the scores of a trial on the front lie below the floors, summed."""
        found = main_scores(record.best.dev) if record.best is not None else {}
        return sum(max(0.0, floor - found[task][1]) for task, floor in self.floors.items())

    def front(self, records: Iterable[TrialRecord]) -> list[TrialRecord]:
        """Returns the trials that no other beats in all objectives, in the order of their ids.

        Of those that were not stopped early and hold all limits, as `best_trials` of Optuna has
        it. Only where all were stopped, of these. Nothing for one objective.
        """
        if not self.tasks:
            return []
        held = [one for one in self._candidates(records) if self.missed(one) == 0]
        held.sort(key=lambda record: order_of(record.id))
        ranks = self._front_ranks(held)
        return [record for record, rank in zip(held, ranks, strict=True) if rank == 0]

    def best(self, records: Iterable[TrialRecord]) -> TrialRecord | None:
        """Returns the best of the trials with a score on all of dev that did not fail, or None.

        Of several objectives it is the one that is chosen from the front. Where no trial holds all
        limits, it is the one that misses least.
        """
        found = list(records)
        if front := self.front(found):
            return self._chosen(front)
        return min(self._candidates(found), key=self._key, default=None)

    def ranked(self, records: Iterable[TrialRecord]) -> list[TrialRecord]:
        """Returns all trials, the best first, failed ones last.

        Of several objectives the chosen one comes first, then the others of the front, then by how
        many fronts stand before a trial.
        """
        found = list(records)
        best, front = self.best(found), self.front(found)
        scored = [record for record in found if self.tasks and self._has_values(record)]
        ranks = dict(zip((one.id for one in scored), self._front_ranks(scored), strict=True))

        def key(record: TrialRecord) -> tuple[object, ...]:
            on_front = (record is not best, record not in front) if front else ()
            misses, *rest = self._key(record)
            return record.status == "failed", *on_front, misses, ranks.get(record.id, 0), *rest

        return sorted(found, key=key)

    def _key(self, record: TrialRecord) -> tuple[object, ...]:
        """Returns a key by which the better of two trials comes first, by `combined`."""
        return self.missed(record), *rank(record)

    def _candidates(self, records: Iterable[TrialRecord]) -> list[TrialRecord]:
        """Returns the trials that may be the best."""
        scored = [one for one in records if one.status != "failed" and self._has_values(one)]
        if not self.tasks:
            return scored
        # What was stopped early was compared with less.
        return [record for record in scored if record.status != "stopped"] or scored

    def _has_values(self, record: TrialRecord) -> bool:
        best = record.best
        return best is not None and all(map(math.isfinite, self.values(best)))

    def _points(self, records: Sequence[TrialRecord]) -> list[tuple[float, ...]]:
        return [self.values(one.best) for one in records if one.best is not None]

    def _front_ranks(self, records: Sequence[TrialRecord]) -> list[int]:
        points = self._points(records)
        if not points:
            return []
        import numpy as np  # Here, as goals are also known where nothing is compared.

        from tuning.fronts import front_ranks

        return list(map(int, front_ranks(np.array(points))))

    def _chosen(self, front: Sequence[TrialRecord]) -> TrialRecord:
        import numpy as np

        from tuning.fronts import knee

        points = np.array(self._points(front))
        if not self.floors:
            return front[knee(points)]
        # With floors for all tasks, all are to be as high as they go.
        others = [at for at, task in enumerate(self.tasks) if task not in self.floors]
        rest = points[:, others or slice(None)].mean(axis=1)
        # The first of equals.
        return min(
            zip(front, rest, strict=True),
            key=lambda one: (round(self.lacks(one[0]), 9), -one[1]),
        )[0]
