"""Reads prompts that begin alike once: a reply of a dialogue has all turns before it as its prompt.

A decoder looks back alone, so the keys and values of a prompt are the first of any prompt that
begins with it. Of n replies of a dialogue the history is then read once, and not n times.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mtl_core.data.arrays import Int64Array

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel


def longest_with(prompts: Sequence[Sequence[int]]) -> Int64Array:
    """Returns for each prompt the number of the longest that begins with it, (prompts,).

    A prompt that no other begins with has its own number; of equal ones all have the same.
    """
    found = np.arange(len(prompts))
    # What begins with a prompt stands right behind it in the order of a dictionary.
    order = sorted(range(len(prompts)), key=lambda number: tuple(prompts[number]))
    for number, after in zip(order[-2::-1], order[:0:-1], strict=True):
        longest, length = found[after], len(prompts[number])
        if prompts[longest][:length] == prompts[number]:
            found[number] = longest
    return found


def read_prompts(
    whole: "PreTrainedModel", token_ids: Tensor, mask: Tensor, *, width: int
) -> "DynamicCache | None":
    """Returns the keys and values of all tokens of prompts but the last, for `generate` to go on.

    Args:
        whole: A decoder that is told the position of each token, in evaluation mode.
        token_ids: Padded on the left, (prompts, length).
        mask: 1 = a token, 0 = padding, (prompts, length).
        width: Rows that `generate` keeps of each prompt, such as beams.

    Returns:
        None where nothing would be saved, or where the model keeps other things than the keys and
        values of all tokens, such as those of a window.
    """
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    lengths = mask.sum(dim=1)
    rows = zip(token_ids.tolist(), lengths.tolist(), strict=True)
    prompts = [row[-length:] for row, length in rows]
    longest = longest_with(prompts)
    read = np.unique(longest)
    cache = DynamicCache(config=whole.config)
    is_plain = all(type(layer) is DynamicLayer for layer in cache.layers)
    if len(read) == len(prompts) or token_ids.shape[1] == 1 or not (cache.layers and is_plain):
        return None
    # The last token of each prompt is left: `generate` needs what comes behind it.
    to_read = [torch.tensor(prompts[number][:-1]) for number in read]
    padded = torch.nn.utils.rnn.pad_sequence(to_read, batch_first=True).to(token_ids.device)
    seen = torch.arange(padded.shape[1]) < torch.tensor([[len(row)] for row in to_read])
    with torch.inference_mode():
        whole.get_decoder()(
            input_ids=padded, attention_mask=seen.long().to(padded.device), past_key_values=cache,
            use_cache=True,
        )  # fmt: skip
    of_read = torch.from_numpy(np.searchsorted(read, longest)).to(padded.device)
    size = token_ids.shape[1] - 1
    # Place of each token in the row that was read; what stands in padding is never looked at.
    places = torch.arange(size, device=padded.device) - (size + 1 - lengths)[:, None]
    places = places.clamp(min=0).repeat_interleave(width, dim=0)
    of_read = of_read.repeat_interleave(width)[:, None]
    for layer in cache.layers:
        layer.keys = layer.keys[of_read, :, places].transpose(1, 2)
        layer.values = layer.values[of_read, :, places].transpose(1, 2)
    return cache
