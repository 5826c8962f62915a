"""The points of a study: asks Optuna for the next one, and tells it how each trial ended.

Ray's own OptunaSearch tells Optuna that trials which were stopped early are complete, with their
last value, and leaves trials without a number running for ever. This one tells PRUNED and FAIL, and
the best value. The Optuna journal is the truth: after a restart, points go on where it ends.
"""

import math
import random
from collections.abc import Mapping, Sequence

import optuna
from optuna.trial import TrialState

from mtl_core.training.donors import may_differ
from mtl_core.training.report import Report, best_report, why_no_number
from tuning.goals import Goal
from tuning.records import (
    Recipe,
    TakenOver,
    Value,
    order_of,
    present_recipe,
    run_id_of,
)
from tuning.search._optuna import open_trials
from tuning.search.told import tell_report, told_reports
from tuning.space.perturbation import Perturbation
from tuning.space.space import Space
from tuning.trainers.tune_values import TrialResult


class Points:
    """The trials of an Optuna study, trial 0 being the study file's own recipe.

    Only here are trials known by Optuna's numbers; outside they are known by their run ids.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        *,
        total: int,
        default_parameters: Mapping[str, Value],
        first: Sequence[Mapping[str, Value]] = (),
        seed: int = 0,
        goal: Goal | None = None,
    ) -> None:
        """Starts where the study stands.

        Args:
            study: What `tuning.study.journal.open_optuna` returned.
            space: What is sampled.
            total: Trials of the study, those already there included.
            default_parameters: Parameters of the study file's own recipe; those outside the space
                are not told to Optuna.
            first: Points that are tried right after it, or parts of some, as Optuna draws them.
            seed: Seed of the study, by which recipes are changed that trials take over.
            goal: What Optuna is told of the scores; None = `combined` alone.
        """
        self._study = study
        self._space = space
        self._total = total
        # That of trial 0 first.
        self._given = (space.to_drawn(default_parameters), *first)
        self._seed = seed
        self._goal = goal or Goal()
        # Those of an earlier driver, by Optuna's ids, and those that were put aside since.
        self._left = {run_id_of(number): one for number, one in open_trials(study).items()}
        self._aside: dict[str, OpenTrial] = {}

    def remember(self, reports: Mapping[str, Sequence[Report]]) -> None:
        """Takes note of what trials have reported that an earlier driver left; comes first.

        A driver that was killed as a trial left its trainer may have written its last report into
        the folder alone. Optuna hears of it now: whatever is drawn next learns from it.

        Args:
            reports: Run id -> reports, also of trials that have ended.
        """
        for run_id in [one for one in self._left if reports.get(one)]:
            trial = self.take_up(run_id)
            for report in reports[run_id]:
                trial.observe(report)
            self.put_aside(trial)

    @property
    def waiting(self) -> list[str]:
        """Run ids of the open trials that were put aside, or left by an earlier driver."""
        return sorted((*self._left, *self._aside), key=order_of)

    def put_aside(self, trial: "OpenTrial") -> None:
        """Keeps a trial open that does not run now."""
        self._aside[trial.id] = trial

    def take_up(self, run_id: str) -> "OpenTrial":
        """Returns one of those that are `waiting`, with its own parameters."""
        if run_id in self._aside:
            return self._aside.pop(run_id)
        # Made only now: making it draws from the sampler, which learns from the trials that ended
        # before.
        return self._opened(optuna.Trial(self._study, self._left.pop(run_id)))

    def take_over(
        self, trial: "OpenTrial", donors: Sequence[str], perturbation: Perturbation
    ) -> None:
        """Gives a trial the changed recipe of a donor, and writes that into the journal.

        What is drawn hangs on the seed of the study, the trial and its reports alone.

        Args:
            trial: The trial.
            donors: Run ids of those of which one is drawn; all of them are `waiting`.
            perturbation: Changes the recipe.
        """
        draw = random.Random(f"{self._seed} {trial.id} {trial.num_reports}")
        donor = draw.choice(donors)
        recipe = self._aside[donor].recipe
        changed = self._space.perturbed(recipe, may_differ, perturbation, draw)
        trial.take_over(donor, changed)

    def draw(self) -> "OpenTrial | None":
        """Returns a new trial; None when the study has all of its trials."""
        trial = self._next_trial()
        return None if trial is None else self._opened(trial)

    def _opened(self, trial: optuna.Trial) -> "OpenTrial":
        overrides = self._overrides(trial)
        # Before the trial runs: reports and restarts read from the journal what it was trained
        # with.
        trial.set_user_attr("overrides", overrides)
        parameters = self._space.of_drawn(trial.params)
        if parameters != trial.params:
            trial.set_user_attr("parameters", parameters)
        return OpenTrial(trial, (overrides, parameters), self._goal)

    def _next_trial(self) -> optuna.Trial | None:
        trials = self._study.get_trials(deepcopy=False)
        # One that waits was queued by a driver that was killed before it asked for it: it is not
        # counted, as `ask` is about to hand it out.
        begun = sum(trial.state != TrialState.WAITING for trial in trials)
        if begun >= self._total:
            return None
        if begun < len(self._given) and begun == len(trials):
            # Optuna hands it out in the place of what its sampler would draw; what it lacks is
            # drawn. One by one: the number of a trial alone says which point is its own.
            self._study.enqueue_trial(dict(self._given[begun]))
        return self._study.ask()

    def _overrides(self, trial: optuna.Trial) -> dict[str, object]:
        """Draws the overrides; what the trial has already drawn stays as it is."""
        if trial.number > 0:
            return self._space.sample(trial)
        for parameter in self._space.parameters:
            # The recipe's value of the others lies outside the space. Drawing one in its place
            # would tell Optuna of a point that was never run.
            if parameter.name in self._given[0]:
                parameter.draw(trial)
        return {}


class OpenTrial:
    """A trial that runs: what Optuna is told of it.

    Attributes:
        recipe: What it is trained with: overrides, and the parameters that it is shown with.
        taken_over: From which trials it took over a checkpoint.
    """

    def __init__(self, trial: optuna.Trial, drawn: Recipe, goal: Goal) -> None:
        """Opens a trial that Optuna calls running, or one that a killed driver left so."""
        self._goal = goal
        self._trial = trial
        told = trial.user_attrs.get("taken_over", ())
        self.recipe, self.taken_over = present_recipe(drawn, told)
        # Whether they stand on a sample of dev -> the best of such reports.
        self._best: dict[bool, Report] = {}
        self._is_broken = False
        """Whether a report held no finite number, which no later report makes good."""
        self._reports: list[Report] = []
        # Reports may come again; Optuna takes a step once.
        frozen = trial.study.get_trials(deepcopy=False)[trial.number]
        self._told = max(told_reports(frozen), default=0)

    @property
    def id(self) -> str:
        """Its run id."""
        return run_id_of(self._trial.number)

    @property
    def overrides(self) -> dict[str, object]:
        """Dotted key of `run` -> value."""
        return dict(self.recipe[0])

    @property
    def parameters(self) -> dict[str, Value]:
        """Name -> value in effect, as the trial is shown with them."""
        return dict(self.recipe[1])

    @property
    def has_just_taken_over(self) -> bool:
        """Whether it has not reported since."""
        return bool(self.taken_over) and self.taken_over[-1].number == self.num_reports

    def take_over(self, donor: str, recipe: Recipe) -> None:
        """Notes that it goes on from the checkpoint of a donor, with another recipe."""
        overrides, parameters = recipe
        told = {"number": self.num_reports, "donor": donor}
        told |= {"overrides": dict(overrides), "parameters": dict(parameters)}
        self._trial.set_user_attr(
            "taken_over", [*self._trial.user_attrs.get("taken_over", ()), told]
        )
        self.taken_over = (*self.taken_over, TakenOver(self.num_reports, donor, self.recipe))
        self.recipe = recipe

    @property
    def num_reports(self) -> int:
        """How often it has reported so far."""
        return self._reports[-1].number if self._reports else 0

    def observe(self, report: Report) -> None:
        """Takes note of a report and passes the best value so far to Optuna."""
        if report.number > self.num_reports:
            self._reports.append(report)
        if report.is_sample and "sampled" not in self._trial.user_attrs:
            # At once: what it is told to be worth is then not for sure, before it ends as well.
            self._trial.set_user_attr("sampled", True)
        self._is_broken = self._is_broken or why_no_number(report) is not None
        if not math.isfinite(report.combined):
            return
        best = self._best.get(report.is_sample)
        if best is None or report.combined > best.combined:
            best = self._best[report.is_sample] = report
        # The best so far and not the last: Optuna ranks a pruned trial by what it last reported,
        # and a trial is worth its best report, whose checkpoint is kept. Of the same kind: samplers
        # compare trials at the same step, where all stand on a sample of dev or all on all of it.
        if report.number > self._told:
            self._told = report.number
            tell_report(self._trial, report.number, best.combined, self._goal.values(best))

    def end(self, last: TrialResult | None, *, has_failed: bool) -> None:
        """Tells Optuna how the trial ended.

        Args:
            last: Its last result, already observed; None when it made none.
            has_failed: Whether it failed in its trainer.
        """
        # Before `tell`: Optuna changes nothing any more of a trial that has ended.
        self._describe()
        study = self._trial.study
        # A trial that diverged has failed, whatever it reached before: it must not draw the sampler
        # on.
        best = self._best.get(False)
        if has_failed or not self._best or self._is_broken:
            study.tell(self._trial, state=TrialState.FAIL)
            return
        known = self._trial.constraints
        for name, missed in self._goal.violations(self._reports).items():
            # Optuna takes one once: a driver may have been killed between this and `tell`.
            if name not in known:
                self._trial.set_constraint(name, missed)
        if last is not None and last.is_last and best is not None:
            # As the trial is ranked: with the settings of decoding that were found for its model.
            # Its reports before, and stopped trials, are compared as they were trained.
            ranked = best_report(self._reports) or best
            study.tell(self._trial, self._goal.values(ranked))
        else:
            study.tell(self._trial, state=TrialState.PRUNED)

    def stop(self) -> None:
        """Tells Optuna that the trial ended early where it was."""
        if self._reports:
            self.end(None, has_failed=False)
            return
        # It had no time to report, which is no failure of its own.
        self._describe()
        self._trial.study.tell(self._trial, state=TrialState.PRUNED)

    def _describe(self) -> None:
        """Keeps how far it came, and the scores of the best report, as user attributes."""
        best = self._best.get(False)
        self._trial.set_user_attr("reports", self.num_reports)
        self._trial.set_user_attr("epochs", self._reports[-1].progress if self._reports else 0.0)
        if best is not None:
            self._trial.set_user_attr("scores", best.dev)
            self._trial.set_user_attr("joint_accuracy", best.joint_accuracy)
