"""What changes the scores of the next token, row by row, whatever stands beside a row."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mtl_core.data.arrays import Int64Array

if TYPE_CHECKING:
    from transformers import LogitsProcessor


class WithoutPadding:
    """A rule on what stands in a text already, for which the padding before it is not there."""

    def __init__(self, rule: "LogitsProcessor", padding: Tensor) -> None:
        """Takes the rule, and how many tokens of padding each text has before it, (texts,)."""
        self._rule, self._padding = rule, padding

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Returns the scores that the rule leaves, (texts, vocabulary)."""
        found = scores.clone()
        for count in set(self._padding.tolist()):
            rows = self._padding == count
            found[rows] = self._rule(input_ids[rows, count:], scores[rows])
        return found


class SeededDraw:
    """Makes the highest score a draw, from a generator for each row.

    The token with the highest logit plus Gumbel noise is a draw from the softmax of the logits
    (Gumbel 1954; Maddison et al. 2014, https://arxiv.org/abs/1411.0030). Here the noise is minus
    the logarithm of exponential numbers, which is the same. Its rows have to stay in their places
    from step to step, as they do where `generate` takes the highest score.
    """

    def __init__(self, seeds: Int64Array) -> None:
        self._generators = [np.random.default_rng(int(seed)) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Returns the scores with noise, (rows, vocabulary); a token with -inf keeps it."""
        size, least = scores.shape[1], np.finfo(np.float32).tiny
        noise = np.stack(
            [one.standard_exponential(size, dtype=np.float32) for one in self._generators]
        )
        # It can be 0, whose logarithm would outdo all.
        return scores - torch.from_numpy(noise).clamp_(min=float(least)).log_().to(scores.device)
