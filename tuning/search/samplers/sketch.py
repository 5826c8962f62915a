"""A point before it is in the journal: it is drawn whole, and looked at, and then written."""

import copy
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FixedTrial, FrozenTrial


class Sketch(FixedTrial):
    """A trial whose point comes from a sampler and is written nowhere; `Space.sample` draws it."""

    def __init__(self, sampler: BaseSampler, study: optuna.Study, trial: FrozenTrial) -> None:
        """Begins the point of a trial that Optuna has begun.

        Args:
            sampler: Draws the values.
            study: What the sampler is shown of the study.
            trial: The trial. What it has already drawn, and what it was given when it was queued,
                stays as it is.
        """
        given: Mapping[str, Any] = trial.system_attrs.get("fixed_params", {})
        super().__init__(dict(given), trial.number)
        self._sampler, self._study = sampler, study
        # A driver was killed as it wrote these: they are drawn once more, and passed over, so that
        # those behind them are what they would have been.
        self._written = trial.params
        # A copy, into which values go as they are drawn: some samplers look there for those before.
        self._trial = copy.copy(trial)
        self._trial.params, self._trial.distributions = {}, {}
        self._space = sampler.infer_relative_search_space(study, self._trial)
        self._together = sampler.sample_relative(study, self._trial, self._space)

    @property
    def drawn(self) -> dict[str, Any]:
        """Parameter -> value, of all that was drawn so far."""
        return self._trial.params

    @property
    def drawn_from(self) -> dict[str, BaseDistribution]:
        """Parameter -> distribution, of all that was drawn so far."""
        return self._trial.distributions

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        # In this order `optuna.Trial` looks for a value, too.
        if name in self._params:
            value = self._params[name]
        elif distribution.single():
            value = distribution.to_external_repr(_only_value(distribution))
        elif name in self._together and self._space[name] == distribution:
            value = self._together[name]
        else:
            value = self._sampler.sample_independent(self._study, self._trial, name, distribution)
        value = self._written.get(name, value)
        self._trial.params[name], self._trial.distributions[name] = value, distribution
        return value


def _only_value(distribution: BaseDistribution) -> float:
    """Returns the one value of a distribution, as the journal has it."""
    # Of a choice its number, which is 0.
    return float(getattr(distribution, "low", 0))
