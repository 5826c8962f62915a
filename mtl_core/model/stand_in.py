"""A stand-in for a layer of a model, which calls it with other arguments."""

from collections.abc import Callable
from typing import Any

from torch import nn

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""What a module is called with: by place, and by name."""


class StandIn(nn.Module):
    """Calls a layer with changed arguments.

    It takes the layer's place in the model, and is no hook of it: with gradient checkpointing the
    layer runs again in the backward pass, with the arguments that it was called with, when hooks
    may be gone.
    """

    def __init__(
        self, layer: nn.Module, change: Callable[[tuple[Any, ...], dict[str, Any]], Arguments]
    ) -> None:
        """Takes a layer.

        Args:
            layer: The layer.
            change: Returns the arguments to call it with, for those that the model gives.
        """
        super().__init__()
        # In a tuple, so that it is not registered: weights keep their names.
        self._layer, self._change = (layer,), change

    def __getattr__(self, name: str) -> Any:
        """Returns what the layer has: some models ask their layers which mask they want."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self._layer[0], name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the layer."""
        args, kwargs = self._change(args, kwargs)
        return self._layer[0](*args, **kwargs)
