"""Bounds on what is built for weights: no more than the weights are there for.

A configuration of a few bytes can ask for a million layers, or for a table that fills the memory.
What it may ask for is known before: the sizes of the weights stand in front of them in their file.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import get_ident
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.modules import module as registration

from mtl_core.errors import ConfigError
from mtl_core.weight_sizes import Shape, WeightSizes

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_MODULES_PER_WEIGHT = 20
_MODULES = 10_000
"""Modules, parameters and buffers: that many for each weight, and as many beside."""
_LAYERS = 256
_NUMBERS_PER_NUMBER = 8
_NUMBERS = 2**24
"""Numbers in them: a decoder that is not used, tables that are computed, weights before a tie."""


@contextmanager
def at_most(
    sizes: WeightSizes | None, *, asked_by: str, given: nn.Module | None = None
) -> Iterator[None]:
    """Breaks off, within the block, when far more is built than there are weights.

    Args:
        sizes: The weights; None = they are not known, and there is no limit.
        asked_by: The file that says what is built, and what is large in it.
        given: What is there already, which may move.

    Raises:
        ConfigError: More modules, or larger ones, are built in this thread.
    """
    if sizes is None:
        yield
        return
    thread, there, count, numbers = get_ident(), _places_of(given), 0, 0
    most = _MODULES_PER_WEIGHT * len(sizes.shapes) + _MODULES
    most_numbers = _NUMBERS_PER_NUMBER * sizes.numbers + _NUMBERS

    def note(_: nn.Module, name: str, built: object) -> None:
        nonlocal count, numbers
        if get_ident() != thread:
            return
        count += 1
        if isinstance(built, Tensor) and built.data_ptr() not in there:
            numbers += built.numel()
        if count > most or numbers > most_numbers:
            raise ConfigError(f"{asked_by}, which makes a model far larger than {_holds(sizes)}")

    with ExitStack() as hooks:
        for register in (
            registration.register_module_parameter_registration_hook,
            registration.register_module_buffer_registration_hook,
            registration.register_module_module_registration_hook,
        ):
            hooks.callback(register(note).remove)
        yield


def _holds(sizes: WeightSizes) -> str:
    shapes, numbers = len(sizes.shapes), sizes.numbers
    return f"{sizes.place.name}: that holds {shapes:,} weights of {numbers:,} numbers"


def _places_of(given: nn.Module | None) -> set[int]:
    """Returns where in memory the weights of a module lie: a parameter may be wrapped anew."""
    return set() if given is None else {weight.data_ptr() for weight in given.parameters()} - {0}


def check_depth(config: "PreTrainedConfig", sizes: WeightSizes, *, where: str) -> None:
    """Refuses an encoder of more layers than it has weights: families may use a layer many times.

    Raises:
        ConfigError: It has more.
    """
    key = config.attribute_map.get("num_hidden_layers", "num_hidden_layers")
    found, most = getattr(config, key, None), max(len(sizes.shapes), _LAYERS)
    if isinstance(found, int) and found > most:
        raise ConfigError(
            f"{where}: {key}: expected at most {most:,}, found {found:,}; {sizes.place.name} holds "
            f"{len(sizes.shapes):,} weights"
        )


def check_fits(encoder: nn.Module, sizes: WeightSizes, *, where: str) -> None:
    """Refuses an encoder, which may be on "meta", that is not of the size of its weights.

    Names are compared by their ends: a file may hold the encoder as a part of a larger model, and
    Transformers renames some weights and joins others when it reads them. So this finds what is of
    another size; that nothing is missing shows when they are read.

    Args:
        encoder: The encoder.
        sizes: The weights.
        where: What an error begins with.

    Raises:
        ConfigError: A weight of it has another number of numbers than that in the file, or all of
            them have more than those in the file.
    """
    known = _by_end(sizes.shapes)
    numbers, unknown = 0, {}
    for name, parameter in encoder.named_parameters():
        shape = tuple(parameter.shape)
        numbers += math.prod(shape)
        # The file may hold all but what stands on the model, whose names are a part shorter then.
        same = next((one for one in (name, name.partition(".")[2]) if one in sizes.shapes), None)
        found = known.get(name, []) if same is None else [sizes.shapes[same]]
        if not found:
            unknown[name] = shape
        # Some are turned when they are read.
        elif math.prod(shape) not in map(math.prod, found):
            raise ConfigError(
                f"{where}: it makes {name} of {_shown(shape)}, and {sizes.place.name} holds one of "
                f"{_shown(found[0])}"
            )
    if numbers > sizes.numbers:
        name = max(unknown, key=lambda one: math.prod(unknown[one]), default="")
        largest = f"; it lacks {name} of {_shown(unknown[name])}" if name else ""
        raise ConfigError(
            f"{where}: it makes an encoder of {numbers:,} numbers, and {sizes.place.name} holds "
            f"{sizes.numbers:,}{largest}"
        )


def check_finite(encoder: nn.Module, *, where: str) -> None:
    """Refuses weights that are no numbers, or without end: damage, or a training that went wrong.

    Raises:
        ConfigError: Some are.
    """
    for name, parameter in encoder.named_parameters():
        if not parameter.isfinite().all():
            raise ConfigError(
                f"{where}: {name}: expected numbers, found NaN or infinity among them"
            )


def _by_end(shapes: Mapping[str, Shape]) -> dict[str, list[Shape]]:
    """Returns the end of a name, from some dot on -> shapes of the weights whose names end so."""
    found: dict[str, list[Shape]] = {}
    for name, shape in shapes.items():
        parts = name.split(".")
        for start in range(1, len(parts)):
            found.setdefault(".".join(parts[start:]), []).append(shape)
    return found


def _shown(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))})"
