"""Domains: what one parameter can be, and how Optuna draws it.

A domain knows three forms of a value. The *value in effect* stands in the recipe and is shown. What
is *drawn* is what Optuna has in its journal and gives to samplers: mostly the same. The *position*
is its place in [0, 1], where a uniform number is a uniform draw; Optuna's samplers use the same.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeGuard

from tuning.records import Value
from tuning.space.priors import Prior, Sureness, normal_prior

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


class Domain(ABC):
    """What a parameter can be."""

    @abstractmethod
    def draw(self, trial: "BaseTrial", name: str) -> Value:
        """Lets Optuna draw the parameter `name`; returns what it has already drawn, if it has."""
        # `suggest_*` returns the value that the journal has, where it has one: so a trial that was
        # interrupted goes on with its own point.

    @abstractmethod
    def contains(self, value: object) -> bool:
        """Whether a value in effect could have been drawn."""

    @abstractmethod
    def at(self, position: float) -> Value:
        """Returns what is drawn at a position in [0, 1]."""

    @abstractmethod
    def position(self, drawn: Value) -> float:
        """Returns where a drawn value lies, in [0, 1]: `at` gives it back."""

    @abstractmethod
    def corners(self) -> Iterator[Value]:
        """Yields the values in effect at both ends of a range, or every option."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """What a study file calls it."""

    @abstractmethod
    def __str__(self) -> str:
        """Returns the values as people read them."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest value of a range, both included; None for options."""
        return None

    @property
    def options(self) -> tuple[Value, ...]:
        """The values in effect of a choice; empty for a range."""
        return ()

    @property
    def has_order(self) -> bool:
        """Whether values at near positions are alike."""
        return True

    @property
    def count(self) -> int | None:
        """How many values there are, at equal distances; None = a range without steps."""
        return None

    def between(self) -> Iterator[Value]:
        """Yields a fraction inside a range of fractions: its ends may be whole numbers."""
        return iter(())

    def prior(self, likeliest: Value, sure: Sureness) -> Prior:
        """Returns the prior whose likeliest value in effect is `likeliest`, which it contains."""
        return normal_prior(self.position(self.drawn(likeliest)), sure)

    def in_effect(self, drawn: Value) -> Value:
        """Returns the value in effect of what Optuna has drawn."""
        return drawn

    def drawn(self, value: Value) -> Value:
        """Returns what Optuna would have drawn for a value in effect."""
        return value


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a number; `True`, which is one to Python, is in no range of a study file."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def spelled(value: Value) -> str:
    """Returns a value as a study file has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
