"""Tag schemes: how the tags of words mark spans, and how each becomes IOB2.

IOB1: Ramshaw and Marcus (1995), https://aclanthology.org/W95-0107; IOB2: Tjong Kim Sang and
Veenstra (1999), https://aclanthology.org/E99-1023; IOBES, as BILOU: Ratinov and Roth (2009),
https://aclanthology.org/W09-1119.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Scheme = Literal["iob2", "iob1", "iobes", "io", "plain"]
"""How the tags of a column are written.

`iobes` has the letters of IOBES, BILOU and BMES; in `io` neighbouring words of one type are one
span (`PER PER O` or `I-PER I-PER O`); `plain` tags mark no spans.
"""

_LETTERS = {"iob2": "IB", "iob1": "IB", "iobes": "IBESLUM", "io": "I"}
_FORMS = {
    "iob2": "O, I-TYPE, B-TYPE",
    "iob1": "O, I-TYPE, B-TYPE",
    "iobes": "O, B-TYPE, I-TYPE, E-TYPE, S-TYPE, or BILOU, or BMES",
    "io": "O, TYPE or I-TYPE",
}
_FULL: tuple[Scheme, ...] = ("iob2", "iobes")
"""Schemes whose tags say by themselves what they are."""
_OUTSIDE = frozenset({"O", "0"})
"""What words outside of all spans have; the digit where files were typed or scanned."""
_OTHER = re.compile(r"[BESLUM][-_].*", re.DOTALL)
"""Tags that are no types of `io`: they have the letters of other schemes."""


class TagError(ValueError):
    """A tag is not of its scheme.

    Attributes:
        position: The number of its word, from 0.
    """

    def __init__(self, position: int, reason: str) -> None:
        """Makes the error of a word."""
        super().__init__(reason)
        self.position = position


@dataclass(frozen=True, slots=True)
class TagReader:
    """Reads the tags of one column of one file as IOB2.

    Attributes:
        scheme: How they are written.
        typed: Tag -> the same with a type and a hyphen, for all that are of the scheme: where B, I
            and O stand alone, the column is the type.
        advice: What an error says at its end: what else all tags of the file are.
    """

    scheme: Scheme
    typed: Mapping[str, str]
    advice: str

    @classmethod
    def over(cls, tags: Iterable[str], scheme: Scheme | None, column: str) -> "TagReader":
        """Returns the reader of a column.

        Args:
            tags: All tags that the column has in the file.
            scheme: How they are written; None = as IOB2, or as IOBES where only that fits; numbers
                stay as they are, to be given names.
            column: Name of the column: the type of spans that have none.
        """
        found = frozenset(tags)
        if scheme is None:
            scheme = _told_by(found)
        is_bare = _are_bare(found, scheme)
        # B among letters alone begins a span, and is no type.
        is_other = scheme == "io" and "B" in found and _fit(found, "iobes")
        every = frozenset() if is_other else found - _OUTSIDE
        named = (tag for tag in every if _fits(tag, scheme, is_bare=is_bare))
        typed = {tag: f"{tag}-{column}" if is_bare else _hyphened(tag, scheme) for tag in named}
        return cls(scheme, dict.fromkeys(_OUTSIDE, "O") | typed, advice(found, scheme, column))

    def read(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Returns the tags of a sentence in IOB2; letters that stand alone get the column's name.

        `iob1` begins a span by I- unless it touches one of the same type; `iobes` marks ends and
        single words. In `iob2` an I- that continues nothing stays as it is, and no span is counted
        there. The digit 0 is read as O, and B_TYPE as B-TYPE.

        Raises:
            TagError: A tag is not of the scheme.
        """
        if self.scheme == "plain":
            return tuple(tags)
        for position, tag in enumerate(tags):
            if tag not in self.typed:
                forms = f"{self.scheme} ({_FORMS[self.scheme]})"
                raise TagError(position, f"expected a tag of {forms}, found '{tag}'{self.advice}")
        typed = [self.typed[tag] for tag in tags]
        if self.scheme == "iob2":
            return tuple(typed)
        return tuple({"iob1": _iob1, "io": _io, "iobes": _iobes}[self.scheme](typed))


def advice(tags: AbstractSet[str], scheme: Scheme, column: str) -> str:
    """Returns what the error on a tag that is not of its scheme says at its end, or "".

    Args:
        tags: All tags of the column in the file.
        scheme: What they were read as.
        column: Name of the column.
    """
    named = tags - _OUTSIDE
    if _are_numbers(tags):
        return "; `labels: {map: {0: O, 1: B-TYPE, ...}}` says what stands behind numbers"
    offers: list[tuple[Scheme, str]] = [(other, "") for other in _FULL if _fit(tags, other)]
    # Where some tags are of the scheme, the others are slips.
    is_slip = any(_fits(tag, scheme, is_bare=_are_bare(tags, scheme)) for tag in named)
    if not offers and not is_slip:
        # Any word is a type of `io`; but where there are spans, most words stand outside of them.
        if _fit(tags, "io") and tags & _OUTSIDE:
            offers.append(("io", " where neighbouring equal tags are one span"))
        offers.append(("plain", " where they mark no spans"))
    parts = [f"`schemes: {{{column}: {other}}}`{when}" for other, when in offers]
    return f"; all tags of the column fit {', or '.join(parts)}" if parts else ""


def _hyphened(tag: str, scheme: Scheme) -> str:
    is_joint = tag[1:2] == "_" and tag[0] in _LETTERS.get(scheme, "")
    return f"{tag[0]}-{tag[2:]}" if is_joint else tag


def _told_by(tags: AbstractSet[str]) -> Scheme:
    """Returns the scheme that tags say themselves; where none is told, the one that is checked."""
    if _are_numbers(tags):
        return "plain"
    return "iobes" if not _fit(tags, "iob2") and _fit(tags, "iobes") else "iob2"


def _are_numbers(tags: AbstractSet[str]) -> bool:
    return bool(tags - _OUTSIDE) and all(tag.isdecimal() for tag in tags)


def _fit(tags: AbstractSet[str], scheme: Scheme) -> bool:
    is_bare = _are_bare(tags, scheme)
    # B alone says that letters are what they seem; L and M alone may be types.
    is_clear = not is_bare or "B" in tags
    return is_clear and all(_fits(tag, scheme, is_bare=is_bare) for tag in tags - _OUTSIDE)


def _are_bare(tags: AbstractSet[str], scheme: Scheme) -> bool:
    """Returns whether all tags are letters alone; B alone among B-PER is a slip, not a scheme."""
    named = tags - _OUTSIDE
    return bool(named) and named <= {*_LETTERS.get(scheme, "")}


def _fits(tag: str, scheme: Scheme, *, is_bare: bool) -> bool:
    """Returns whether a tag that is not O is of a scheme."""
    if is_bare or scheme == "plain":
        return True
    if scheme == "io":
        return bool(tag) and not _OTHER.fullmatch(tag)
    return len(tag) > 2 and tag[0] in _LETTERS[scheme] and tag[1] in "-_"


def _iob1(tags: Sequence[str]) -> Iterator[str]:
    # `before[2:]` of O is "", which is no type: an I- behind O begins a span.
    for before, tag in pairwise(["O", *tags]):
        begins = tag[0] == "I" and before[2:] != tag[2:]
        yield f"B-{tag[2:]}" if begins else tag


def _io(tags: Sequence[str]) -> Iterator[str]:
    types = ["" if tag == "O" else tag.removeprefix("I-") for tag in tags]
    for before, kind in pairwise(["", *types]):
        yield f"{'I' if kind == before else 'B'}-{kind}" if kind else "O"


def _iobes(tags: Sequence[str]) -> Iterator[str]:
    # Only B-, I- and M- leave a span open: behind an end or a single word a new one begins.
    for before, tag in pairwise(["O", *tags]):
        continues = before[0] in "BIM" and before[2:] == tag[2:] and tag[0] in "IMEL"
        yield tag if tag == "O" else f"{'I' if continues else 'B'}-{tag[2:]}"
