"""Reads prompts that begin alike once: a reply of a dialogue has all turns before it as its prompt.

A decoder looks back alone, so the keys and values of a prompt are the first of any prompt that
begins with it. Of n replies of a dialogue the history is then read once, and not n times.
"""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mtl_core.data.arrays import Int64Array

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel


def ends_of_chains(prompts: Sequence[Sequence[int]]) -> Int64Array:
    """Returns for each prompt the number of one that begins with it, (prompts,).

    No other prompt goes on from that one. A prompt that no other begins with has its own number; of
    equal ones all have the same.
    """
    found = np.arange(len(prompts))
    # What begins with a prompt stands right behind it in the order of a dictionary.
    order = sorted(range(len(prompts)), key=lambda number: tuple(prompts[number]))
    for number, after in zip(order[-2::-1], order[:0:-1], strict=True):
        end, length = found[after], len(prompts[number])
        if prompts[end][:length] == prompts[number]:
            found[number] = end
    return found


def read_prompts(
    whole: "PreTrainedModel", token_ids: Tensor, mask: Tensor, *, width: int
) -> "DynamicCache | None":
    """Returns the keys and values of all tokens of prompts but the last, for `generate` to go on.

    Args:
        whole: A decoder, in evaluation mode.
        token_ids: Padded on the left, (prompts, length).
        mask: 1 = a token, 0 = padding, (prompts, length).
        width: Rows that `generate` keeps of each prompt, such as beams.

    Returns:
        None where nothing would be saved, or where the model keeps other things than the keys and
        values of all tokens, such as those of a window.
    """
    lengths = mask.sum(dim=1)
    rows = zip(token_ids.tolist(), lengths.tolist(), strict=True)
    prompts = [row[-length:] for row, length in rows]
    ends = ends_of_chains(prompts)
    read = np.unique(ends)
    size = token_ids.shape[1] - 1
    if len(read) == len(prompts) or size == 0:
        return None
    # The last token of each prompt is left: `generate` needs what comes behind it.
    cache = _read(whole, [torch.tensor(prompts[number][:-1]) for number in read])
    if cache is None:
        return None
    of_read = torch.from_numpy(np.searchsorted(read, ends)).to(mask.device)
    of_read = of_read.repeat_interleave(width)[:, None]
    # Place of each token in the row that was read; what stands in padding is never looked at.
    places = torch.arange(size, device=mask.device) - (size + 1 - lengths)[:, None]
    places = places.clamp(min=0).repeat_interleave(width, dim=0)
    for layer in cache.layers:
        layer.keys = layer.keys[of_read, :, places].transpose(1, 2)
        layer.values = layer.values[of_read, :, places].transpose(1, 2)
    return cache


def _read(whole: "PreTrainedModel", rows: Sequence[Tensor]) -> "DynamicCache | None":
    """Returns the keys and values of rows of token ids, padded on the right; None = not kept."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    cache, taken = DynamicCache(config=whole.config), inspect.signature(whole.forward).parameters
    is_plain = cache.layers and all(type(layer) is DynamicLayer for layer in cache.layers)
    # A model may keep nothing, as the first GPT does.
    if not (is_plain and "past_key_values" in taken):
        return None
    token_ids = pad_sequence(list(rows), batch_first=True).to(whole.device)
    lengths = torch.tensor([[len(row)] for row in rows], device=whole.device)
    places = torch.arange(token_ids.shape[1], device=whole.device)[None]
    # As `generate` counts them; RoBERTa would begin behind the id of padding.
    told = {"position_ids": places} if "position_ids" in taken else {}
    with torch.inference_mode():
        whole.get_decoder()(
            input_ids=token_ids, attention_mask=(places < lengths).long(), past_key_values=cache,
            use_cache=True, **told,
        )  # fmt: skip
    return cache
