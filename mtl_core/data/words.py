"""Words: how running text is cut into them, in training and in prediction alike."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from string import punctuation
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer

Words = Literal["whitespace", "punctuation", "characters"]
"""Where words end: at white space, also at every punctuation mark, or at every character.

Where punctuation cuts, every letter of a script that is written without spaces is a word, too.
"""

Place = tuple[int, int]
"""The first character of a word, and the one behind its last."""

_FINENESS: tuple[Words, ...] = ("whitespace", "punctuation", "characters")
_UNSPACED = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U000323af]"
)
"""Letters of scripts without spaces: Thai, Lao, Burmese, Khmer, kana, ideographs (as for BERT)."""
_LETTER = re.compile(_UNSPACED)
_LETTERS = re.compile(f"{_UNSPACED}{{2}}")
_APOSTROPHES = frozenset("'\u2019")
"""Where languages part words that they write as one: it's, l'eau."""
_INITIALS = re.compile(r"(?:[^\W\d_]\.){2,}")
_MOST_ATOMS = 16
"""Longest known word within a piece, in atoms; text without spaces may be one endless piece."""


@dataclass(frozen=True, slots=True)
class Joins:
    """What stays together where every mark would cut, learnt from the words of tokenised text.

    There "U.N." and "well-known" are words and "Leeds." is none; see `words_like`.

    Attributes:
        parting: Marks that cut between letters, too; others do not.
        before: Marks that stay with the letters behind them.
        after: Marks that stay with the letters in front of them.
        spaces: White space that stands inside of words, such as U+00A0.
        whole: Words that all this would cut, their apostrophes straight.
    """

    parting: str = ""
    before: str = ""
    after: str = ""
    spaces: str = ""
    whole: frozenset[str] = frozenset()

    def ends(self, atoms: Sequence[str]) -> Iterator[int]:
        """Yields for each word of a piece of text the number of the atom behind its last.

        Args:
            atoms: What the piece falls into where every mark cuts.
        """
        stop = 0
        while stop < len(atoms):
            stop = self._known(atoms, stop) or self._joined(atoms, stop)
            yield stop

    def _known(self, atoms: Sequence[str], start: int) -> int:
        """Returns the end of the longest word of `whole` that begins at an atom; 0 = none does."""
        for stop in range(min(len(atoms), start + _MOST_ATOMS) if self.whole else 0, start, -1):
            last = atoms[stop - 1]
            # Not the "St." of "St.x": only an apostrophe parts what is written as one.
            is_free = stop == len(atoms) or is_mark(atoms[stop]) or not is_mark(last)
            if (is_free or last in _APOSTROPHES) and straight(atoms[start:stop]) in self.whole:
                return stop
        return 0

    def _joined(self, atoms: Sequence[str], start: int) -> int:
        """Returns the end of the word that begins at an atom, with the marks that belong to it."""
        stop = _skip(atoms, start, self.before)
        if stop == len(atoms) or is_mark(atoms[stop]):
            return start + 1  # a mark by itself
        while (behind := self._behind_marks(atoms, stop)) is not None:
            if atoms[stop + 1] in _APOSTROPHES and self._known(atoms, stop + 1):
                return stop + 1  # the "it" of "it's", where "'s" is a word
            stop = behind
        # "U.N." keeps its last mark where its first one joins, also when training lacks the word.
        if _INITIALS.fullmatch("".join(atoms[start : stop + 2])):
            return stop + 2
        return _skip(atoms, stop + 1, self.after)

    def _behind_marks(self, atoms: Sequence[str], number: int) -> int | None:
        """Returns the letters that marks join to those at `number`; None = none are joined."""
        behind = number + 1
        while behind < len(atoms) and is_mark(atoms[behind]) and atoms[behind] not in self.parting:
            behind += 1
        is_joined = number + 1 < behind < len(atoms) and not is_mark(atoms[behind])
        # Where letters are words of their own, no mark makes one of two.
        ends = (atoms[number], atoms[behind]) if is_joined else ()
        return behind if is_joined and not any(map(is_unspaced, ends)) else None


@dataclass(frozen=True, slots=True)
class Cut:
    """How running text is cut into words.

    Attributes:
        words: Where words end. Marks are ASCII punctuation and what Unicode calls punctuation, as
            for BERT.
        joins: What stays together all the same; None = nothing does.
    """

    words: Words = "whitespace"
    joins: Joins | None = None

    @classmethod
    def merge(cls, parts: Iterable["Cut"]) -> "Cut":
        """Returns one cut for a task on several data sets: the first of those that cut most."""
        return max(parts, key=lambda cut: _FINENESS.index(cut.words))

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Cut":
        """Reads what `to_json` returned.

        Raises:
            KeyError, ValueError: It is something else.
        """
        if plain["words"] not in _FINENESS:
            raise ValueError(f"'{plain['words']}' is no way to cut words")
        if plain["joins"] is None:
            return cls(plain["words"])
        found = dict(plain["joins"])
        whole = frozenset(map(str, found.pop("whole")))
        marks = {name: str(found[name]) for name in ("parting", "before", "after", "spaces")}
        return cls(plain["words"], Joins(**marks, whole=whole))

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        joins = self.joins and asdict(self.joins) | {"whole": sorted(self.joins.whole)}
        return {"words": self.words, "joins": joins}

    def places(self, text: str) -> list[Place]:
        """Returns where the words of a text stand, in their order; white space is in none."""
        pieces = [found.span() for found in _between(self._spaces).finditer(text)]
        if self.words == "whitespace":
            return pieces
        apart = {text[start:end] for start, end in pieces if is_mark(text[start])}
        return [
            (start + first, start + last)
            for start, end in pieces
            for first, last in self._cut(text[start:end], apart)
        ]

    @property
    def is_guess(self) -> bool:
        """Whether text without spaces is cut into known words, since training has longer ones."""
        return self.joins is not None and any(map(is_unspaced, self.joins.whole))

    @property
    def _spaces(self) -> str:
        return "" if self.joins is None else self.joins.spaces

    def _cut(self, piece: str, apart: set[str]) -> Sequence[Place]:
        """Returns the words of a piece.

        Args:
            piece: Text between white space.
            apart: Marks that stand between white space elsewhere in the text.
        """
        places = atoms_of(piece, self.words)
        if self.joins is None or len(places) == 1:
            return places
        atoms = [piece[slice(*place)] for place in places]
        words = [
            (places[start][0], places[end - 1][1])
            for start, end in pairwise([0, *self.joins.ends(atoms)])
        ]
        # Tokenised text stays as it is: marks alone between white space are one word, and a mark
        # that the text itself has apart is not cut off a word elsewhere in it.
        marks = [text for word in words if is_mark(text := piece[slice(*word)])]
        num_others = len(words) - len(marks)
        if num_others == 0 or (num_others == 1 and apart.issuperset(marks)):
            return [(0, len(piece))]
        return words


def straight(atoms: Iterable[str]) -> str:
    """Returns a word with straight apostrophes, from its letters or atoms."""
    return "".join(atoms).replace("\u2019", "'")


def is_mark(text: str) -> bool:
    """Returns whether a text is punctuation alone."""
    return all(
        character in punctuation or unicodedata.category(character).startswith("P")
        for character in text
    )


def is_unspaced(text: str) -> bool:
    """Returns whether a text begins with a letter of a script that is written without spaces."""
    return bool(_LETTER.match(text))


def has_unspaced(text: str) -> bool:
    """Returns whether letters of scripts without spaces stand side by side in a text."""
    return bool(_LETTERS.search(text))


def atoms_of(piece: str, words: Words) -> list[Place]:
    """Returns the words of a piece of text without white space when nothing is joined."""
    if words == "whitespace" or (words == "punctuation" and piece.isascii() and piece.isalnum()):
        return [(0, len(piece))]
    return [place for _, place in _pre_tokenizer(words).pre_tokenize_str(piece)]


@cache
def _pre_tokenizer(words: Words) -> "PreTokenizer":
    # Where it is used: reading and checking files needs none.
    from tokenizers import Regex, pre_tokenizers

    if words == "characters":
        # What a reader sees as one: a letter with its accents, an emoji of several parts.
        return pre_tokenizers.Split(Regex(r"\X"), "isolated")
    marks = pre_tokenizers.Punctuation("isolated")
    # A letter, with the signs that stand on it.
    letters = pre_tokenizers.Split(Regex(rf"{_UNSPACED}\p{{M}}*"), "isolated")
    return pre_tokenizers.Sequence([marks, letters])


@cache
def _between(spaces: str) -> re.Pattern[str]:
    """Returns the pattern of what stands between white space, some of which does not cut."""
    return re.compile(rf"[\S{re.escape(spaces)}]+")


def _skip(atoms: Sequence[str], start: int, marks: str) -> int:
    """Returns the first atom from `start` on that is none of the marks."""
    while start < len(atoms) and atoms[start] in marks:
        start += 1
    return start
