"""What is known before a study's first trial: priors, and trials of earlier studies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tuning.records import Value
from tuning.space.priors import Prior

Point = Mapping[str, Value]
"""Name of a parameter -> its value as Optuna draws it; some may be missing."""


@dataclass(frozen=True)
class Earlier:
    """The trials of an earlier study, as points of this one's space.

    Attributes:
        folder: Its study folder, as it was named.
        points: Its trials that reached a score, the best first.
    """

    folder: str
    points: tuple[Point, ...]

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """The parameters that it says something about: those with more than one value."""
        names = dict.fromkeys(name for point in self.points for name in point)
        values = {name: {point[name] for point in self.points if name in point} for name in names}
        return tuple(name for name in names if len(values[name]) > 1)


@dataclass(frozen=True)
class Known:
    """What is known before the first trial.

    Attributes:
        priors: Name of a parameter -> its prior.
        earlier: Earlier studies.
    """

    priors: Mapping[str, Prior] = field(default_factory=dict)
    earlier: tuple[Earlier, ...] = ()


NOTHING = Known()
"""All points are equally likely."""
