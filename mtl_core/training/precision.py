"""The precision of a run: what `auto` means on a device, and advice where a choice is slow.

Half precision pays only where the hardware multiplies it: on a processor with AVX2 alone a product
in bf16 takes 5 to 9 times as long as in fp32, and GPUs have units for bf16 from compute capability
8.0 on.
"""

import logging
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import torch
from torch.nn.functional import linear

from mtl_core.model.autocast import DTYPES, Precision
from mtl_core.training._torch import processor_flags

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

logger = logging.getLogger(__name__)

Wanted = Literal["auto", "bf16", "fp16", "fp32"]
"""What the study file says; `auto` = bf16 where it is faster, else fp32."""

_ROWS, _ROUNDS = 128, 5
"""Rows of the timed product, the tokens of a small batch; the least of so many times counts."""
_PAYS = 0.9
"""Share of the time in fp32 below which half precision wins: casts take the rest."""
_SLOW = 1.1
"""Share of the time in fp32 above which a format that the study file names earns an advice."""
_HAS_BF16, _HAS_FP16 = (8, 0), (7, 0)
"""Compute capabilities from which GPUs have units for the format."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The precision of a run on a device.

    Attributes:
        precision: The precision.
        reason: Why `auto` is this; empty where the study file names it.
        advice: What would be faster here; empty when nothing is.
    """

    precision: Precision
    reason: str = ""
    advice: str = ""


def choose(wanted: Wanted, device: torch.device, encoder: "PreTrainedConfig") -> Choice:
    """Returns what a run computes in on a device; times products of the encoder's shape on a CPU.

    Args:
        wanted: What the study file says.
        device: Where the run computes.
        encoder: The encoder's configuration.
    """
    if wanted == "fp32":
        return Choice("fp32")
    if device.type == "cuda":
        return _choose_on_gpu(wanted, torch.cuda.get_device_capability(device))
    # A product of the feed-forward layers, which take most of an encoder's time.
    hidden = int(encoder.hidden_size)
    inner = int(getattr(encoder, "intermediate_size", None) or 4 * hidden)
    return _choose_on_cpu(wanted, hidden, inner)


def agreed(found: Sequence[Precision]) -> Precision:
    """Returns the precision of all workers of a run: fp32 when they would choose differently."""
    if len(set(found)) == 1:
        return found[0]
    logger.warning("workers would choose %s; all compute in fp32", ", ".join(found))
    return "fp32"


def describe(wanted: Wanted, choice: Choice) -> str:
    """Returns a line on the precision of a run on this machine."""
    if wanted == "auto":
        reasons = "; ".join(filter(None, (choice.reason, choice.advice)))
        return f"precision: auto = {choice.precision} on this machine: {reasons}"
    return f"precision: {choice.advice or choice.precision}"


def advise(choice: Choice) -> None:
    """Logs what would be faster here, once per process."""
    if choice.advice:
        warn_once(choice.advice)


def bf16_instructions() -> str:
    """Returns what a processor multiplies bf16 with; "" = nothing.

    Outside of x86 torch does not tell, and the name of the architecture stands for it. It is what
    the processor has, not what a mask in the environment leaves of it: time a product to be sure.
    """
    machine = platform.machine()
    if machine.lower() not in ("x86_64", "amd64"):
        return machine or "an unknown architecture"
    has_avx512_bf16, has_amx = processor_flags()
    if has_amx:
        return "AMX"
    return "AVX512 bf16" if has_avx512_bf16 else ""


@cache
def product_share(precision: Precision, hidden: int, inner: int) -> float:
    """Returns the time of a product in a precision over its time in fp32, on this processor.

    Measured once per process. The two take turns, so that what else runs here slows both; the least
    time of each counts. On one thread: several threads wait for each other where cores are busy,
    many times longer than a product takes.

    Args:
        precision: The precision.
        hidden: Columns that are multiplied away.
        inner: Columns of the result.
    """
    shapes = (_ROWS, hidden), (inner, hidden)
    names: tuple[Precision, Precision] = ("fp32", precision)
    # Not random: the run's own random numbers stay as they are.
    factors = [[torch.ones(shape, dtype=DTYPES[name]) for shape in shapes] for name in names]
    least = [float("inf")] * 2
    with torch.inference_mode(), _one_thread():
        # The first products are not timed: kernels are made in them.
        for is_timed in (False, *[True] * _ROUNDS):
            for number, (rows, weight) in enumerate(factors):
                taken = seconds_of_product(rows, weight)
                least[number] = min(least[number], taken) if is_timed else least[number]
    return least[1] / least[0]


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def seconds_of_product(rows: torch.Tensor, weight: torch.Tensor) -> float:
    """Returns the wall time of one product of (rows, hidden) and (inner, hidden)."""
    start = time.perf_counter()
    linear(rows, weight)
    return time.perf_counter() - start


def _choose_on_cpu(wanted: Wanted, hidden: int, inner: int) -> Choice:
    if wanted != "auto":
        share = product_share(wanted, hidden, inner)
        auto = _choose_on_cpu("auto", hidden, inner).precision
        if wanted == auto or share <= _SLOW:
            return Choice(wanted)
        advice = (
            f"{wanted} is {share:.1f} times slower than fp32 on this processor; auto would "
            f"choose {auto}"
        )
        return Choice(wanted, advice=advice)
    instructions = bf16_instructions()
    # Without them bf16 is emulated, and there is nothing to time.
    if not instructions:
        return Choice("fp32", "this processor has no bf16 instructions")
    share = product_share("bf16", hidden, inner)
    size = f"{share:.2f} of" if share < 1 else f"{share:.1f} times"
    reason = f"a product in bf16 takes {size} its time in fp32 ({instructions})"
    return Choice("bf16" if share < _PAYS else "fp32", reason)


def _choose_on_gpu(wanted: Wanted, capability: tuple[int, int]) -> Choice:
    gpu = f"this GPU (compute capability {'.'.join(map(str, capability))})"
    if wanted == "auto" and capability >= _HAS_BF16:
        return Choice("bf16", f"{gpu} has units for it")
    if wanted == "auto":
        # `auto` never is fp16: its range is small, so that steps overflow and are skipped.
        is_fast = capability >= _HAS_FP16
        advice = "its fast format is fp16: training.precision=fp16" if is_fast else ""
        return Choice("fp32", f"{gpu} has no units for bf16", advice)
    if capability < (_HAS_BF16 if wanted == "bf16" else _HAS_FP16):
        advice = f"{wanted} is slow on {gpu}, which has no units for it; auto would choose fp32"
        return Choice(wanted, advice=advice)
    return Choice(wanted)


@cache
def warn_once(advice: str) -> None:
    """Logs an advice, once per process."""
    logger.warning("training.precision: %s", advice)
