"""Where tags are wrong: spans, whole or in their borders, and the tags of single words."""

from collections.abc import Iterator, Mapping, Sequence

from mtl_core.error_counts import Tally, worst_rows
from mtl_core.task_errors import TaskErrors, WrongRow
from mtl_core.tasks.row_texts import RowTexts
from mtl_core.tasks.spans import bio_spans

_Span = tuple[str, int, int]
"""Type, first word, last word."""
_BORDERS = "other borders"
_CUT = "cut off"


def span_errors(
    tags: Mapping[int, tuple[Sequence[str], Sequence[str]]], texts: RowTexts
) -> TaskErrors:
    """Returns where the spans of tags are wrong, in strict IOB2.

    A span that was missed is taken for the wrong one that shares most words with it, the first of
    equals; where none does, for nothing. A wrong one that shares words with no right one stands in
    the place of nothing.

    Args:
        tags: Row -> its right tags and those that were given, (words,) each.
        texts: The texts of the rows.
    """
    tally = Tally()
    wrong: dict[int, tuple[list[_Span], list[_Span]]] = {}
    for row, (gold_tags, guess_tags) in tags.items():
        gold, guess = list(bio_spans(gold_tags)), list(bio_spans(guess_tags))
        tally.gold.update(type_ for type_, _, _ in gold)
        tally.guessed.update(type_ for type_, _, _ in guess)
        tally.right.update(span[0] for span in gold if span in guess)
        missed = [span for span in gold if span not in guess]
        extra = [span for span in guess if span not in gold]
        tally.confused.update(_confused(missed, extra, gold))
        if missed or extra:
            wrong[row] = missed, extra

    def show(row: int) -> WrongRow:
        missed, extra = (
            ", ".join(_shown(span, row, texts) for span in some) for some in wrong[row]
        )
        return WrongRow(texts.example(row), texts.row(row), missed, extra, 0.0)

    counts = {row: float(len(missed) + len(extra)) for row, (missed, extra) in wrong.items()}
    return TaskErrors(
        rows=len(tags), unit="rows", wrong=len(wrong), measure="spans missed or wrong",
        worst=worst_rows(counts, show), labels=tally.tables("type of spans"),
    )  # fmt: skip


def _confused(
    missed: Sequence[_Span], extra: Sequence[_Span], gold: Sequence[_Span]
) -> Iterator[tuple[str | None, str | None, str]]:
    for span in missed:
        taken = max(extra, key=lambda one: _shared(one, span), default=None)
        if taken is None or not _shared(taken, span):
            yield span[0], None, ""
        else:
            yield span[0], taken[0], "" if taken[1:] == span[1:] else _BORDERS
    for span in extra:
        if not any(_shared(span, one) for one in gold):
            yield None, span[0], ""


def _shared(one: _Span, other: _Span) -> int:
    """Returns how many words two spans share."""
    return max(0, 1 + min(one[2], other[2]) - max(one[1], other[1]))


def _shown(span: _Span, row: int, texts: RowTexts) -> str:
    # A span that ends inside a word stands behind all words, and has no text.
    text = texts.words(row, span[1], span[2])
    return f"{span[0]}={text}" if text else span[0]


def word_errors(
    tags: Mapping[int, tuple[Sequence[str | None], Sequence[str | None]]], texts: RowTexts
) -> TaskErrors:
    """Returns where the tags of single words are wrong.

    Args:
        tags: Row -> its right tags, None = a word has none, and those that were given, None = the
            word was cut off; (words,) each.
        texts: The texts of the rows.
    """
    tally = Tally()
    wrong: dict[int, list[tuple[int, str, str]]] = {}
    for row, (golds, guesses) in tags.items():
        for word, (gold, guess) in enumerate(zip(golds, guesses, strict=True)):
            if gold is None:
                continue
            tally.count(gold, guess, _CUT if guess is None else "")
            if gold != guess:
                wrong.setdefault(row, []).append((word, gold, guess or f"({_CUT})"))

    def show(row: int) -> WrongRow:
        words = [(texts.words(row, word, word), gold, guess) for word, gold, guess in wrong[row]]
        gold = ", ".join(f"{word}={gold}" for word, gold, _ in words)
        guess = ", ".join(f"{word}={guess}" for word, _, guess in words)
        return WrongRow(texts.example(row), texts.row(row), gold, guess, 0.0)

    counts = {row: float(len(words)) for row, words in wrong.items()}
    return TaskErrors(
        rows=len(tags), unit="rows", wrong=len(wrong), measure="words with a wrong tag",
        worst=worst_rows(counts, show), labels=tally.tables("tag of words"),
    )  # fmt: skip
