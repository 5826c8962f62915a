"""The pretrained weights of a model that runs share: kept, and put back before the next run."""

from collections.abc import Collection, Iterable, Mapping

import torch
from torch import Tensor, nn


class Pristine:
    """Copies of those weights that some run may change; all others stay what they are.

    So a base that only ever gets adapters is in memory once, and nothing of it is copied between
    two runs. The order of calls: `keep` before weights can change, `restore` before the next run.
    """

    def __init__(self, model: nn.Module) -> None:
        """Takes a model as it is now, without adapters.

        Args:
            model: Its modules may be replaced later on, but not the memory of its weights.
        """
        # The parameters themselves: where they are moved to another device, this sees it.
        self._own: dict[str, Tensor] = dict(model.state_dict(keep_vars=True))
        self._copies: dict[str, Tensor] = {}
        # Names of what may have changed since it was last put back. Buffers change without being
        # trained, and are few.
        parameters = dict(model.named_parameters(remove_duplicate=False))
        self._buffers = frozenset(self._own) - parameters.keys()
        self._changing: set[str] = set()
        self._keep(self._buffers)

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Name -> pretrained weight; not to be written to."""
        return self._own | self._copies

    def keep(self, parameters: Collection[nn.Parameter]) -> None:
        """Makes ready for a change of some parameters; those of other models count for nothing."""
        # By their memory: a module may hold the same weights as another parameter by now, and what
        # has several names is to be kept under each.
        memory = {parameter.data_ptr() for parameter in parameters}
        self._keep(name for name, own in self._own.items() if own.data_ptr() in memory)

    def restore(self) -> None:
        """Puts back all that may have changed."""
        with torch.no_grad():
            for name in self._changing | self._buffers:
                self._own[name].copy_(self._copies[name])
        self._changing = set()

    def replace(self, weights: Mapping[str, Tensor]) -> None:
        """Takes other weights for the pretrained ones from here on, by the same names."""
        with torch.no_grad():
            for name, value in weights.items():
                self._own[name].copy_(value)
        self._copies = {}
        self._keep(self._buffers)

    def _keep(self, names: Iterable[str]) -> None:
        for name in names:
            self._changing.add(name)
            if name not in self._copies:
                self._copies[name] = self._own[name].detach().clone()
