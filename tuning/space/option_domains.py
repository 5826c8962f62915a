"""Domains of options: values that are written one by one, in any order or in one that counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning.records import Value
from tuning.space.domains import Domain, spelled
from tuning.space.priors import Prior, Sureness, options_prior

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


@dataclass(frozen=True, slots=True)
class _Values(Domain):
    """One of some values.

    Attributes:
        values: At least two, all different.
    """

    values: tuple[Value, ...]

    def contains(self, value: object) -> bool:
        """Whether it is one of them."""
        return value in self.values

    def corners(self) -> Iterator[Value]:
        """Yields every value."""
        yield from self.values

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.values)

    @property
    def options(self) -> tuple[Value, ...]:
        """The values."""
        return self.values

    def __str__(self) -> str:
        return ", ".join(map(spelled, self.values))


@dataclass(frozen=True, slots=True)
class Options(_Values):
    """One of some values, among which no order is known."""

    def draw(self, trial: "BaseTrial", name: str) -> Value:
        """Lets Optuna draw a value."""
        return trial.suggest_categorical(name, self.values)

    def at(self, position: float) -> Value:
        """Returns the option that a position belongs to."""
        return self.values[min(int(position * len(self.values)), len(self.values) - 1)]

    def position(self, drawn: Value) -> float:
        """Returns the middle of the positions that belong to an option."""
        return (self.values.index(drawn) + 0.5) / len(self.values)

    def prior(self, likeliest: Value, sure: Sureness) -> Prior:
        """Returns a prior that is higher at one option and alike at all others."""
        return options_prior(self.values, likeliest, sure)

    @property
    def has_order(self) -> bool:
        """No: an option is as near to one as to another."""
        return False

    @property
    def kind(self) -> str:
        """The key of its entry."""
        return "choice"


@dataclass(frozen=True, slots=True)
class Ordered(_Values):
    """One of some values in an order: neighbours are more alike than others.

    Optuna draws the index of one, a whole number, so that every sampler knows the order.
    """

    def draw(self, trial: "BaseTrial", name: str) -> int:
        """Lets Optuna draw an index."""
        return trial.suggest_int(name, 0, len(self.values) - 1)

    def in_effect(self, drawn: Value) -> Value:
        """Returns the value with an index."""
        assert isinstance(drawn, int)
        return self.values[drawn]

    def drawn(self, value: Value) -> int:
        """Returns the index of a value."""
        return self.values.index(value)

    def at(self, position: float) -> int:
        """Returns the index that a position belongs to."""
        return min(int(position * len(self.values)), len(self.values) - 1)

    def position(self, drawn: Value) -> float:
        """Returns the middle of the positions that belong to an index."""
        assert isinstance(drawn, int)
        return (drawn + 0.5) / len(self.values)

    @property
    def kind(self) -> str:
        """The key of its entry."""
        return "ordered"
