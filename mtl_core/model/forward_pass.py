"""What a forward pass of an encoder looks up and calls, noted while it runs."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class ForwardPass(TorchFunctionMode):
    """Notes what an encoder looks up in tables, and its modules in the order of their calls."""

    def __init__(self, encoder: "PreTrainedModel") -> None:
        self._encoder = encoder
        self._words = word_table(encoder)
        self._called: list[nn.Module] = []
        self._ids: list[tuple[Tensor, Tensor]] = []  # Of each look-up, with the table.
        super().__init__()

    def note_call(self, module: nn.Module, _: object) -> None:
        """Notes the call of a module."""
        self._called.append(module)

    def __torch_function__(
        self, called: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if called is functional.embedding:
            found = inspect.signature(called).bind(*args, **(kwargs or {})).arguments
            self._ids.append((found["input"], found["weight"]))
        return called(*args, **(kwargs or {}))

    def reads_words_for(self, ids: Tensor) -> bool:
        """Returns whether words are looked up for these ids alone, and through the module."""
        if not isinstance(self._words, nn.Embedding):
            return False
        table, padding = self._words.weight, self._words.padding_idx
        found = [ids for ids, weight in self._ids if weight.data_ptr() == table.data_ptr()]
        allowed = {*ids.flatten().tolist(), padding}
        read = {number for one in found for number in one.flatten().tolist()}
        return len(found) == self._called.count(self._words) and read <= allowed

    def positions(self, length: int) -> int | None:
        """Returns how many positions the tables have room for that were looked up by position."""
        rooms = []
        for ids, weight in self._ids:
            # Some families lengthen a row to a multiple of a window.
            if ids.ndim == 0 or ids.shape[-1] < length:
                continue
            rows = ids.reshape(-1, ids.shape[-1])[:, :length]
            # The same numbers in each row, one up from each sub-word to the next, whatever the
            # first is: some families begin behind the id of padding.
            counted = rows[:1, :1] + torch.arange(length, device=rows.device)
            if torch.equal(rows, counted.expand_as(rows)):
                rooms.append(len(weight) - int(rows[0, 0]))
        return min(rooms, default=None)

    def layers(self) -> tuple[str, tuple[str, ...]]:
        """Returns the name of the list of layers, and of what has weights and runs after them.

        The encoder has two layers at least. The name is "" where no list, or more than one, holds
        modules of several parts that were called; lists inside of a layer do not count.
        """
        names = {module: name for name, module in self._encoder.named_modules()}
        # A module -> when it was first called.
        first = {module: place for place, module in reversed([*enumerate(self._called)])}
        lists = [
            module
            for module in names
            if isinstance(module, nn.ModuleList)
            and len(module)
            and all(child in first and list(child.children()) for child in module)
        ]
        inner = {part for one in lists for part in one.modules() if part is not one}
        outer = [one for one in lists if one not in inner]
        if len(outer) != 1:
            return "", ()
        (layers,) = outer
        end = max(first[child] for child in layers)
        above = [one for one in beside(self._encoder, layers) if first.get(one, -1) > end]
        return names[layers], tuple(names[one] for one in above if list(one.parameters()))


@contextmanager
def watching(encoder: "PreTrainedModel") -> Iterator[ForwardPass]:
    """Yields what notes the look-ups and calls of a forward pass."""
    seen = ForwardPass(encoder)
    hooks = [module.register_forward_pre_hook(seen.note_call) for module in encoder.modules()]
    try:
        with seen:
            yield seen
    finally:
        for hook in hooks:
            hook.remove()


def word_table(encoder: "PreTrainedModel") -> nn.Module | None:
    """Returns an encoder's word embeddings; None where it has no such module."""
    try:
        found: nn.Module = encoder.get_input_embeddings()
    except NotImplementedError:  # CANINE hashes characters into several tables.
        return None
    return found


def beside(encoder: nn.Module, layers: nn.Module) -> list[nn.Module]:
    """Returns what stands beside the list of an encoder's layers, or beside what that stands in."""
    # The modules that the list stands in, the encoder itself among them.
    around = [m for m in encoder.modules() if layers in m.modules() and m is not layers]
    own = {layers, *around}
    return [child for module in around for child in module.children() if child not in own]
