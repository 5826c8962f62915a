"""The entries of `search:` in a study file: ranges and choices that values of `run` are drawn from.

Most entries are one `Parameter`. A choice of sections is a `Branch`: which section, and then what
stands inside the chosen one (a conditional space).
"""

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Discriminator, Strict, Tag
from pydantic_core import PydanticCustomError

from mtl_core.errors import did_you_mean
from mtl_core.section import Section
from tuning.records import Value
from tuning.space.parameters import Branch, Option, Parameter

ENTRY_KEYS = ("range", "log_range", "int_range", "log_int_range", "choice")
"""What an entry of `search:` may be; every entry is a mapping with exactly one of them."""


class _Entry(Section):
    """One entry of `search:`."""

    @abstractmethod
    def build(self, name: str) -> Parameter | Branch:
        """Returns what draws the values of the key `name`."""

    @property
    def draws_fractions(self) -> bool:
        """Whether it, or an entry inside its options, is a range of fractions."""
        return False


def _refusal(message: str) -> PydanticCustomError:
    """An error of the study file; its place is added by the loader."""
    # The text is passed as a value: pydantic would take braces in a template for names. Not a
    # `ValueError`, whose text up to a colon may be taken for a key (see `validate`).
    return PydanticCustomError("search_entry", "{message}", {"message": message})


Number = TypeVar("Number", int, float)


def _ascending(bounds: tuple[Number, Number]) -> tuple[Number, Number]:
    low, high = bounds
    if low >= high:
        raise _refusal(f"found [{low}, {high}]; allowed: two numbers, the lower one first")
    return bounds


def _positive(bounds: tuple[Number, Number]) -> tuple[Number, Number]:
    low, high = bounds
    if low <= 0:
        raise _refusal(f"found [{low}, {high}]; allowed on a log scale: numbers above 0")
    return bounds


# Strict, so that neither "3" nor `true` passes for a number.
_Float = Annotated[float, Strict()]
_Int = Annotated[int, Strict()]
_FloatBounds = Annotated[tuple[_Float, _Float], AfterValidator(_ascending)]
_IntBounds = Annotated[tuple[_Int, _Int], AfterValidator(_ascending)]


class FloatRange(_Entry):
    """A number, all values equally likely."""

    range: _FloatBounds
    """Lowest and highest value, both included."""

    def build(self, name: str) -> Parameter:
        """Returns the parameter of the key `name`."""
        return Parameter(name, *self.range)

    @property
    def draws_fractions(self) -> bool:
        """Always true: the range is one of fractions."""
        return True


class LogRange(_Entry):
    """A number, all orders of magnitude equally likely."""

    log_range: Annotated[_FloatBounds, AfterValidator(_positive)]
    """Lowest and highest value, both included, above 0."""

    def build(self, name: str) -> Parameter:
        """Returns the parameter of the key `name`."""
        return Parameter(name, *self.log_range, log=True)

    @property
    def draws_fractions(self) -> bool:
        """Always true: the range is one of fractions."""
        return True


class IntRange(_Entry):
    """A whole number, all values equally likely."""

    int_range: _IntBounds
    """Lowest and highest value, both included."""

    def build(self, name: str) -> Parameter:
        """Returns the parameter of the key `name`."""
        return Parameter(name, *self.int_range, is_integer=True)


class LogIntRange(_Entry):
    """A whole number, all orders of magnitude equally likely."""

    log_int_range: Annotated[_IntBounds, AfterValidator(_positive)]
    """Lowest and highest value, both included, above 0."""

    def build(self, name: str) -> Parameter:
        """Returns the parameter of the key `name`."""
        low, high = self.log_int_range
        return Parameter(name, low, high, log=True, is_integer=True)


class Choice(_Entry):
    """One of some values, or one of some sections."""

    choice: "Annotated[tuple[_OptionEntry, ...], AfterValidator(_distinct)]"
    """The options, at least two: scalars, or sections in which entries may stand for values."""

    def build(self, name: str) -> Parameter | Branch:
        """Returns the parameter of the key `name`, or the branch if the options are sections."""
        sections = [option for option in self.choice if isinstance(option, dict)]
        if not sections:
            options = tuple(option for option in self.choice if not isinstance(option, dict))
            return Parameter(name, options=options)
        # Optuna knows categories of scalars only, so sections are drawn by their labels.
        labels = _labels(sections)
        return Branch(
            kind=Parameter(f"{name}.kind", options=tuple(labels)),
            options={
                label: _build_option(f"{name}.{label}", section)
                for label, section in zip(labels, sections, strict=True)
            },
        )

    @property
    def draws_fractions(self) -> bool:
        """Whether an entry inside its options does."""
        sections = [option for option in self.choice if isinstance(option, dict)]
        inner = [value for section in sections for value in section.values()]
        return any(entry.draws_fractions for entry in inner if isinstance(entry, _Entry))


def _build_option(name: str, section: "_SectionEntry") -> Option:
    """Returns the option of a choice whose parameters are called `name`.<key>."""
    return Option(
        constants=_constants(section),
        nodes={
            key: value.build(f"{name}.{key}")
            for key, value in section.items()
            if isinstance(value, _Entry)
        },
    )


def _constants(section: "_SectionEntry") -> dict[str, object]:
    return {key: value for key, value in section.items() if not isinstance(value, _Entry)}


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
        raise _refusal("found values and sections in one choice; allowed: only one of the two")
    names: Sequence[object] = _labels(sections) if sections else options
    if len(names) < 2:
        raise _refusal(f"found a choice of {len(names)}; allowed: two options or more")
    seen: set[object] = set()
    for name in names:
        if name in seen:
            raise _refusal(f"found the option {name!r} twice; allowed: options that differ")
        seen.add(name)
    return options


def _is_entry(value: object) -> bool:
    if isinstance(value, Mapping):
        return len(value) == 1 and next(iter(value)) in ENTRY_KEYS
    return isinstance(value, _Entry)


def _check_entry(value: Any) -> Any:
    """Refuses what is no entry, before pydantic looks for the class of its key."""
    allowed = ", ".join(ENTRY_KEYS)
    if _is_entry(value):
        return value
    if not isinstance(value, Mapping):
        raise _refusal(f"found {value!r}; allowed: a mapping with one of the keys {allowed}")
    for key in value:
        if key not in ENTRY_KEYS:
            hint = did_you_mean(str(key), ENTRY_KEYS)
            raise _refusal(f"unknown key '{key}'; allowed here: {allowed}.{hint}")
    raise _refusal(
        f"found the keys {', '.join(value) or 'none'}; allowed: exactly one of {allowed}"
    )


def _entry_tag(value: "Mapping[str, object] | _Entry") -> str:
    """Returns the one key of an entry, be it plain data or already a section."""
    return next(iter(value if isinstance(value, Mapping) else type(value).model_fields))


def _check_value(value: Any) -> Any:
    """Refuses lists and the like, with one error instead of one for each type of scalar."""
    if value is None or isinstance(value, str | int | float):
        return value
    raise _refusal(f"found the option {value!r}; allowed: text, a number, true, false, null")


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
    | Annotated[Choice, Tag("choice")],
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
    Annotated[Value, BeforeValidator(_check_value), Tag("value")]
    | Annotated[_SectionEntry, Tag("section")],
    Discriminator(_option_tag),
]

# A choice may hold sections that hold entries, so its annotation names what stands below it.
Choice.model_rebuild()
