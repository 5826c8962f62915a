"""Spans in BIO tags: finding them, and their precision, recall and F1."""

from collections.abc import Iterator, Sequence

from mtl_core.tasks.base import by_label

Tags = Sequence[Sequence[str]]
"""The tags of every word of every sentence."""


def span_scores(gold: Tags, predicted: Tags) -> tuple[float, float, float]:
    """Returns micro-averaged span precision, recall and F1 in [0, 1], by seqeval.

    0 where a score is undefined, such as the precision when no span is predicted.
    """
    from seqeval.metrics.v1 import precision_recall_fscore_support
    from seqeval.scheme import IOB2

    if not any(tag != "O" for tags in (*gold, *predicted) for tag in tags):
        return 0.0, 0.0, 0.0
    precision, recall, f1, _ = precision_recall_fscore_support(
        list(gold), list(predicted), average="micro", scheme=IOB2, zero_division=0
    )
    return float(precision), float(recall), float(f1)


def scores_by_type(gold: Tags, predicted: Tags) -> dict[str, float]:
    """Returns "f1/<type>", "precision/<type>" and "recall/<type>" -> score, by seqeval."""
    from seqeval.metrics.v1 import precision_recall_fscore_support
    from seqeval.scheme import IOB2

    # In the order of the arrays that seqeval returns, which do not name their types.
    types = sorted({type_ for tags in (*gold, *predicted) for type_, _, _ in bio_spans(tags)})
    if not types:
        return {}
    precision, recall, f1, _ = precision_recall_fscore_support(
        list(gold), list(predicted), average=None, scheme=IOB2, zero_division=0
    )
    return {
        **by_label(types, f1, "f1"),
        **by_label(types, precision, "precision"),
        **by_label(types, recall, "recall"),
    }


def bio_spans(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yields (type, first word, last word) of every span, in strict IOB2 as seqeval reads it.

    A span begins with B- and goes on with I- of the same type; an I- that continues nothing is
    no span.
    """
    type_, first = "", 0
    # The O that is added ends a span that reaches to the last word.
    for position, tag in enumerate([*tags, "O"]):
        if type_ and tag != f"I-{type_}":
            yield type_, first, position - 1
            type_ = ""
        if tag.startswith("B-"):
            type_, first = tag[2:], position


def without_strays(tags: Sequence[str]) -> list[str]:
    """Returns the tags of the spans that there are: O in place of an I- that continues nothing."""
    kept = []
    before = "O"
    for tag in tags:
        before = "O" if tag.startswith("I-") and before[1:] != tag[1:] else tag
        kept.append(before)
    return kept
