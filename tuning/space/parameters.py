"""Parameters: the scalars that Optuna draws, and where each stands in the recipe."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from mtl_core.errors import ConfigError, did_you_mean
from mtl_core.study_file import describe
from tuning.records import Value
from tuning.space.domains import Domain, spelled
from tuning.space.priors import Prior

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

Section = Mapping[str, object]
"""A section of the recipe as plain nested data; `run` itself at the top."""

Resolve = Callable[[Section], Section]
"""Dotted keys of a section -> the whole section with these set, and all defaults filled in."""

Parameters = Mapping[str, Value]
"""Name of a parameter -> its value."""

ABSENT = object()
"""What `look_up` finds where there is nothing, not even null."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One scalar that Optuna draws.

    Attributes:
        name: Dotted key of `run`; for a choice of sections "freezing.kind", and for what stands
            inside one of them "freezing.lower_layers.layers".
        domain: What it can be.
        prior: What is believed of it before any trial; None = all positions are equally likely.
    """

    name: str
    domain: Domain
    prior: Prior | None = None

    def draw(self, trial: "BaseTrial") -> Value:
        """Lets Optuna draw it, and returns the value in effect."""
        return self.domain.in_effect(self.domain.draw(trial, self.name))


class Node(ABC):
    """A part of a space: sets one key or more of its section of the recipe."""

    @abstractmethod
    def targets(self) -> tuple[str, ...]:
        """The keys that it sets, dotted, from its section on."""

    @abstractmethod
    def leaves(self) -> Iterator[Parameter]:
        """Yields every parameter that Optuna may draw here."""

    @abstractmethod
    def certain(self) -> Iterator[Parameter]:
        """Yields those of `leaves` that do not hang on the section which another one chose."""

    @abstractmethod
    def shown(self) -> Iterator[Parameter]:
        """Yields every parameter that trials are shown with: mostly those that Optuna draws."""

    @abstractmethod
    def of_drawn(self, drawn: Parameters) -> Iterator[tuple[str, Value]]:
        """Yields (name, value in effect) of what Optuna has drawn, as trials are shown with it."""

    @abstractmethod
    def to_drawn(self, shown: Parameters) -> Iterator[tuple[str, Value]]:
        """Yields (name, value) as Optuna would have drawn it; nothing for what it never draws."""

    @abstractmethod
    def given(self, section: Section, resolve: Resolve) -> Iterator[tuple[str, Value]]:
        """Yields (name, value as Optuna would have drawn it) of what part of a section says.

        Args:
            section: A section in which keys may be missing; these are left open.
            resolve: As in `in_effect`.

        Raises:
            ConfigError: It says what is never drawn; the text begins with the key.
        """

    @abstractmethod
    def sample(self, trial: "BaseTrial") -> dict[str, object]:
        """Draws; returns its keys with their values."""

    @abstractmethod
    def in_effect(self, section: Section, resolve: Resolve) -> Iterator[tuple[str, Value]]:
        """Yields (name, value) of what a resolved section sets, be it inside the space or not."""

    @abstractmethod
    def corners(self) -> Iterator[dict[str, object]]:
        """Yields its keys with values that together reach both ends of everything inside."""

    @abstractmethod
    def between(self) -> Iterator[dict[str, object]]:
        """Yields its keys with fractions between the corners, where there are any."""


@dataclass(frozen=True, slots=True)
class Leaf(Node):
    """One key whose value is one parameter.

    Attributes:
        key: The key in its section.
        parameter: What is drawn.
    """

    key: str
    parameter: Parameter

    def targets(self) -> tuple[str, ...]:
        """The key."""
        return (self.key,)

    def leaves(self) -> Iterator[Parameter]:
        """Yields the parameter."""
        yield self.parameter

    def certain(self) -> Iterator[Parameter]:
        """Yields the parameter."""
        yield self.parameter

    def shown(self) -> Iterator[Parameter]:
        """Yields the parameter."""
        yield self.parameter

    def of_drawn(self, drawn: Parameters) -> Iterator[tuple[str, Value]]:
        """Yields the value in effect."""
        if self.parameter.name in drawn:
            value = drawn[self.parameter.name]
            yield self.parameter.name, self.parameter.domain.in_effect(value)

    def to_drawn(self, shown: Parameters) -> Iterator[tuple[str, Value]]:
        """Yields what is drawn for the value, if it lies in the domain."""
        # Optuna takes no value from outside of a distribution; of such a key it is told nothing.
        name, domain = self.parameter.name, self.parameter.domain
        if name in shown and domain.contains(shown[name]):
            yield name, domain.drawn(shown[name])

    def given(self, section: Section, resolve: Resolve) -> Iterator[tuple[str, Value]]:
        """Yields what is drawn for the value, if there is one."""
        del resolve
        value, domain = look_up(section, self.key), self.parameter.domain
        if value is ABSENT:
            return
        if not domain.contains(value):
            near = did_you_mean(str(value), map(spelled, domain.options))
            raise ConfigError(f"{self.key}: found {describe(value)}; allowed: {domain}.{near}")
        yield self.parameter.name, domain.drawn(cast("Value", value))

    def sample(self, trial: "BaseTrial") -> dict[str, object]:
        """Draws the value."""
        return {self.key: self.parameter.draw(trial)}

    def in_effect(self, section: Section, resolve: Resolve) -> Iterator[tuple[str, Value]]:
        """Yields the value if the section sets it; None counts only as an option."""
        del resolve
        # Also from outside of the domain: the study file's own recipe is shown as it is.
        value = look_up(section, self.key)
        if isinstance(value, str | int | float):
            yield self.parameter.name, value
        elif value is None and None in self.parameter.domain.options:
            yield self.parameter.name, None

    def corners(self) -> Iterator[dict[str, object]]:
        """Yields both ends of a range, or every option."""
        for value in self.parameter.domain.corners():
            yield {self.key: value}

    def between(self) -> Iterator[dict[str, object]]:
        """Yields a fraction inside a range of fractions."""
        for value in self.parameter.domain.between():
            yield {self.key: value}


def look_up(section: Section, dotted: str) -> object:
    """Returns the value at a dotted key of nested data, `ABSENT` if there is none."""
    value: object = section
    for key in dotted.split("."):
        value = value.get(key, ABSENT) if isinstance(value, Mapping) else ABSENT
    return value
