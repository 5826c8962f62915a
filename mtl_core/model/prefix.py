"""Runs the lower part of an encoder apart from the upper one, so that its output can be kept."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from mtl_core.data.batching import Batch
from mtl_core.model.families import FAMILIES
from mtl_core.model.layers import encoder_parts, layers_name
from mtl_core.model.probe import EncoderFacts, facts_of
from mtl_core.model.stand_in import Arguments, StandIn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WHOLE = -1
"""Depth of a prefix that is the whole encoder."""


def can_run_apart(encoder: "PreTrainedModel", depth: int) -> bool:
    """Returns whether what is above a depth runs without what is below; see `run_suffix`."""
    if depth == WHOLE:
        return True
    family = FAMILIES.get(str(encoder.config.model_type))
    # What is handed on would not be there when a layer is computed again in the backward pass.
    return family is not None and not (family.handed_on and encoder.is_activation_checkpointing)


def looks_below(encoder: "PreTrainedModel", depth: int, layers: int) -> bool:
    """Returns whether any of the highest layers, so many of them, stands below a depth."""
    if not layers:
        return False
    return depth == WHOLE or depth > len(encoder_parts(encoder).layers) - layers


class _ReachedError(Exception):
    """Ends a forward pass at the layer where the prefix ends."""


def run_prefix(encoder: "PreTrainedModel", depth: int, inputs: dict[str, Any]) -> Tensor:
    """Returns the hidden states (batch, seq, hidden) that the layer `depth` gets.

    Args:
        encoder: The encoder, in evaluation mode.
        depth: Number of layers below; 0 = the embeddings alone, `WHOLE` = the whole encoder.
        inputs: Arguments of its forward pass.
    """
    if depth == WHOLE:
        return encoder(**inputs).last_hidden_state  # type: ignore[no-any-return]
    seen: list[Tensor] = []

    def stop(module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        seen.append(args[0] if args else kwargs["hidden_states"])
        # An exception, as what stands above would be computed for nothing.
        raise _ReachedError

    parts = encoder_parts(encoder)
    # With all layers below, what comes after the last one is the first that is left.
    layer = (*parts.layers, *parts.above)[depth]
    hook = layer.register_forward_pre_hook(stop, with_kwargs=True)
    try:
        encoder(**inputs)
    except _ReachedError:
        return seen[0]
    finally:
        hook.remove()
    raise AssertionError("the forward pass never came to the layer")


def run_suffix(
    encoder: "PreTrainedModel", depth: int, hidden: Tensor, inputs: dict[str, Any]
) -> Tensor:
    """Returns the last hidden states (batch, seq, hidden) from those of the layer `depth` on.

    The family's own code runs, so that masks and positions are its own; only what stands below is
    taken out while it runs.
    """
    if depth == WHOLE:
        return hidden
    with _without_prefix(encoder, depth, hidden):
        return encoder(**inputs).last_hidden_state  # type: ignore[no-any-return]


class _Given(nn.Module):
    """Gives hidden states in place of a module that would compute them."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self._hidden = hidden

    def forward(self, *args: object, **kwargs: object) -> Tensor:
        return self._hidden


@contextmanager
def _without_prefix(encoder: "PreTrainedModel", depth: int, hidden: Tensor) -> Iterator[None]:
    family = FAMILIES[str(encoder.config.model_type)]
    parts = encoder_parts(encoder)
    left = list(parts.layers[depth:])
    with ExitStack() as put_back:  # The last that was put in is taken out first.
        if family.before:
            first, *others = family.before
            put_back.callback(_replace(encoder, first, _Given(hidden)))
            # The states have gone through these already.
            for name in others:
                put_back.callback(_replace(encoder, name, nn.Identity()))
        elif left:
            left[0] = _given(left[0], hidden)
        else:
            name = facts_of(encoder).above[0]
            put_back.callback(_replace(encoder, name, _given(parts.above[0], hidden)))
        if 0 < depth < len(parts.layers) and family.handed_on:
            put_back.callback(_hand_on(parts.layers[0], parts.layers[depth], family.handed_on))
        put_back.callback(_shift_types(encoder, depth))
        put_back.callback(_replace(encoder, layers_name(encoder), nn.ModuleList(left)))
        # It would otherwise run behind the first of the layers that are left.
        if depth and family.after_first:
            put_back.callback(_replace(encoder, family.after_first, None))
        yield


def _given(layer: nn.Module, hidden: Tensor) -> StandIn:
    """Returns what calls a layer with these hidden states, whatever it is called with itself."""

    def change(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        return ((hidden, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": hidden})

    return StandIn(layer, change)


def _shift_types(encoder: "PreTrainedModel", depth: int) -> Callable[[], None]:
    """Takes lower layers out of the list of what mask each layer wants; returns what undoes that.

    Some models look it up by the place of a layer among the layers.
    """
    config, types = encoder.config, getattr(encoder.config, "layer_types", None)
    if types is None:
        return lambda: None
    config.layer_types = types[depth:]
    return lambda: setattr(config, "layer_types", types)


def _hand_on(first: nn.Module, layer: nn.Module, name: str) -> Callable[[], None]:
    """Gives a layer what only the first one has; returns what takes it away again."""
    path, _, last = name.rpartition(".")
    source, target = first.get_submodule(path), layer.get_submodule(path)
    # As T5 has it: without the flag its attention would not look.
    flag = f"has_{last}"
    target.add_module(last, source.get_submodule(last))
    setattr(target, flag, True)

    def undo() -> None:
        delattr(target, last)
        setattr(target, flag, False)

    return undo


def _replace(encoder: nn.Module, name: str, module: nn.Module | None) -> Callable[[], None]:
    """Puts a module in the place of another; returns what puts that back."""
    path, _, last = name.rpartition(".")
    parent = encoder.get_submodule(path)
    before = getattr(parent, last, None)
    # An ELECTRA of one size projects nothing, and newer DeBERTas have no convolution.
    if before is None:
        return lambda: None
    parent.register_module(last, module)
    return lambda: parent.register_module(last, before)


def as_inputs(batch: Batch, facts: EncoderFacts) -> dict[str, Any]:
    """Returns the arguments of an encoder's forward pass; segments for encoders that know them."""
    inputs: dict[str, Any] = {
        "input_ids": batch.token_ids,
        "attention_mask": batch.attention_mask,
    }
    if facts.has_cache:  # Keys and values of all layers, for tokens to come.
        inputs["use_cache"] = False
    if batch.token_types is not None and facts.takes_segments:
        inputs["token_type_ids"] = batch.token_types
    return inputs
