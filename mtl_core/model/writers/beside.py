"""All that stands in a model beside a part of it, as a module of its own."""

from torch import nn


class Beside(nn.Module):
    """The weights of a whole without those of a part, under the names that they have there.

    It computes nothing. What is moved, trained or loaded here is the whole's own.
    """

    def __init__(self, whole: nn.Module, part: nn.Module) -> None:
        """Looks through a whole.

        Args:
            whole: A module that holds the part, somewhere inside.
            part: What is left out.
        """
        super().__init__()
        # The very same dicts: a module that goes to a device gets new buffers in them.
        self._parameters, self._buffers = whole._parameters, whole._buffers
        self._non_persistent_buffers_set = whole._non_persistent_buffers_set
        for name, child in whole.named_children():
            if child is not part:
                holds_it = any(module is part for module in child.modules())
                self.add_module(name, Beside(child, part) if holds_it else child)
