"""The searcher: asks Optuna for the points that Ray Tune runs, and tells it what came of them.

Ray's own OptunaSearch tells trials that were stopped early as complete with their last value, and
leaves trials without a number running for ever; this one tells PRUNED, FAIL and best values. The
Optuna journal is the truth: a searcher made anew on it goes on where the last one was killed.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher

from mtl_core.training.report import EpochReport
from tuning.records import Value, run_id_of
from tuning.search._optuna import interrupted_trials
from tuning.space.space import Space
from tuning.trainers.messages import PoolAddress, TrialSpec
from tuning.trainers.tune_values import METRIC, TrialConfig, TrialResult


class OptunaSearcher(Searcher):  # type: ignore[misc]  # Ray carries no types
    """Hands the points of an Optuna study to Ray Tune, trial 0 being the study file's own recipe.

    Only here are trials known by Optuna's numbers; outside they are known by their run ids.
    """

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
        self._study = study
        self._space = space
        self._total = total
        self._defaults = {
            name: value for name, value in default_parameters.items() if space.contains(name, value)
        }
        self._pool = pool
        self._checkpoint_of = checkpoint_of
        self._decided = dict(decided or {})
        self._interrupted = deque(interrupted_trials(study))
        self._running: dict[str, _RunningTrial] = {}

    def suggest(self, trial_id: str) -> dict[str, object] | str:
        """Returns the configuration of the next trial, `FINISHED` if there is none.

        Trials that were running when the last driver ended come first, under their own number and
        with their own parameters.
        """
        trial = self._next_trial()
        if trial is None:
            return str(Searcher.FINISHED)
        overrides = self._overrides(trial)
        trial.set_user_attr("overrides", overrides)
        self._running[trial_id] = _RunningTrial(trial)
        run_id = run_id_of(trial.number)
        config = TrialConfig(
            spec=TrialSpec(run_id, overrides, self._checkpoint_of(run_id)),
            parameters=dict(trial.params),
            decided=self._decided.get(run_id, 0),
            pool=self._pool,
        )
        return config.for_tune()

    def _next_trial(self) -> optuna.Trial | None:
        if self._interrupted:
            return optuna.Trial(self._study, self._interrupted.popleft())
        trials = self._study.get_trials(deepcopy=False)
        if not trials:
            self._study.enqueue_trial(self._defaults)
        elif sum(trial.state != TrialState.WAITING for trial in trials) >= self._total:
            return None
        return self._study.ask()

    def _overrides(self, trial: optuna.Trial) -> dict[str, object]:
        """Draws the overrides; what the trial has already drawn stays as it is."""
        if trial.number > 0:
            return self._space.sample(trial)
        for parameter in self._space.parameters:
            # Drawing a value for the others would tell Optuna of a point that was never run.
            if parameter.name in self._defaults:
                parameter.sample(trial)
        return {}

    def on_trial_result(self, trial_id: str, result: Mapping[str, object]) -> None:
        """Takes note of a report after which the trial goes on."""
        found = TrialResult.of(result)
        if found is not None:
            self._running[trial_id].observe(found.report)

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, object] | None = None, error: bool = False
    ) -> None:
        """Tells Optuna how the trial ended; Tune passes the report of a stopped one only here."""
        running = self._running.pop(trial_id, None)
        if running is None:
            return
        last = TrialResult.of(result)
        if last is not None:
            running.observe(last.report)
        running.describe()
        if error or running.best is None or running.is_broken:
            self._study.tell(running.trial, state=TrialState.FAIL)
        elif last is not None and last.is_last:
            self._study.tell(running.trial, running.best.combined)
        else:
            self._study.tell(running.trial, state=TrialState.PRUNED)

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: the journal is written at every step."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing: the journal was read when the study was opened."""


class _RunningTrial:
    """What is known of a trial that Tune runs."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial = trial
        self.best: EpochReport | None = None
        self.is_broken = False
        """Whether a report held no finite number, which no later report makes good."""
        self._epochs = 0
        # A trial that was interrupted repeats its early reports; Optuna takes a step once.
        frozen = trial.study.get_trials(deepcopy=False)[trial.number]
        self._steps = set(frozen.intermediate_values)

    def observe(self, report: EpochReport) -> None:
        """Takes note of a report and passes the best value so far to Optuna."""
        self._epochs = report.epoch
        if not math.isfinite(report.combined):
            self.is_broken = True
            return
        if self.best is None or report.combined > self.best.combined:
            self.best = report
        step = int(report.progress)
        if step not in self._steps:
            self._steps.add(step)
            self.trial.report(self.best.combined, step)

    def describe(self) -> None:
        """Keeps the scores of the best report as user attributes."""
        self.trial.set_user_attr("epochs", self._epochs)
        if self.best is not None:
            self.trial.set_user_attr("scores", self.best.dev)
            self.trial.set_user_attr("joint_accuracy", self.best.joint_accuracy)
