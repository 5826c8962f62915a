"""Attention that trains fast on CPUs, in the cases where torch has no fast kernel."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mtl_core.model._transformers import chosen_attention, register_attention, sdpa
from mtl_core.model.dropout import draw_bits

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NAME = "mtl_fast"
_SHORT = 16
"""Rows of fewer fp32 numbers than a vector register holds: softmax goes through them one by one."""
_LONG = 128
"""From this length on torch's fused kernel, which knows no dropout, trains faster; a forward pass
alone is faster there from `_SHORT` on."""
_MEANT_FOR_SDPA = ("position_bias", "softcap")
"""Arguments that `sdpa` heeds and `attend` does not, of all that encoders pass on."""


def fast_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).

    It serves CPUs alone: calls with dropout, and without dropout rows shorter than `_SHORT`, in
    training shorter than `_LONG`. All else goes to the `sdpa` of Transformers. On CPUs torch draws
    every number of a dropout mask by itself and takes a softmax over a dozen numbers one by one;
    without dropout its fused kernel works on blocks far larger than that. Two differences: in bf16
    scores are rounded before the softmax, and a query that may look nowhere, as padding can be,
    gets the mean of all values instead of 0.

    Args:
        module: The attention layer that asks.
        query: Queries, (batch, heads, seq, size).
        key: Keys, (batch, heads, seq, size); fewer heads are left to `sdpa`.
        value: Values, likewise.
        attention_mask: True where a query may look, (batch, 1 or heads, seq or 1, seq); None =
            everywhere, or back only. Numbers to be added to the scores are left to `sdpa`.
        dropout: Share of the attention weights that are set to 0.
        scaling: Factor of the products of queries and keys; None = 1 / sqrt(size).
        **others: What else a family passes, such as `is_causal`.

    Returns:
        (batch, seq, heads, size), and None for the attention weights, as Transformers has it.
    """
    is_ours = _is_served(module, query, key, value, attention_mask, dropout=dropout, others=others)
    if not is_ours:
        return sdpa(module, query, key, value, attention_mask,
                    dropout=dropout, scaling=scaling, **others)  # fmt: skip
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    return attend(query, key, value, attention_mask, dropout=dropout, scaling=scaling), None


def _is_served(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    dropout: float,
    others: Mapping[str, Any],
) -> bool:
    """Returns whether `attend` is right for a call, and faster than what torch has."""
    # As `sdpa` finds out whether a query may only look back; with a mask, the mask says so.
    looks_back = others.get("is_causal")
    if looks_back is None:
        looks_back = getattr(module, "is_causal", True)
    longest = _LONG if query.requires_grad else _SHORT
    return not (
        query.device.type != "cpu"
        or (dropout == 0.0 and query.shape[2] >= longest)
        or not query.shape == key.shape == value.shape
        or (looks_back if attention_mask is None else attention_mask.dtype != torch.bool)
        or any(others.get(name) is not None for name in _MEANT_FOR_SDPA)
    )


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    *,
    dropout: float,
    scaling: float,
) -> Tensor:
    """Returns what `fast_attention` does, (batch, seq, heads, size); see there."""
    # Keys by queries where rows are short: softmax is vector code again, over the columns.
    is_short = key.shape[2] < _SHORT
    # Scores are (batch, heads, keys, queries) where rows are short, else (batch, heads, queries,
    # keys); the softmax goes over the keys in both.
    rows, columns = (key, query) if is_short else (query, key)
    # In fp32, where softmax is faster; what the product needs backward is not its result.
    scores = (rows @ columns.transpose(2, 3)).float().mul_(scaling)
    if mask is not None:
        hidden = ~(mask.transpose(2, 3) if is_short else mask)
        # Not -inf: a row with nothing to look at would be NaN, also in the gradient.
        scores.masked_fill_(hidden, torch.finfo(torch.float32).min)
    weights = torch.softmax(scores, dim=2 if is_short else 3).to(value.dtype)
    if dropout > 0.0:
        bits, limit, factor = draw_bits(weights.shape, dropout)
        # The factor goes to the values, which are fewer numbers than the weights.
        weights, value = weights.masked_fill(bits < limit, 0.0), value * factor
    # (batch, heads, seq, size) -> (batch, seq, heads, size)
    return ((weights.transpose(2, 3) if is_short else weights) @ value).transpose(1, 2).contiguous()


def use_fast_attention(encoder: "PreTrainedModel") -> None:
    """Has an encoder that calls torch's attention through Transformers call `fast_attention`."""
    # Others (eager, flash) were asked for, or the family has no choice: they stay.
    register_fast_attention()
    if chosen_attention(encoder) == "sdpa":
        encoder.set_attn_implementation(_NAME)


def register_fast_attention() -> None:
    """Registers `fast_attention`; call it in every process that runs an encoder which uses it."""
    register_attention(_NAME, fast_attention)
