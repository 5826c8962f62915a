"""The searcher of a study as Ray Tune sees it: hands Tune the points, and hears how they end."""

from collections.abc import Callable, Mapping
from pathlib import Path

import optuna
from ray.tune.search import Searcher

from tuning.records import Value
from tuning.search.ending import ending_the_search
from tuning.search.points import OpenTrial, Points
from tuning.space.space import Space
from tuning.trainers.messages import PoolAddress, TrialSpec
from tuning.trainers.tune_values import METRIC, TrialConfig, TrialFailure, TrialResult


class OptunaSearcher(Searcher):  # type: ignore[misc]  # Ray carries no types
    """Hands the points of an Optuna study to Ray Tune; see `Points`."""

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        *,
        total: int,
        default_parameters: Mapping[str, Value],
        pool: PoolAddress,
        checkpoint_of: Callable[[str], Path],
        decided: Mapping[str, int] | None = None,
    ) -> None:
        """Starts where the study stands.

        Args:
            study: What `tuning.study.journal.open_optuna` returned.
            space: What is sampled.
            total: Trials of the study, those already there included.
            default_parameters: Parameters of the study file's own recipe; those outside the space
                are not told to Optuna.
            pool: Where trials are handed to trainers.
            checkpoint_of: Returns the folder of a trial's checkpoint, given its run id.
            decided: Run id -> reports of an unfinished trial that the scheduler has already
                judged.
        """
        super().__init__(metric=METRIC, mode="max")
        self._points = Points(study, space, total=total, default_parameters=default_parameters)
        self._pool = pool
        self._checkpoint_of = checkpoint_of
        self._decided = dict(decided or {})
        # By Tune's trial ids, which mean nothing outside this session; points know their run ids.
        self._running: dict[str, OpenTrial] = {}

    @ending_the_search()
    def suggest(self, trial_id: str) -> dict[str, object] | str:
        """Returns the configuration of the next trial, `FINISHED` if there is none."""
        point = self._points.take()
        if point is None:
            return str(Searcher.FINISHED)
        self._running[trial_id] = point
        config = TrialConfig(
            spec=TrialSpec(point.id, point.overrides, self._checkpoint_of(point.id)),
            parameters=point.parameters,
            # A trial that goes on repeats reports that the scheduler judged before the restart.
            decided=self._decided.get(point.id, 0),
            pool=self._pool,
        )
        return config.for_tune()

    @ending_the_search()
    def on_trial_result(self, trial_id: str, result: Mapping[str, object]) -> None:
        """Takes note of a report after which the trial goes on."""
        found = TrialResult.of(result)
        if found is not None:
            self._running[trial_id].observe(found.report)

    @ending_the_search()
    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, object] | None = None, error: bool = False
    ) -> None:
        """Tells Optuna how the trial ended; Tune passes the report of a stopped one only here.

        Args:
            trial_id: Tune's.
            result: Its last result, or its failure.
            error: Whether Tune could not go on with it. That is no failure of the trial, which
                would have come as a result: it stays open, and the next session goes on with it.
        """
        point = self._running.pop(trial_id, None)
        if point is None or error:
            return
        # `on_trial_result` was not called for it.
        last = TrialResult.of(result)
        if last is not None:
            point.observe(last.report)
        point.end(last, has_failed=TrialFailure.of(result) is not None)

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: the journal is written at every step."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing: the journal was read when the study was opened."""
