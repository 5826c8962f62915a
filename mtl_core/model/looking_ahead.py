"""Lets the highest layers of a decoder see all sub-words of a text, not only those before.

What a decoder has learnt stays of use when its masks are taken away for tasks that label texts
(BehnamGhader et al. 2024, https://arxiv.org/abs/2404.05961; Duki\u0107 and \u0160najder 2024,
https://arxiv.org/abs/2401.14556, who unmask some of the layers).
"""

import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from mtl_core.model.layers import layers_name
from mtl_core.model.stand_in import Arguments, StandIn

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Sight:
    """What the sub-words of a batch see, which its tasks decide.

    Attributes:
        writing: Names of the tasks that write: each token is predicted from those before it.
        layers: In batches of others, how many of the highest layers look ahead.
    """

    writing: frozenset[str]
    layers: int = 0

    def layers_ahead(self, task_names: Iterable[str]) -> int:
        """Returns how many of the highest layers look ahead in a batch of these tasks."""
        return self.layers if self.writing.isdisjoint(task_names) else 0


@contextmanager
def looking_ahead(
    encoder: "PreTrainedModel", attention_mask: Tensor, *, layers: int
) -> Iterator[None]:
    """Within the block, sub-words see all others in the highest layers of an encoder.

    Args:
        encoder: The encoder, of a family that `families` knows as looking back.
        attention_mask: 1 for sub-words, 0 for padding, (batch, seq).
        layers: How many of the highest layers; 0 = none.
    """
    if not layers:
        yield
        return
    found = encoder.get_submodule(layers_name(encoder))
    assert isinstance(found, nn.ModuleList)
    own = list(found)[-layers:]
    first = len(found) - layers
    mask = _Mask(encoder, attention_mask)
    for number, layer in enumerate(own, first):
        found[number] = _with_mask(layer, mask)
    try:
        yield
    finally:
        for number, layer in enumerate(own, first):
            found[number] = layer


class _Mask:
    """The mask of a batch in which all sub-words are seen, made by the first layer that asks."""

    def __init__(self, encoder: "PreTrainedModel", attention_mask: Tensor) -> None:
        self._encoder, self._attention_mask = encoder, attention_mask
        self._made: Tensor | None = None

    def of(self, hidden: Tensor) -> Tensor:
        """Returns it in the form that the encoder's attention wants."""
        if self._made is None:
            from transformers.masking_utils import create_bidirectional_mask

            self._made = create_bidirectional_mask(
                config=self._encoder.config,
                inputs_embeds=hidden,
                attention_mask=self._attention_mask,
                # None in place of a mask would have the attention look back.
                allow_is_bidirectional_skip=False,
            )
        assert self._made is not None
        return self._made


def _with_mask(layer: nn.Module, mask: _Mask) -> StandIn:
    """Returns what gives a layer a mask in the place of its model's."""
    # Some models give masks by their place.
    names = list(inspect.signature(layer.forward).parameters)
    place = names.index("attention_mask")

    def change(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        made = mask.of(args[0] if args else kwargs["hidden_states"])
        if place < len(args):
            return (*args[:place], made, *args[place + 1 :]), kwargs
        return args, {**kwargs, "attention_mask": made}

    return StandIn(layer, change)
