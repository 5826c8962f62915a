"""Finds the cut that makes the words of running text look as those of tokenised training data."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mtl_core.data.words import Cut, Joins, atoms_of, is_mark, is_unspaced, straight

_NEARLY_ALL = 0.99
"""Share of words of one character from which on all words are taken to be such."""


def words_like(words: Mapping[str, int]) -> Cut:
    """Returns the cut for texts to predict, when a model is trained on tokenised text.

    White space alone cuts where marks stand at words more often than apart from them. Else a mark
    is cut off where training has it apart. Text without spaces is cut into single characters where
    training has those, else into the longest words of training.

    Args:
        words: Word -> how often it stands in the train split.
    """
    total = sum(words.values())
    atoms = {word: _atoms(word) for word in words if word and not set(word) & set(" \t\n\r\f\v")}
    unspaced = sum(count for word, count in words.items() if is_unspaced(word))
    if unspaced > total / 2:
        single = sum(words[word] for word in atoms if len(atoms_of(word, "characters")) == 1)
        if single >= _NEARLY_ALL * total:
            return Cut("characters")
    joins, is_apart = _joins(atoms, words)
    if not is_apart and unspaced <= total / 2:
        return Cut("whitespace", Joins(spaces=joins.spaces))
    whole = {
        straight(word)
        for word, parts in atoms.items()
        if next(joins.ends(parts)) < len(parts) and _stays_whole(word, words)
    }
    return Cut("punctuation", replace(joins, whole=frozenset(whole | _parted(atoms, words))))


def _atoms(word: str) -> Sequence[str]:
    return [word[slice(*place)] for place in atoms_of(word, "punctuation")]


def _joins(atoms: Mapping[str, Sequence[str]], words: Mapping[str, int]) -> tuple[Joins, bool]:
    """Returns the marks that belong to words, and whether marks mostly stand apart."""
    apart, before, after = Counter[str](), Counter[str](), Counter[str]()
    inside: set[str] = set()
    attached = alone = 0
    for word, parts in atoms.items():
        letters = [number for number, part in enumerate(parts) if not is_mark(part)]
        if not letters:
            apart.update(dict.fromkeys(parts, words[word]))
            alone += words[word]
            continue
        inner = [part for part in parts[letters[0] : letters[-1]] if is_mark(part)]
        inside.update(inner)
        # The last mark of "U.N." says nothing of that of "Leeds.".
        if not inner:
            # Once for each word: of the many "'s" none shows that quotes stay at what they quote.
            before.update(set(parts[: letters[0]]))
            after.update(set(parts[letters[-1] + 1 :]))
            attached += words[word] * (len(parts) > len(letters))
    spaces = {letter for word in atoms for letter in word if letter.isspace()}
    joins = Joins(
        parting=_text_of(apart.keys() - inside),
        before=_text_of(mark for mark in before if before[mark] > apart[mark]),
        after=_text_of(mark for mark in after if after[mark] > apart[mark]),
        spaces=_text_of(spaces),
    )
    return joins, attached <= alone


def _text_of(characters: Iterable[str]) -> str:
    return "".join(sorted(characters))


def _stays_whole(word: str, words: Mapping[str, int]) -> bool:
    """Returns whether a word with marks at its ends is one, and not a slip of who cut the text."""
    core = word.strip("".join(filter(is_mark, word)))
    # "Leeds." stands somewhere in most data sets, and much less often than "Leeds".
    return core in ("", word) or words[word] > words.get(core, 0)


def _parted(atoms: Mapping[str, Sequence[str]], words: Mapping[str, int]) -> set[str]:
    """Returns what stands at an apostrophe and is a word of its own more often than not.

    Such as "'s", or "l'" in French: "Germany 's" beside "Germany's" in running text.
    """
    apart, joined = Counter[str](), Counter[str]()
    for word, parts in atoms.items():
        text = [straight([part]) for part in parts]
        for place in (number for number, part in enumerate(text) if part == "'"):
            head, tail = "".join(text[: place + 1]), "".join(text[place:])
            is_inside = head != "'" and tail != "'"
            for found in {head, tail} - {"'"}:
                (joined if is_inside else apart)[found] += words[word]
    return {found for found in apart if apart[found] > joined[found] and not is_mark(found)}
