"""Sizes of weights: what the head of a safetensors file says, read before anything is built."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from safetensors import SafetensorError, safe_open

from mtl_core.errors import ConfigError
from mtl_core.printable import one_line

Shape = tuple[int, ...]

_MOST_HEAD = 4 * 2**20
"""Bytes of the head; one of 10,000 weights has 1 MiB, and larger models are several files."""


@dataclass(frozen=True)
class WeightSizes:
    """The weights of a model, by what is written in front of them.

    Attributes:
        place: The file; of several the one that lists them.
        shapes: Name -> shape.
    """

    place: Path
    shapes: Mapping[str, Shape]

    @cached_property
    def numbers(self) -> int:
        """How many numbers all weights are made of."""
        return sum(map(math.prod, self.shapes.values()))

    @cached_property
    def largest(self) -> int:
        """The largest size of any weight, along any of its dimensions."""
        return max((max(shape, default=1) for shape in self.shapes.values()), default=0)


def read_sizes(path: Path) -> WeightSizes:
    """Returns the sizes of the weights in a file; reads none of the weights.

    Raises:
        ConfigError: It is no file of safetensors, or one that ends too early.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
        # 8 bytes with the length of a JSON object, the object, then the raw numbers. What only has
        # the name of such a file, for instance a pickle, begins with something else.
        length = int.from_bytes(start[:8], "little")
        if start[8:] != b"{" or length > path.stat().st_size - 8:
            raise ConfigError(f"{path}: expected weights of safetensors, found something else")
        if length > _MOST_HEAD:
            raise ConfigError(
                f"{path}: expected names and shapes of at most {_MOST_HEAD // 2**20} MiB in front "
                f"of the weights, found {length / 2**20:,.0f} MiB"
            )
        with safe_open(path, framework="numpy") as weights:
            shapes = {
                name: tuple(weights.get_slice(name).get_shape())
                for name in weights.keys()  # noqa: SIM118 (no mapping)
            }
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except SafetensorError as error:
        raise ConfigError(
            f"{path}: expected weights of safetensors, and they are broken: {one_line(str(error))}"
        ) from error
    return WeightSizes(path, shapes)
