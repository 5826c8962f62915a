"""Choices of sections: which one, and then what stands inside of it (a conditional space)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtl_core.errors import ConfigError, did_you_mean
from mtl_core.study_file import describe, override
from tuning.records import Value
from tuning.space.parameters import ABSENT, Node, Parameter, Parameters, Resolve, Section, look_up

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


@dataclass(frozen=True, slots=True)
class Option:
    """One section of a choice.

    Attributes:
        constants: What it always holds.
        nodes: What is drawn once this section was chosen.
    """

    constants: dict[str, object]
    nodes: tuple[Node, ...]

    def sample(self, trial: "BaseTrial") -> dict[str, object]:
        """Draws what stands inside, and returns the section."""
        section = self.constants
        for node in self.nodes:
            section = override(section, node.sample(trial))
        return section

    def fits(self, section: Section, resolve: Resolve) -> bool:
        """Whether a part of a section, of which other keys may be missing, may be one of it."""
        # All it can say of what is not drawn is what an example of the option has there.
        example = resolve(next(self.corners()))
        return all(section[key] == example.get(key, ABSENT) for key in self._fixed_in(section))

    def says(self, section: Section) -> bool:
        """Whether a part of a section has just the constants, and maybe what is drawn."""
        return self.constants.keys() == set(self._fixed_in(section))

    def _fixed_in(self, section: Section) -> list[str]:
        drawn = {key.partition(".")[0] for node in self.nodes for key in node.targets()}
        return [key for key in section if key not in drawn]

    def means(self, section: Section, resolve: Resolve) -> bool:
        """Whether it is `section` once its values are drawn and its defaults filled in.

        Args:
            section: A resolved section.
            resolve: Keys -> the section of just these, with defaults filled in.
        """
        drawn = {key: look_up(section, key) for node in self.nodes for key in node.targets()}
        if ABSENT in drawn.values() or not self.constants.items() <= section.items():
            return False
        # Only resolved sections can be compared: what is left out of one is its default.
        return resolve(override(self.constants, drawn)) == section

    def corners(self) -> Iterator[dict[str, object]]:
        """Yields sections that together hold every corner of everything inside at least once."""
        corners = [list(node.corners()) for node in self.nodes]
        # The n-th section has the n-th corner of every node. All combinations would be too many:
        # each value by itself is tried with the schema, and values that do not go together fail
        # the trial that draws them.
        for index in range(max(map(len, corners), default=1)):
            yield self._with(one[min(index, len(one) - 1)] for one in corners)

    def _with(self, drawn: Iterator[dict[str, object]]) -> dict[str, object]:
        section = self.constants
        for values in drawn:
            section = override(section, values)
        return section

    def between(self) -> Iterator[dict[str, object]]:
        """Yields one section with fractions where there are any, the last corners elsewhere."""
        yield self._with([*node.corners(), *node.between()][-1] for node in self.nodes)


@dataclass(frozen=True, slots=True)
class Branch(Node):
    """A choice of sections.

    Attributes:
        key: The key in the section around it.
        kind: Draws the label of an option.
        options: Label -> section.
    """

    key: str
    kind: Parameter
    options: dict[str, Option]

    def targets(self) -> tuple[str, ...]:
        """The key."""
        return (self.key,)

    def leaves(self) -> Iterator[Parameter]:
        """Yields the label's parameter and all that can occur inside the options."""
        yield self.kind
        for option in self.options.values():
            for node in option.nodes:
                yield from node.leaves()

    def certain(self) -> Iterator[Parameter]:
        """Yields the label's parameter alone."""
        yield self.kind

    def shown(self) -> Iterator[Parameter]:
        """Yields the label's parameter, and what trials show of the options."""
        yield self.kind
        for option in self.options.values():
            for node in option.nodes:
                yield from node.shown()

    def of_drawn(self, drawn: Parameters) -> Iterator[tuple[str, Value]]:
        """Yields the label, and what stands inside its option."""
        if self.kind.name in drawn:
            yield self.kind.name, drawn[self.kind.name]
            for node in self.options[str(drawn[self.kind.name])].nodes:
                yield from node.of_drawn(drawn)

    def to_drawn(self, shown: Parameters) -> Iterator[tuple[str, Value]]:
        """Yields the label, and what stands inside its option."""
        label = shown.get(self.kind.name)
        if isinstance(label, str) and label in self.options:
            yield self.kind.name, label
            for node in self.options[label].nodes:
                yield from node.to_drawn(shown)

    def sample(self, trial: "BaseTrial") -> dict[str, object]:
        """Draws an option, then what stands inside it."""
        # Only the option that was drawn: parameters of the others do not exist in this trial.
        return {self.key: self.options[str(self.kind.draw(trial))].sample(trial)}

    def in_effect(self, section: Section, resolve: Resolve) -> Iterator[tuple[str, Value]]:
        """Yields what the recipe's own section means in this space.

        A section that is no option yields its `kind`, marked as the recipe's own when there is an
        option of that name: it must not pass for a point that was drawn.
        """
        own = look_up(section, self.key)
        if not isinstance(own, Mapping):
            return
        alone, inside = self._resolvers(own, resolve)
        for label, option in self.options.items():
            if option.means(own, alone):
                yield self.kind.name, label
                for node in option.nodes:
                    yield from node.in_effect(own, inside)
                return
        kind = own.get("kind")
        if isinstance(kind, str):
            yield self.kind.name, f"{kind} (own)" if kind in self.options else kind

    def given(self, section: Section, resolve: Resolve) -> Iterator[tuple[str, Value]]:
        """Yields the label of the option that is meant, and what is said of what stands inside."""
        part = look_up(section, self.key)
        if part is ABSENT:
            return
        if not isinstance(part, Mapping):
            raise ConfigError(f"{self.key}: found {describe(part)}; {self._allowed(part)}")
        alone, inside = self._resolvers(part, resolve)
        fitting = [label for label, one in self.options.items() if one.fits(part, alone)]
        # Of options of one kind some may have more constants than are given.
        just = [label for label in fitting if self.options[label].says(part)]
        found = just or fitting
        if len(found) != 1:
            written = json.dumps(part, default=str)
            raise ConfigError(f"{self.key}: found {written}; {self._allowed(part.get('kind'))}")
        label = found[0]
        yield self.kind.name, label
        for node in self.options[label].nodes:
            try:
                yield from node.given(part, inside)
            except ConfigError as error:
                raise ConfigError(f"{self.key}.{error}") from error

    def _allowed(self, kind: object) -> str:
        near = did_you_mean(str(kind), self.options)
        return f"allowed: a section that is one of {', '.join(self.options)}.{near}"

    def _resolvers(self, own: Section, resolve: Resolve) -> tuple[Resolve, Resolve]:
        """Returns what resolves a section in the place of `own`, and `own` with other keys."""

        def alone(keys: Section) -> Section:
            return _section(look_up(resolve({self.key: keys}), self.key))

        def inside(keys: Section) -> Section:
            return alone(override(own, keys))

        return alone, inside

    def corners(self) -> Iterator[dict[str, object]]:
        """Yields every option, with the corners of what stands inside it."""
        for option in self.options.values():
            for section in option.corners():
                yield {self.key: section}

    def between(self) -> Iterator[dict[str, object]]:
        """Yields every option, with what lies between the corners inside it."""
        for option in self.options.values():
            for section in option.between():
                yield {self.key: section}


def _section(value: object) -> Section:
    return value if isinstance(value, Mapping) else {}
