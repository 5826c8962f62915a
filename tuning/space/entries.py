"""The entries of `search:` in a study file: what values of `run` are drawn from."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Tag

from mtl_core.errors import did_you_mean
from tuning.space.branches import Branch, Option
from tuning.space.domains import Domain, Options
from tuning.space.parameters import Node
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

ENTRY_KEYS = ("range", "log_range", "int_range", "log_int_range", "choice")
"""What an entry of `search:` may be; every entry is a mapping with exactly one of them."""
_BESIDE = ("prior",)
"""What may stand beside it."""


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
    names: Sequence[object] = _labels(sections) if sections else options
    if len(names) < 2:
        raise refusal(f"found a choice of {len(names)}; allowed: two options or more")
    seen: set[object] = set()
    for name in names:
        if name in seen:
            raise refusal(f"found the option {name!r} twice; allowed: options that differ")
        seen.add(name)
    return options


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
    known = (*ENTRY_KEYS, *_BESIDE)
    for key in value:
        if key not in known:
            hint = did_you_mean(str(key), known)
            raise refusal(f"unknown key '{key}'; allowed here: {', '.join(known)}.{hint}")
    if sum(key in ENTRY_KEYS for key in value) != 1:
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
    Annotated[Scalar, Tag("value")] | Annotated[_SectionEntry, Tag("section")],
    Discriminator(_option_tag),
]

# A choice may hold sections that hold entries, so its annotation names what stands below it.
Choice.model_rebuild()
