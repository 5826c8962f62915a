"""The searcher of a study as Ray Tune sees it: hands Tune the points, and hears how they end."""

from collections import deque
from collections.abc import Callable, Mapping

from ray.tune.search import Searcher

from tuning.search.ending import ending_the_search
from tuning.search.points import OpenTrial, Points
from tuning.search.study_scheduler import StudyScheduler
from tuning.trainers.decisions import Decision, GoOn, Pause, Stop
from tuning.trainers.messages import PoolAddress, TrialSpec
from tuning.trainers.tune_values import METRIC, TrialConfig, TrialFailure, TrialResult


class OptunaSearcher(Searcher):  # type: ignore[misc]  # Ray carries no types
    """Hands the points of an Optuna study to Ray Tune; see `Points`.

    A run that pauses ends for Tune, and stays open in Optuna; when its turn comes it is handed out
    again, under its own run id.
    """

    def __init__(
        self,
        points: Points,
        scheduler: StudyScheduler,
        *,
        pool: PoolAddress,
        spec_of: Callable[[str, dict[str, object]], TrialSpec],
        hand_over: Callable[..., None] | None = None,
    ) -> None:
        """Starts where the study stands.

        Args:
            points: The trials of the study.
            scheduler: Says which of them pause, and which of these go on; what they reported before
                was replayed to it.
            pool: Where trials are handed to trainers.
            spec_of: Returns what trainers are told of a trial, given its run id and overrides.
            hand_over: Lets a trial go on from the state of another, given the run id of that, its
                own and what both have reported; see `mtl_core.training.donors`. None = the
                scheduler has none do so.
        """
        super().__init__(metric=METRIC, mode="max")
        self._points = points
        self._scheduler = scheduler
        self._pool = pool
        self._spec_of = spec_of
        self._hand_over = hand_over
        # Trials of an earlier driver that neither paused nor were stopped by their last report.
        self._interrupted = deque(self._decided(GoOn))
        # By Tune's trial ids, which mean nothing outside this session; points know their run ids.
        self._running: dict[str, OpenTrial] = {}

    @ending_the_search()
    def suggest(self, trial_id: str) -> dict[str, object] | str | None:
        """Returns the configuration of the trial that begins or goes on now.

        None as long as there is none and others run, by which a paused one may still have its turn;
        `FINISHED` when nothing is left but what is paused and is not to go on.
        """
        point = None if self._scheduler.limits.spent() else self._next() or self._last()
        if point is None:
            return None if self._running else str(Searcher.FINISHED)
        self._running[trial_id] = point
        config = TrialConfig(
            spec=self._spec_of(point.id, point.overrides),
            parameters=point.parameters,
            delivered=point.num_reports,
            pool=self._pool,
            taken_over=point.taken_over,
        )
        return config.for_tune()

    def _next(self) -> OpenTrial | None:
        # What was under way when the last driver ended goes first: others may wait for it.
        if self._interrupted:
            return self._points.take_up(self._interrupted.popleft())
        drawn = self._draw() if self._scheduler.waits_for_all else None
        if drawn is not None:
            return drawn
        run_id = self._scheduler.next_paused()
        return self._draw() if run_id is None else self._take_up(run_id)

    def _draw(self) -> OpenTrial | None:
        return None if self._scheduler.limits.over() else self._points.draw()

    def _take_up(self, run_id: str) -> OpenTrial:
        point = self._points.take_up(run_id)
        if self._hand_over is None:
            return point
        wanted = self._scheduler.take_over(run_id)
        if wanted is not None and not point.has_just_taken_over:
            self._points.take_over(point, wanted.donors, wanted.perturbation)
        # Also when it was noted before the driver was killed: its state may not have been copied.
        if point.has_just_taken_over:
            donor = point.taken_over[-1].donor
            self._hand_over(donor, point.id, reports=point.num_reports)
        return point

    def _last(self) -> OpenTrial | None:
        # As long as others run, one of them may let a paused one go on in the usual way.
        run_id = None if self._running else self._scheduler.last_paused()
        return None if run_id is None else self._points.take_up(run_id)

    def end_stopped(self) -> list[str]:
        """Ends the trials that the scheduler stopped as their driver was killed; returns run ids.

        Before the search: what is drawn in it is to know how they ended.
        """
        return self._end(Stop)

    def end_left(self) -> list[str]:
        """Ends the trials that the search has left, as stopped; returns run ids.

        Those that are paused; and when the study may take no more, also those that were under way
        as their driver was killed.
        """
        return [*self._end(Pause), *(self._end(GoOn) if self._scheduler.limits.spent() else ())]

    def _end(self, decided: type[Decision]) -> list[str]:
        found = self._decided(decided)
        for run_id in found:
            self._points.take_up(run_id).stop()
        return found

    def _decided(self, decided: type[Decision]) -> list[str]:
        """Returns the trials that wait, and of which the scheduler decided this last."""
        decisions = {run_id: self._scheduler.decision_on(run_id) for run_id in self._points.waiting}
        return [run_id for run_id, found in decisions.items() if isinstance(found, decided)]

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
        """Tells Optuna how the trial ended, or puts a paused one aside.

        Tune passes the last report of a trial only here, after the scheduler has judged it.

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
        has_failed = TrialFailure.of(result) is not None
        if not has_failed and isinstance(self._scheduler.decision_on(point.id), Pause):
            self._points.put_aside(point)
            return
        point.end(last, has_failed=has_failed)

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: the journal is written at every step."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing: the journal was read when the study was opened."""
