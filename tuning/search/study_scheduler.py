"""The scheduler of a study: after every report, whether a trial goes on or is stopped."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import TrialScheduler

from tuning.records import DEFAULT_ID, TrialRecord
from tuning.trainers.tune_values import METRIC, TIME, TrialConfig, TrialResult


@dataclass(frozen=True, slots=True)
class _Known:
    """What the inner scheduler knows of a trial: the same before and after a restart."""

    trial_id: str


class StudyScheduler(TrialScheduler):  # type: ignore[misc]  # Ray carries no types
    """Lets a scheduler of Ray decide, with what a study needs on top.

    Trial 0, the study file's own recipe, is the yardstick and always runs to its end. Reports that
    were judged before a restart are recorded but not judged again. A report that holds no finite
    number is passed over, since it would spoil the cutoffs of all other trials.

    The inner scheduler knows trials by their run id, not by Tune's id: a report that
    was replayed and is then repeated by the resumed trial counts once.
    """

    def __init__(self, inner: TrialScheduler) -> None:
        """Wraps `inner`, which maximises `combined` over `progress`."""
        super().__init__()
        self._metric = METRIC
        self._inner = inner

    def replay(self, records: Iterable[TrialRecord]) -> None:
        """Records what trials reported before a restart, unfinished ones included."""
        for record in records:
            trial = _Known(record.id)
            self._inner.on_trial_add(None, trial)
            for report in record.reports:
                self._record(trial, {TIME: report.progress, METRIC: report.combined})

    def _record(self, trial: _Known, result: Mapping[str, Any]) -> str:
        """Lets the inner scheduler see a result; returns its decision."""
        if not math.isfinite(result.get(METRIC, math.nan)):
            return str(TrialScheduler.CONTINUE)
        return str(self._inner.on_trial_result(None, trial, result))

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Accepts what TuneConfig says if it is what the study maximises anyway."""
        del spec
        return metric in (None, METRIC) and mode in (None, "max")

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Makes the trial known to the inner scheduler."""
        self._inner.on_trial_add(tune_controller, _known(trial))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Returns `CONTINUE` or `STOP`."""
        del tune_controller
        decision = self._record(_known(trial), result)
        config, found = TrialConfig.of(trial.config), TrialResult.of(result)
        if found is None or found.is_last or config.spec.id == DEFAULT_ID:
            return str(TrialScheduler.CONTINUE)
        if found.report.progress <= config.decided:
            return str(TrialScheduler.CONTINUE)
        return decision

    def on_trial_complete(
        self, tune_controller: Any, trial: Any, result: Mapping[str, Any]
    ) -> None:
        """Records the last result, which Tune passes only here when the trial says it is done."""
        del tune_controller
        self._record(_known(trial), result)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Passes on that the trial has failed."""
        self._inner.on_trial_error(tune_controller, _known(trial))

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Passes on that the trial was taken away before it ran."""
        self._inner.on_trial_remove(tune_controller, _known(trial))

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Returns the next trial that waits, in the order of the searcher."""
        return self._inner.choose_trial_to_run(tune_controller)

    def debug_string(self) -> str:
        """Returns what the inner scheduler says of itself."""
        return str(self._inner.debug_string())


def _known(trial: Any) -> _Known:
    return _Known(TrialConfig.of(trial.config).spec.id)
