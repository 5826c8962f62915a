"""Tags of sub-words, where all those of a word train and not the first alone."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_core.data.arrays import NO_LABEL
from mtl_core.data.batching import Batch


def subword_labels(labels: Tensor, batch: Batch, inside: Tensor) -> Tensor:
    """Returns the tag of every sub-word, (batch, seq), from tags of words, (batch, words).

    Args:
        labels: Tag ids, -100 = none.
        batch: Where words start and end.
        inside: Tag id -> tag id of a word's further sub-words, (tags,).
    """
    word = word_of_position(batch)
    first, end = batch.words.starts.gather(1, word), batch.words.ends.gather(1, word)
    position = torch.arange(word.shape[1], device=word.device)
    tag = labels.gather(1, word)
    # -100 stays -100; it is clamped for the lookup alone.
    further = torch.where(tag >= 0, inside[tag.clamp(min=0)], tag)
    # Special tokens and padding are in no word, though `word_of_position` names one.
    is_in_word = (position >= first) & (position < end)
    return torch.where(is_in_word, torch.where(position == first, tag, further), NO_LABEL)


def word_of_position(batch: Batch) -> Tensor:
    """Returns the number of the last word that starts at or before each position, (batch, seq).

    Positions in front of all words have the first one.
    """
    rows, length = batch.token_ids.shape
    positions = torch.arange(length, device=batch.token_ids.device).expand(rows, -1).contiguous()
    # Padding starts behind all positions: so starts rise along each row, as the search asks, and
    # it never finds padding.
    starts = torch.where(batch.words.is_there, batch.words.starts, length)
    return (torch.searchsorted(starts, positions, right=True) - 1).clamp(min=0)


def inside_tags(tags: Sequence[str]) -> list[int]:
    """Returns tag id -> tag id inside a word: B-x becomes I-x where there is one."""
    ids = {tag: number for number, tag in enumerate(tags)}
    return [ids.get(f"I-{tag[2:]}", ids[tag]) if tag.startswith("B-") else ids[tag] for tag in tags]
