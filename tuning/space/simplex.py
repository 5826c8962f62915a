"""A simplex: numbers of several keys that are never negative and have a fixed sum."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtl_core.errors import ConfigError
from mtl_core.study_file import describe
from tuning.records import Value
from tuning.space.domains import is_number
from tuning.space.parameters import ABSENT, Node, Parameter, Parameters, Resolve, Section, look_up
from tuning.space.range_domains import Floats

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


class Piece(Floats):
    """What one key may have of a sum."""

    __slots__ = ()

    @property
    def kind(self) -> str:
        """The key of its entry."""
        return "simplex"

    def __str__(self) -> str:
        return f"a share of {self.high:g}"


@dataclass(frozen=True, slots=True)
class Simplex(Node):
    """Several keys whose numbers have a fixed sum, all such points equally likely.

    Optuna draws one number in [0, 1] less than there are keys, of which `shares` breaks a stick:
    as many as there is to choose, and each point in only one way. So a sampler learns from them
    better than from one number per key, and a recipe's own weights can be told to it.

    Attributes:
        keys: The keys in their section.
        names: What their parameters are called, in the same order.
        sticks: What is drawn.
        total: The sum, above 0.
    """

    keys: tuple[str, ...]
    names: tuple[str, ...]
    sticks: tuple[Parameter, ...]
    total: float

    def targets(self) -> tuple[str, ...]:
        """The keys."""
        return self.keys

    def leaves(self) -> Iterator[Parameter]:
        """Yields what Optuna draws."""
        yield from self.sticks

    def certain(self) -> Iterator[Parameter]:
        """Yields what Optuna draws."""
        yield from self.sticks

    def shown(self) -> Iterator[Parameter]:
        """Yields the number of each key."""
        for name in self.names:
            yield Parameter(name, Piece(0.0, self.total))

    def of_drawn(self, drawn: Parameters) -> Iterator[tuple[str, Value]]:
        """Yields the number of each key."""
        if all(stick.name in drawn for stick in self.sticks):
            breaks = [drawn[stick.name] for stick in self.sticks]
            yield from zip(self.names, self._numbers(breaks), strict=True)

    def to_drawn(self, shown: Parameters) -> Iterator[tuple[str, Value]]:
        """Yields what is drawn for the numbers, if they have the sum."""
        numbers = [shown.get(name) for name in self.names]
        found = [number for number in numbers if is_number(number) and number >= 0]
        if len(found) == len(self.names) and math.isclose(sum(found), self.total, rel_tol=1e-6):
            breaks = breaks_of([number / sum(found) for number in found])
            yield from zip((stick.name for stick in self.sticks), breaks, strict=True)

    def sample(self, trial: "BaseTrial") -> dict[str, object]:
        """Draws the numbers."""
        breaks = [stick.draw(trial) for stick in self.sticks]
        return dict(zip(self.keys, self._numbers(breaks), strict=True))

    def _numbers(self, breaks: Sequence[Value]) -> list[float]:
        return [self.total * share for share in shares(list(filter(is_number, breaks)))]

    def in_effect(self, section: Section, resolve: Resolve) -> Iterator[tuple[str, Value]]:
        """Yields the numbers of the section, whatever their sum."""
        del resolve
        for key, name in zip(self.keys, self.names, strict=True):
            value = look_up(section, key)
            if is_number(value):
                yield name, value

    def given(self, section: Section, resolve: Resolve) -> Iterator[tuple[str, Value]]:
        """Yields what is drawn for the numbers, if there are any."""
        found = dict(self.in_effect(section, resolve))
        if not any(look_up(section, key) is not ABSENT for key in self.keys):
            return
        drawn = list(self.to_drawn(found))
        if not drawn:
            keys = ", ".join(self.keys)
            raise ConfigError(
                f"{self.keys[0]}: found {describe(look_up(section, self.keys[0]))}; allowed: "
                f"numbers of all of {keys}, at least 0, with the sum {self.total:g}"
            )
        yield from drawn

    def corners(self) -> Iterator[dict[str, object]]:
        """Yields the points where one key has it all."""
        for whole in self.keys:
            yield {key: self.total if key == whole else 0.0 for key in self.keys}

    def between(self) -> Iterator[dict[str, object]]:
        """Yields the middle."""
        yield dict.fromkeys(self.keys, self.total / len(self.keys))


def stick_name(name: str, number: int) -> str:
    """Returns what is drawn for the entry `name` is called; sticks are counted from 1."""
    return f"{name}[{number}]"


def entry_name(drawn: str) -> str:
    """Returns the name of the entry that a stick belongs to; any other name as it is."""
    return re.sub(r"\[\d+\]$", "", drawn)


def shares(breaks: Sequence[float]) -> list[float]:
    """Breaks a stick of length 1 into one piece more than there are breaks.

    Of uniform breaks it makes uniform points, that is, draws of Dirichlet(1, ..., 1): with m pieces
    to come, the share of what is left that the next one takes is Beta(1, m); Sethuraman 1994, "A
    constructive definition of Dirichlet priors", https://www.jstor.org/stable/24305538.

    Args:
        breaks: (k - 1,) in [0, 1].

    Returns:
        (k,) at least 0, summing to 1 but for rounding.
    """
    left, found = 1.0, []
    for to_come, drawn in zip(range(len(breaks), 0, -1), breaks, strict=True):
        # The quantile function of Beta(1, m), 1 - (1 - u)^(1/m), without loss of digits near 0; of
        # the last break it is u itself.
        taken = drawn
        if to_come > 1 and drawn < 1:
            taken = -math.expm1(math.log1p(-drawn) / to_come)
        found.append(left * taken)
        left *= 1 - taken
    return [*found, left]


def breaks_of(pieces: Sequence[float]) -> list[float]:
    """Returns the breaks of which `shares` makes these pieces.

    Args:
        pieces: (k,) at least 0, summing to 1.

    Returns:
        (k - 1,) in [0, 1]; 0 where nothing is left to break.
    """
    left, found = 1.0, []
    for to_come, piece in zip(range(len(pieces) - 1, 0, -1), pieces, strict=False):
        taken = min(piece / left, 1.0) if left > 0 else 0.0
        found.append(1 - (1 - taken) ** to_come)
        left = max(left - piece, 0.0)
    return found
