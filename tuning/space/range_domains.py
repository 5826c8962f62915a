"""Domains of numbers: ranges, on one scale or another, with steps or without."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from tuning.records import Value
from tuning.space.domains import Domain, is_number

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

_GOLDEN_SECTION = (3 - math.sqrt(5)) / 2
"""An irrational share of a range."""


@dataclass(frozen=True, slots=True)
class Floats(Domain):
    """All numbers of a range.

    Attributes:
        low: Lowest, included.
        high: Highest, included.
        log: Whether all orders of magnitude are equally likely.
    """

    low: float
    high: float
    log: bool = False

    def draw(self, trial: "BaseTrial", name: str) -> float:
        """Lets Optuna draw a value."""
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def contains(self, value: object) -> bool:
        """Whether it is a number inside the range."""
        return is_number(value) and self.low <= value <= self.high

    def at(self, position: float) -> float:
        """Returns the number at a position."""
        if not self.log:
            return min(self.low + position * (self.high - self.low), self.high)
        drawn = math.exp(math.log(self.low) + position * math.log(self.high / self.low))
        return min(max(drawn, self.low), self.high)

    def position(self, drawn: Value) -> float:
        """Returns the share of the range, or of its orders of magnitude, below a number."""
        assert is_number(drawn)
        if self.log:
            return math.log(drawn / self.low) / math.log(self.high / self.low)
        return (drawn - self.low) / (self.high - self.low)

    def corners(self) -> Iterator[Value]:
        """Yields both ends."""
        yield from (self.low, self.high)

    def between(self) -> Iterator[Value]:
        """Yields a number that is not whole."""
        # Every rational share of some range is a whole number: the middle of [1, 3], and this
        # one of [0, 50]. An irrational one never is between whole ends, but reads badly.
        value, width = self.low + 0.38 * (self.high - self.low), self.high - self.low
        yield self.low + _GOLDEN_SECTION * width if float(value).is_integer() else value

    @property
    def bounds(self) -> tuple[float, float]:
        """Both ends."""
        return self.low, self.high

    @property
    def kind(self) -> str:
        """The key of its entry."""
        return "log_range" if self.log else "range"

    def __str__(self) -> str:
        return f"{self.low:.3g} to {self.high:.3g}"


@dataclass(frozen=True, slots=True)
class Steps(Domain):
    """Numbers at equal distances.

    Attributes:
        low: Lowest, included.
        high: Highest, included.
        step: From one to the next; divides the range.
    """

    low: float
    high: float
    step: float

    def draw(self, trial: "BaseTrial", name: str) -> float:
        """Lets Optuna draw a value."""
        return trial.suggest_float(name, self.low, self.high, step=self.step)

    def contains(self, value: object) -> bool:
        """Whether it is one of the numbers, but for rounding."""
        if not is_number(value) or not self.low <= value <= self.high:
            return False
        return math.isclose(value, self._number(round(self._steps(value))), abs_tol=1e-9)

    def in_effect(self, drawn: Value) -> float:
        """Returns the number as it is written: 0.3 for Optuna's 0.30000000000000004."""
        assert is_number(drawn)
        return self._number(round(self._steps(drawn)))

    def at(self, position: float) -> float:
        """Returns the number that a position belongs to."""
        return self._number(min(int(position * self.count), self.count - 1))

    def position(self, drawn: Value) -> float:
        """Returns the middle of the positions that belong to a number."""
        assert is_number(drawn)
        return (round(self._steps(drawn)) + 0.5) / self.count

    @property
    def count(self) -> int:
        """How many there are."""
        return round(self._steps(self.high)) + 1

    def _steps(self, value: float) -> float:
        return (value - self.low) / self.step

    def _number(self, steps: int) -> float:
        # In decimal numbers, as people count.
        return float(Decimal(str(self.low)) + steps * Decimal(str(self.step)))

    def corners(self) -> Iterator[Value]:
        """Yields both ends."""
        yield from (self.low, self.high)

    def between(self) -> Iterator[Value]:
        """Yields the second number, which is not whole where the steps are not."""
        yield self._number(1)

    @property
    def bounds(self) -> tuple[float, float]:
        """Both ends."""
        return self.low, self.high

    @property
    def kind(self) -> str:
        """The key of its entry."""
        return "range"

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} in steps of {self.step:g}"


@dataclass(frozen=True, slots=True)
class Ints(Domain):
    """Whole numbers of a range.

    Attributes:
        low: Lowest, included.
        high: Highest, included.
        log: Whether all orders of magnitude are equally likely.
        step: From one to the next; divides the range, and is 1 on a logarithmic scale.
    """

    low: int
    high: int
    log: bool = False
    step: int = 1

    def draw(self, trial: "BaseTrial", name: str) -> int:
        """Lets Optuna draw a value."""
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def contains(self, value: object) -> bool:
        """Whether it is a number of the range."""
        if not is_number(value) or not self.low <= value <= self.high:
            return False
        return not (value - self.low) % self.step

    def drawn(self, value: Value) -> int:
        """Returns the number as a whole one: a study file may have 3.0."""
        assert is_number(value)
        return int(value)

    def at(self, position: float) -> int:
        """Returns the number that a position belongs to."""
        if self.log:
            low, high = self._log_ends()
            drawn = round(math.exp(low + position * (high - low)))
        else:
            drawn = self.low + int(position * (self.count or 1)) * self.step
        return min(max(drawn, self.low), self.high)

    def position(self, drawn: Value) -> float:
        """Returns the middle of the positions that belong to a number."""
        assert is_number(drawn)
        if self.log:
            low, high = self._log_ends()
            return (math.log(drawn) - low) / (high - low)
        return (drawn - self.low + self.step / 2) / (self.high - self.low + self.step)

    def _log_ends(self) -> tuple[float, float]:
        # Half a number more at both ends, so that these are drawn as often as their neighbours.
        return math.log(self.low - 0.5), math.log(self.high + 0.5)

    def corners(self) -> Iterator[Value]:
        """Yields both ends."""
        yield from (self.low, self.high)

    @property
    def count(self) -> int | None:
        """How many there are; on a logarithmic scale the distances differ."""
        return None if self.log else (self.high - self.low) // self.step + 1

    @property
    def bounds(self) -> tuple[float, float]:
        """Both ends."""
        return self.low, self.high

    @property
    def kind(self) -> str:
        """The key of its entry."""
        return "log_int_range" if self.log else "int_range"

    def __str__(self) -> str:
        steps = f" in steps of {self.step}" if self.step > 1 else ""
        return f"{self.low} to {self.high}{steps}"
