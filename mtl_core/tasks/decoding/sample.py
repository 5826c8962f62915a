"""Sampling: tokens drawn by their probabilities, from generators of each row's own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from mtl_core.tasks.decoding.base import Decoding

if TYPE_CHECKING:
    from transformers import LogitsProcessor


class Sample(Decoding):
    """A token drawn by its probability; what is cut off is cut in the order of the settings."""

    kind: Literal["sample"] = "sample"
    temperature: float = Field(default=1.0, gt=0)
    """What logits are divided by; below 1 = likely tokens more often."""
    top_k: int | None = Field(default=None, ge=1)
    """Only the k likeliest tokens (Fan et al. 2018, https://arxiv.org/abs/1805.04833)."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Only the fewest tokens that have this probability together, the nucleus.

    Holtzman et al. 2020, https://arxiv.org/abs/1904.09751.
    """
    min_p: float | None = Field(default=None, ge=0, le=1)
    """Only tokens that have this share of the likeliest one's probability.

    Nguyen et al. 2025, https://arxiv.org/abs/2407.01082.
    """

    is_drawn: ClassVar[bool] = True

    def own_settings(self) -> Mapping[str, Any]:
        """Returns nothing: `warpers` has them, as `generate` is never told to draw itself."""
        return {}

    def warpers(self) -> list["LogitsProcessor"]:
        """Returns the warpers that `generate` makes of such settings, in its order."""
        from transformers import (
            MinPLogitsWarper,
            TemperatureLogitsWarper,
            TopKLogitsWarper,
            TopPLogitsWarper,
        )

        made: list[LogitsProcessor] = []
        if self.temperature != 1.0:
            made.append(TemperatureLogitsWarper(self.temperature))
        if self.top_k is not None:
            made.append(TopKLogitsWarper(self.top_k))
        if self.top_p is not None and self.top_p < 1.0:
            made.append(TopPLogitsWarper(self.top_p))
        if self.min_p is not None:
            made.append(MinPLogitsWarper(self.min_p))
        return made
