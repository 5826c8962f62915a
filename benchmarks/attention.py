"""A layer's attention, forward and backward on one thread, against torch's own in training.

Shapes of the bundled encoder (12 heads of 32), 32 rows, dropout 0.1, the shortest third of the rows
padded, in what `auto` is here or in `--precision`. Both run in turn, many times; each row says how
far their outputs differ where nothing is dropped, of numbers around 1.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from _harness import Row, with_precision, write
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from mtl_core.model.attention import fast_attention
from mtl_core.model.autocast import DTYPES, Precision

ROWS, HEADS, SIZE, DROPOUT = 32, 12, 32, 0.1
NOTHING = 1e-9
"""Dropout that drops nothing, but is on."""
ROUNDS, IN_TURN = 15, 5
LENGTHS = [8, 11, 14, 24, 48, 128]
Attention = Callable[..., tuple[Tensor, Any]]


def make_parts(length: int, precision: Precision) -> tuple[tuple[Tensor, ...], Tensor]:
    """Returns queries, keys and values, (rows, heads, length, size), and their mask."""
    shape = (ROWS, length, HEADS, SIZE)
    generator = torch.Generator().manual_seed(0)
    # (rows, length, heads, size), seen as (rows, heads, length, size): the strides that the
    # projections of an encoder leave.
    parts = tuple(
        torch.randn(shape, generator=generator)
        .to(DTYPES[precision])
        .transpose(1, 2)
        .requires_grad_()
        for _ in range(3)
    )
    lengths = torch.full((ROWS, 1), length)
    lengths[: ROWS // 3] -= 1
    return parts, (torch.arange(length) < lengths)[:, None, None]  # (rows, 1, 1, length)


def measure(length: int, precision: Precision) -> Row:
    """Measures rows of a length."""
    layer = nn.Module()
    # All that either side asks of the layer; a module is in training mode when it is new.
    layer.is_causal = False  # type: ignore[assignment]
    parts, mask = make_parts(length, precision)

    def train(attention: Attention) -> float:
        """Returns milliseconds."""
        start = time.perf_counter()
        for _ in range(IN_TURN):
            found, _ = attention(layer, *parts, mask, dropout=DROPOUT)
            torch.autograd.grad(found.sum(), parts)
        return (time.perf_counter() - start) / IN_TURN * 1000

    times: dict[Attention, list[float]] = {fast_attention: [], sdpa_attention_forward: []}
    for _ in range(ROUNDS):
        for attention, found in times.items():
            found.append(train(attention))
    # With a dropout that is on, so that ours takes the road that is timed, and drops nothing.
    own, torchs = (attention(layer, *parts, mask, dropout=NOTHING)[0] for attention in times)
    # Without the first round, which warms up.
    ours, theirs = (statistics.median(found[1:]) for found in times.values())
    what = f"rows of {length} (differ by {(own - torchs).abs().max():.3f})"
    return Row.of(what, ours, theirs, "ms", theirs / ours, 1.0)


def main() -> None:
    """Measures short and long rows."""
    options = with_precision()
    # One thread: several wait for each other on busy cores, longer than such a product takes.
    torch.set_num_threads(1)
    rows = [measure(length, options.precision) for length in LENGTHS]
    write("attention", rows, options.json, precision=options.precision)


if __name__ == "__main__":
    main()
