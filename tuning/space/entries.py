"""The entries of `search:` in a study file: what values of `run` are drawn from."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Strict, Tag

from mtl_core.errors import did_you_mean
from tuning.records import Value
from tuning.space.branches import Branch, Option
from tuning.space.domains import Domain, is_number, spelled
from tuning.space.option_domains import Options, Ordered
from tuning.space.parameters import Node, Parameter
from tuning.space.range_domains import Floats
from tuning.space.ranges import (
    EntryBase,
    FloatRange,
    IntRange,
    LogIntRange,
    LogRange,
    Scalar,
    WithPrior,
    refusal,
)
from tuning.space.simplex import Simplex, stick_name


def _check_distinct(names: Sequence[object]) -> None:
    if len(names) < 2:
        raise refusal(f"found a choice of {len(names)}; allowed: two options or more")
    seen: set[object] = set()
    for name in names:
        if name in seen:
            raise refusal(f"found the option {name!r} twice; allowed: options that differ")
        seen.add(name)


def _in_order(values: tuple[Value, ...]) -> tuple[Value, ...]:
    _check_distinct(values)
    numbers = [value for value in values if is_number(value)]
    if len(numbers) == len(values) and numbers != sorted(numbers):
        wanted = ", ".join(map(spelled, sorted(numbers)))
        raise refusal(
            f"found the numbers {', '.join(map(spelled, values))}; allowed: numbers from low to "
            f"high, that is {wanted}"
        )
    return values


def _different_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    _check_distinct(keys)
    return keys


class Choice(WithPrior):
    """One of some values, or one of some sections."""

    choice: "Annotated[tuple[_OptionEntry, ...], AfterValidator(_distinct)]"
    """The options, at least two: scalars, or sections in which entries may stand for values."""

    def domain(self) -> Domain:
        """Returns the values, or the labels of the sections."""
        sections = self._sections
        # Optuna knows categories of scalars only, so sections are drawn by their labels.
        return Options(
            tuple(_labels(sections))
            if sections
            else tuple(option for option in self.choice if not isinstance(option, dict))
        )

    def build(self, key: str, name: str) -> Node:
        """Returns the parameter of the key, or the branch if the options are sections."""
        if not self._sections:
            return super().build(key, name)
        return Branch(
            key,
            kind=self.parameter(f"{name}.kind"),
            options={
                label: _build_option(f"{name}.{label}", section)
                for label, section in zip(_labels(self._sections), self._sections, strict=True)
            },
        )

    @property
    def draws_fractions(self) -> bool:
        """Whether an entry inside its options does."""
        inner = [value for section in self._sections for value in section.values()]
        return any(entry.draws_fractions for entry in inner if isinstance(entry, EntryBase))

    def examples(self) -> Sequence[object]:
        """Returns every option; what stands inside a section has the first of its values."""
        if not self._sections:
            return self.choice
        return [next(_build_option("", section).corners()) for section in self._sections]

    @property
    def _sections(self) -> "list[_SectionEntry]":
        return [option for option in self.choice if isinstance(option, dict)]


def _build_option(name: str, section: "_SectionEntry") -> Option:
    """Returns the option of a choice whose parameters are called `name`.<key>."""
    entries = [(key, value) for key, value in section.items() if isinstance(value, EntryBase)]
    return Option(
        constants=_constants(section),
        nodes=tuple(entry.build(key, f"{name}.{key}") for key, entry in entries),
    )


class OrderedChoice(WithPrior):
    """One of some values in an order that counts: samplers take neighbours to be alike."""

    ordered: Annotated[tuple[Scalar, ...], AfterValidator(_in_order)]
    """The values, at least two, from one end to the other; numbers from low to high."""

    def domain(self) -> Domain:
        """Returns the values."""
        return Ordered(self.ordered)

    def examples(self) -> Sequence[object]:
        """Returns every value."""
        return self.ordered


class SimplexEntry(EntryBase):
    """Numbers of several keys, never negative and with a fixed sum; all such points equally likely.

    It stands under a name of its own, for instance `task_weights`, since no key has all of them.
    """

    simplex: Annotated[tuple[str, ...], AfterValidator(_different_keys)]
    """The keys, at least two."""
    sum: Annotated[float, Strict(), Field(gt=0)] = 1.0
    """What their numbers add up to."""

    def build(self, key: str, name: str) -> Node:
        """Returns what draws the numbers of all the keys."""
        around = name.removesuffix(key)
        return Simplex(
            keys=self.simplex,
            names=tuple(f"{around}{inner}" for inner in self.simplex),
            sticks=tuple(
                Parameter(stick_name(name, number), Floats(0.0, 1.0))
                for number in range(1, len(self.simplex))
            ),
            total=self.sum,
        )


def _constants(section: "_SectionEntry") -> dict[str, object]:
    return {key: value for key, value in section.items() if not isinstance(value, EntryBase)}


def _labels(sections: "Sequence[_SectionEntry]") -> list[str]:
    """Returns the `kind` of every section; all its constants as JSON where that is not enough."""
    constants = [_constants(section) for section in sections]
    # Labels stand in the Optuna journal, so the same file has to give the same ones after a
    # restart.
    kinds = [section.get("kind") for section in constants]
    counts = Counter(kind for kind in kinds if isinstance(kind, str))
    return [
        kind if isinstance(kind, str) and counts[kind] == 1 else json.dumps(section, default=str)
        for kind, section in zip(kinds, constants, strict=True)
    ]


def _distinct(options: "tuple[_OptionEntry, ...]") -> "tuple[_OptionEntry, ...]":
    """Refuses options among which there is nothing to choose, or that cannot be told apart."""
    sections = [option for option in options if isinstance(option, dict)]
    if 0 < len(sections) < len(options):
        raise refusal("found values and sections in one choice; allowed: only one of the two")
    _check_distinct(_labels(sections) if sections else options)
    return options


_KINDS: Mapping[str, type[EntryBase]] = {
    "range": FloatRange,
    "log_range": LogRange,
    "int_range": IntRange,
    "log_int_range": LogIntRange,
    "choice": Choice,
    "ordered": OrderedChoice,
    "simplex": SimplexEntry,
}
ENTRY_KEYS = tuple(_KINDS)
"""What an entry of `search:` may be; every entry is a mapping with exactly one of them."""


def _is_entry(value: object) -> bool:
    # By one key alone: what else stands there may be misspelt, and is then told.
    return isinstance(value, EntryBase) or (
        isinstance(value, Mapping) and any(key in ENTRY_KEYS for key in value)
    )


def _check_entry(value: Any) -> Any:
    """Refuses what is no entry, before pydantic looks for the class of its key."""
    allowed = ", ".join(ENTRY_KEYS)
    if isinstance(value, EntryBase):
        return value
    if not isinstance(value, Mapping):
        raise refusal(f"found {value!r}; allowed: a mapping with one of the keys {allowed}")
    kinds = [key for key in value if key in ENTRY_KEYS]
    # What may stand beside the key that says what it is, or all that may be meant.
    beside = [key for kind in kinds for key in _KINDS[kind].model_fields]
    known = list(dict.fromkeys(beside or (*ENTRY_KEYS, "prior", "step", "sum")))
    for key in value:
        if key not in (*known, *kinds):
            hint = did_you_mean(str(key), known)
            raise refusal(f"unknown key '{key}'; allowed here: {', '.join(known)}.{hint}")
    if len(kinds) != 1:
        raise refusal(
            f"found the keys {', '.join(value) or 'none'}; allowed: exactly one of {allowed}"
        )
    return value


def _entry_tag(value: "Mapping[str, object] | EntryBase") -> str:
    """Returns the key that says what an entry is, be it plain data or already a section."""
    keys = value if isinstance(value, Mapping) else type(value).model_fields
    return next(key for key in keys if key in ENTRY_KEYS)


def _option_tag(value: object) -> str:
    return "section" if isinstance(value, Mapping) else "value"


def _inner_tag(value: object) -> str:
    return "entry" if _is_entry(value) else "constant"


# Functions choose the arm of each union below: left to itself, pydantic would try all arms and tell
# an error for every one. The `Before` validators run first, and word what no arm would take.
Entry = Annotated[
    Annotated[FloatRange, Tag("range")]
    | Annotated[LogRange, Tag("log_range")]
    | Annotated[IntRange, Tag("int_range")]
    | Annotated[LogIntRange, Tag("log_int_range")]
    | Annotated[Choice, Tag("choice")]
    | Annotated[OrderedChoice, Tag("ordered")]
    | Annotated[SimplexEntry, Tag("simplex")],
    Discriminator(_entry_tag),
    BeforeValidator(_check_entry),
]
"""What a key of `search:` is drawn from."""

_SectionEntry = dict[
    str,
    Annotated[
        Annotated[Entry, Tag("entry")] | Annotated[object, Tag("constant")],
        Discriminator(_inner_tag),
    ],
]
_OptionEntry = Annotated[
    Annotated[Scalar, Tag("value")] | Annotated[_SectionEntry, Tag("section")],
    Discriminator(_option_tag),
]

# A choice may hold sections that hold entries, so its annotation names what stands below it.
Choice.model_rebuild()
