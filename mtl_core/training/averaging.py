"""AdamW that keeps a moving average of the weights, with which runs are scored and saved."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW

EVERY = 8
"""Steps from one look of the average at the weights to the next: each reads all of them."""

WIDEST = 0.28
"""Largest width, nearly that of the plain mean of all weights so far, which is 12^-0.5."""


class AveragingAdamW(AdamW):
    """AdamW, and an average of the weights so far that forgets the first ones.

    Of the weights w_s after each step s, the average after step t is (Karras et al. 2024,
    https://arxiv.org/abs/2312.02696, section 3.1)
        a_t = sum_s s^g w_s / sum_s s^g
    so it reaches back over a share of the steps so far, however many they are: a run of 2 epochs
    and one of 20 are averaged alike, which an exponential average with one decay does not do. The
    paper's continuous form is used, in which a look after k more steps is
        a_t = b a_(t - k) + (1 - b) w_t,   b = (1 - k / t)^(g + 1)

    The order of calls: `hide`, steps and `count` after each, then `show` before the model is scored
    or saved. What weighs the tasks' losses is not averaged. torch's `AveragedModel` would copy the
    frozen layers as well, and read all weights after each step.

    Attributes:
        averages: One tensor per averaged parameter, in the order of the groups: the average while
            a run trains, the weights themselves while it is shown; empty without averaging.
        is_shown: Whether the parameters hold the average.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], *, width: float | None) -> None:
        """Starts with the average at the weights.

        Args:
            groups: Groups of parameters, each with a `name`.
            width: Standard deviation of the average's weights over the steps, as a share of the
                steps so far, in (0, `WIDEST`]; None = no average.
        """
        # Fused: one pass over all parameters, which also divides by `grad_scale`; see `RowAdamW`.
        super().__init__(groups, fused=True)
        self.is_shown = False
        self._exponent = None if width is None else exponent_of(width)
        self._steps = self._seen = 0
        self.averages = [parameter.detach().clone() for parameter in self._averaged()]

    def count(self, settle: Callable[[], None]) -> None:
        """Counts a step that was made.

        Args:
            settle: Brings all weights up to date; called where the average is to look at them.
        """
        self._steps += 1
        if self._exponent is not None and self._steps - self._seen >= EVERY:
            settle()
            self._look()

    def show(self) -> None:
        """Puts the average in the place of the weights, which have to be up to date."""
        if not self.is_shown:
            self._look()
            self._exchange()

    def hide(self) -> None:
        """Puts the weights back, so that training goes on from them."""
        if self.is_shown:
            self._exchange()

    def state_dict(self) -> dict[str, Any]:
        """Returns AdamW's state, and that of the average."""
        kept = [tensor.cpu() for tensor in self.averages]
        own = {"steps": self._steps, "seen": self._seen, "shown": self.is_shown, "kept": kept}
        return super().state_dict() | ({} if self._exponent is None else {"average": own})

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes a state up; the parameters have to be those that were saved with it.

        Raises:
            KeyError: It is that of an optimiser without averages, and this one has them.
            ValueError: It is that of other parameters.
        """
        state = dict(state_dict)
        own = state.pop("average", None)
        super().load_state_dict(state)
        if self._exponent is None:
            return
        if own is None:
            raise KeyError("average")
        for average, kept in zip(self.averages, own["kept"], strict=True):
            average.copy_(kept)
        self._steps, self._seen, self.is_shown = own["steps"], own["seen"], own["shown"]

    def _averaged(self) -> list[Tensor]:
        if self._exponent is None:
            return []
        groups = [group for group in self.param_groups if group["name"] != "weighting"]
        return [parameter for group in groups for parameter in group["params"]]

    @torch.no_grad()
    def _look(self) -> None:
        """Takes the weights into the average."""
        since = self._steps - self._seen
        if self._exponent is None or since == 0:
            return
        kept = (1 - since / self._steps) ** (self._exponent + 1)
        for average, parameter in zip(self.averages, self._averaged(), strict=True):
            average.lerp_(parameter, 1 - kept)
        self._seen = self._steps

    @torch.no_grad()
    def _exchange(self) -> None:
        # By values: DistributedDataParallel and the word embeddings hold on to the tensors.
        for average, parameter in zip(self.averages, self._averaged(), strict=True):
            weights = parameter.clone()
            parameter.copy_(average)
            average.copy_(weights)
        self.is_shown = not self.is_shown


def exponent_of(width: float) -> float:
    """Returns g, the exponent of the average's weights s^g, for a width in (0, `WIDEST`].

    The width is the standard deviation of a share of the steps with the density (g + 1) s^g:
        width^2 = (g + 1) / ((g + 2)^2 (g + 3))
    """
    inverse = width**-2
    # (g + 2)^2 (g + 3) = (g + 1) / width^2, whose greatest root is the positive one.
    return float(np.roots([1, 7, 16 - inverse, 12 - inverse]).real.max())
