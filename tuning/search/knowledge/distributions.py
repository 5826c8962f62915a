"""What parameters are drawn from, as Optuna knows it; asked of their domains."""

from collections.abc import Iterable
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FixedTrial

from tuning.space.parameters import Parameter


class _Listener(FixedTrial):
    """A trial that notes what it is asked for, and draws the lowest value or the first option."""

    def __init__(self) -> None:
        super().__init__({})
        self.heard: dict[str, BaseDistribution] = {}

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        self.heard[name] = distribution
        # Of a choice the number of the option, which is 0.
        return distribution.to_external_repr(getattr(distribution, "low", 0))


def distributions_of(parameters: Iterable[Parameter]) -> dict[str, BaseDistribution]:
    """Returns name -> distribution of parameters, in their order."""
    listener = _Listener()
    for parameter in parameters:
        parameter.draw(listener)
    return listener.heard
