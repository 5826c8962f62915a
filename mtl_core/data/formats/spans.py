"""Spans in characters: whether they stand in their text, and which stay where some overlap."""

from collections.abc import Sequence
from typing import Literal

from mtl_core.data.example import CharSpan

Overlaps = Literal["refuse", "longest"]
"""What becomes of spans that share characters: an error, or the longest stays."""


def check_spans(
    text: str, spans: Sequence[CharSpan], *, overlaps: Overlaps = "refuse"
) -> tuple[CharSpan, ...]:
    """Returns the spans of a text that stay, in their order in the text.

    Args:
        text: The text.
        spans: Spans of it, in any order.
        overlaps: What becomes of spans that share characters.

    Raises:
        ValueError: A span is empty or ends outside of the text, or two overlap and that is refused.
    """
    kept: list[CharSpan] = []
    # Longest first; of two as long the one that was given first.
    for span in sorted(spans, key=lambda span: span.start - span.end):
        if not 0 <= span.start < span.end <= len(text):
            raise ValueError(f"{_named(span)} is not inside the text of {len(text)} characters")
        other = next((one for one in kept if one.start < span.end and one.end > span.start), None)
        if other is None:
            kept.append(span)
        elif overlaps == "refuse":
            raise ValueError(
                f"{_named(span)} overlaps {_named(other)}; `overlaps: longest` keeps the longer one"
            )
    return tuple(sorted(kept))


def _named(span: CharSpan) -> str:
    return f"span {span.start}-{span.end} ({span.label})"
