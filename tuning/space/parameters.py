"""The nodes of a search space: parameters, and choices of sections that hold more parameters."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning.records import Value

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

Resolve = Callable[[object], object]
"""Value of a key in the study file's recipe -> the same with all defaults filled in."""


_GOLDEN_SECTION = (3 - math.sqrt(5)) / 2
"""An irrational share of a range."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One scalar that Optuna draws.

    Attributes:
        name: Dotted key of `run`; for a choice of sections "freezing.kind", and for what stands
            inside one of them "freezing.lower_layers.layers".
        low: Lowest value, included; None for a choice.
        high: Highest value, included; None for a choice.
        log: Whether values are drawn on a logarithmic scale.
        is_integer: Whether only whole numbers are drawn.
        options: The values of a choice; empty for a range.
    """

    name: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    is_integer: bool = False
    options: tuple[Value, ...] = ()

    def sample(self, trial: "BaseTrial") -> Value:
        """Draws a value; the one already drawn if the trial has it."""
        if self.low is None or self.high is None:
            # `suggest_*` returns the value that the journal has, where it has one: so a trial that
            # was interrupted goes on with its own point.
            return trial.suggest_categorical(self.name, self.options)
        if self.is_integer:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)

    def contains(self, value: object) -> bool:
        """Whether Optuna could have drawn `value`."""
        if self.low is None or self.high is None:
            return value in self.options
        # `True` is a number to Python, and in no range of a study file.
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and not (self.is_integer and value % 1)

    def leaves(self) -> "Iterator[Parameter]":
        """Yields itself, as the only parameter of its key."""
        yield self

    def in_effect(self, value: object, resolve: Resolve) -> Iterator[tuple[str, Value]]:
        """Yields (name, value) if the recipe sets the value; None counts only as an option."""
        del resolve
        if isinstance(value, str | int | float) or (value is None and None in self.options):
            yield self.name, value

    def corners(self) -> Iterator[object]:
        """Yields both ends of a range, or every option."""
        yield from self.options or (self.low, self.high)

    def between(self) -> Iterator[object]:
        """Yields a fraction inside a range: whole ends alone would fit a key of whole numbers."""
        if self.low is not None and self.high is not None and not self.is_integer:
            # Every rational share of some range is a whole number: the middle of [1, 3], and this
            # one of [0, 50]. An irrational one never is between whole ends, but reads badly.
            value, width = self.low + 0.38 * (self.high - self.low), self.high - self.low
            yield self.low + _GOLDEN_SECTION * width if float(value).is_integer() else value


@dataclass(frozen=True, slots=True)
class Option:
    """One section of a choice.

    Attributes:
        constants: What it always holds.
        nodes: Key -> what is drawn once this section was chosen.
    """

    constants: dict[str, object]
    nodes: "dict[str, Parameter | Branch]"

    def means(self, section: Mapping[str, object], resolve: Resolve) -> bool:
        """Whether the option is `section` once its values are drawn and its defaults filled in."""
        if not self.constants.items() <= section.items() or not self.nodes.keys() <= section.keys():
            return False
        # Only resolved sections can be compared: what is left out of one is its default.
        drawn = {key: section[key] for key in self.nodes}
        return resolve({**self.constants, **drawn}) == section

    def corners(self) -> Iterator[object]:
        """Yields sections that together hold every corner of everything inside at least once."""
        corners = {key: list(node.corners()) for key, node in self.nodes.items()}
        # The n-th section has the n-th corner of every key. All combinations would be too many:
        # each value by itself is tried with the schema, and values that do not go together fail
        # the trial that draws them.
        for index in range(max(map(len, corners.values()), default=1)):
            drawn = {key: values[min(index, len(values) - 1)] for key, values in corners.items()}
            yield {**self.constants, **drawn}

    def between(self) -> Iterator[object]:
        """Yields the section with what lies between the corners."""
        drawn = {
            key: value
            for key, node in self.nodes.items()
            for value in [*node.corners(), *node.between()][-1:]
        }
        yield {**self.constants, **drawn}


@dataclass(frozen=True, slots=True)
class Branch:
    """A choice of sections.

    Attributes:
        kind: Draws the label of an option.
        options: Label -> section.
    """

    kind: Parameter
    options: dict[str, Option]

    def sample(self, trial: "BaseTrial") -> dict[str, object]:
        """Draws an option, then what stands inside it."""
        option = self.options[str(self.kind.sample(trial))]
        # Only the option that was drawn: parameters of the others do not exist in this trial.
        drawn = {key: node.sample(trial) for key, node in option.nodes.items()}
        return {**option.constants, **drawn}

    def leaves(self) -> Iterator[Parameter]:
        """Yields the label's parameter and all that can occur inside the options."""
        yield self.kind
        for option in self.options.values():
            for node in option.nodes.values():
                yield from node.leaves()

    def in_effect(self, value: object, resolve: Resolve) -> Iterator[tuple[str, Value]]:
        """Yields what the recipe's own section `value` means in this space.

        A section that is no option yields its `kind`, marked as the recipe's own when there is an
        option of that name: it must not pass for a point that was drawn.
        """
        if not isinstance(value, Mapping):
            return
        for label, option in self.options.items():
            if option.means(value, resolve):
                yield self.kind.name, label
                for key, node in option.nodes.items():

                    def inside(inner: object, key: str = key) -> object:
                        # `key` is a default value, or all would see the last key of the loop.
                        section = resolve({**value, key: inner})
                        return section.get(key) if isinstance(section, Mapping) else None

                    yield from node.in_effect(value[key], inside)
                return
        kind = value.get("kind")
        if isinstance(kind, str):
            yield self.kind.name, f"{kind} (own)" if kind in self.options else kind

    def corners(self) -> Iterator[object]:
        """Yields every option, with the corners of what stands inside it."""
        for option in self.options.values():
            yield from option.corners()

    def between(self) -> Iterator[object]:
        """Yields every option, with what lies between the corners inside it."""
        for option in self.options.values():
            yield from option.between()
