"""What samplers are shown of the trials so far.

Optuna's samplers look at trials that ran to their end, and most of them at no others. With a
scheduler those are few: most trials are stopped, or pause. So the others are shown as well, each in
a form that the sampler can learn from. Values are the best so far, as `OpenTrial` reports them.
"""

import copy
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cached_property, partial
from statistics import median

import optuna
from optuna.trial import FrozenTrial, TrialState

from tuning.search.told import told_values

Look = Callable[[Sequence[FrozenTrial]], list[FrozenTrial]]
"""Makes of all trials of a study what a sampler is shown."""


class Past(optuna.Study):
    """A study as a sampler is shown it; what the sampler writes goes into the study itself."""

    def __init__(self, study: optuna.Study, look: Look) -> None:
        """Looks at a study as it is now.

        Args:
            study: The study.
            look: What is shown of its trials.
        """
        super().__init__(study.study_name, study._storage, sampler=study.sampler)
        self._look = partial(look, study.get_trials(deepcopy=False))

    @cached_property
    def _shown(self) -> list[FrozenTrial]:
        # Made when it is asked for: random samplers never do, and there may be many trials.
        return self._look()

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        del use_cache
        found = [trial for trial in self._shown if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def stop(self) -> None:
        """Does nothing: some samplers end Optuna's own loop, which a search does not use."""


def with_stopped(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Shows trials that run or pause, and have reported, as stopped there; for TPE.

    TPE ranks stopped trials behind those that ran to their end: who came further first, and by
    value among those that came as far. One that runs and has not reported counts as a bad one
    there, so that trials side by side do not try the same.
    """
    is_limited = _is_limited(trials)
    shown = []
    for trial in trials:
        values = _values(trial, {}, is_limited=is_limited)
        if trial.state == TrialState.RUNNING and len(values) == 1:
            shown.append(_shown_as(trial, TrialState.PRUNED, values))
        # Of several objectives it takes all stopped trials for alike, and worse than all others.
        elif len(values) > 1:
            shown.append(_shown_as(trial, TrialState.COMPLETE, values))
        else:
            shown.append(trial)
    return shown


def as_complete(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Shows every trial with a value as one that ran to its end; failed ones are left out.

    A trial that was stopped, pauses or runs is shown with its best value so far, plus what those
    that ran to their end gained behind that report (the median): trials of the same rung keep their
    order, and a good one that was stopped early does not look worse than a poor one that ran on. Of
    several objectives it is shown with those of its best report.
    """
    gains, is_limited = _gains(trials), _is_limited(trials)
    shown = []
    for trial in trials:
        if values := _values(trial, gains, is_limited=is_limited):
            shown.append(_shown_as(trial, TrialState.COMPLETE, values))
        elif trial.state in (TrialState.COMPLETE, TrialState.RUNNING):
            shown.append(trial)
    return shown


def having(look: Look, names: Iterable[str]) -> Look:
    """Returns a look that leaves out trials without one of the parameters `names`.

    Trial 0 lacks those whose value in the recipe lies outside of the space. A sampler that models
    all trials in one set of parameters would for ever draw these at random.
    """
    wanted = frozenset(names)

    def look_at(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        return [trial for trial in look(trials) if wanted <= trial.params.keys()]

    return look_at


def _values(trial: FrozenTrial, gains: Mapping[int, float], *, is_limited: bool) -> list[float]:
    """Returns what a trial is worth that did not run to its end; [] where nothing is known.

    Args:
        trial: The trial, in any state.
        gains: Number of a report -> what to add to the best value up to there.
        is_limited: Whether trials have limits, of which nothing is known as long as they run.
    """
    is_open = trial.state == TrialState.RUNNING
    if trial.state != TrialState.PRUNED and (not is_open or is_limited):
        return []
    if not trial.intermediate_values:
        return told_values(trial)
    step, value = _last(trial)
    return [value + gains.get(step, 0.0)]


def _is_limited(trials: Iterable[FrozenTrial]) -> bool:
    """Whether a study has limits that trials have to hold.

    What a trial has of them is known at its end: until then nothing is to be learnt from it.
    """
    return any(trial.constraints for trial in trials)


def _last(trial: FrozenTrial) -> tuple[int, float]:
    """Returns the last report of a trial: its number, and the best value so far."""
    return max(trial.intermediate_values.items())


def _gains(trials: Iterable[FrozenTrial]) -> dict[int, float]:
    """Returns number of a report -> what trials that ran to their end gained behind it."""
    gains: dict[int, list[float]] = defaultdict(list)
    for trial in trials:
        if trial.state == TrialState.COMPLETE and trial.intermediate_values:
            _, end = _last(trial)
            for step, value in trial.intermediate_values.items():
                gains[step].append(end - value)
    return {step: median(found) for step, found in gains.items()}


def _shown_as(trial: FrozenTrial, state: TrialState, values: Sequence[float]) -> FrozenTrial:
    shown = copy.copy(trial)
    shown.state, shown.values = state, values
    return shown
