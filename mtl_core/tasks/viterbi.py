"""The Viterbi algorithm over a batch of sentences, and the steps that BIO forbids."""

from collections.abc import Sequence

import torch
from torch import Tensor

FORBIDDEN = -1e4
"""Added to the score of a forbidden step; finite, since inf - inf would be NaN."""


def viterbi(scores: Tensor, mask: Tensor, steps: Tensor, end: Tensor | None = None) -> Tensor:
    """Returns the best tag sequence of every sentence (Viterbi 1967).

    Args:
        scores: Score of every tag at every word, (batch, words, tags), float32.
        mask: Words that there are, (batch, words), bool; those that are not stand at the end.
        steps: Score of the step from a tag (row + 1) to a tag (column), row 0 = from the start,
            (tags + 1, tags).
        end: Score of ending with each tag, (tags,).

    Returns:
        Tag ids, (batch, words), int64; 0 where there is no word.
    """
    batch, words, tags = scores.shape
    best = scores[:, 0] + steps[0]  # (batch, tags): the best sequence so far that ends in a tag
    keep = torch.arange(tags, device=scores.device).expand(batch, tags)
    back: list[Tensor] = []
    for word in range(1, words):
        # d_t(j) = max_i (d_{t-1}(i) + steps(i, j)) + scores_t(j), where `best` is d_{t-1}; the sum
        # is (batch, from i, to j), and `source` keeps the i for the way back.
        values, source = (best.unsqueeze(2) + steps[1:]).max(dim=1)
        is_there = mask[:, word].unsqueeze(1)
        best = torch.where(is_there, values + scores[:, word], best)
        # Behind the last word each tag points at itself: the way back passes through unchanged.
        back.append(torch.where(is_there, source, keep))
    # From the best last tag back along the sources; `path` grows from the last word to the first.
    tag = (best if end is None else best + end).argmax(dim=1)
    path = [tag]
    for source in reversed(back):
        tag = source.gather(1, tag.unsqueeze(1)).squeeze(1)
        path.append(tag)
    return torch.where(mask, torch.stack(path[::-1], dim=1), 0)


def bio_penalties(tags: Sequence[str]) -> Tensor:
    """Returns what to add to each step, (tags + 1, tags): `FORBIDDEN` to I-x but from B-x or I-x.

    Row 0 is the step from the start of a sentence.
    """
    # B-x and O may follow anything; only I-x, which goes on with a span, asks for one before it.
    table = torch.zeros(len(tags) + 1, len(tags))
    for column, tag in enumerate(tags):
        if tag.startswith("I-"):
            allowed = {f"B-{tag[2:]}", tag}
            for row, before in enumerate(("", *tags)):
                if before not in allowed:
                    table[row, column] = FORBIDDEN
    return table
