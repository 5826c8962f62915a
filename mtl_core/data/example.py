"""An example: one sentence as words, with the labels of the tasks it carries."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Example:
    """One sentence and its labels, as read from a file.

    Attributes:
        words: The words of the sentence; tags are given per word.
        labels: Column name -> one label (classification) or one tag per word (tagging); a
            column that this row lacks is absent, and the row then trains and scores the other
            tasks only.
    """

    words: tuple[str, ...]
    labels: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
