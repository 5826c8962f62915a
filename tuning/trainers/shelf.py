"""The shelf of a worker: keeps data and encoder of the last run in memory for the next one."""

import gc

import torch

from mtl_core.assets import Assets, assets_key
from mtl_core.config import RunConfig


class Shelf:
    """The assets of the last run."""

    def __init__(self, device: torch.device) -> None:
        """Starts empty; the encoder is loaded for `device`."""
        self._device = device
        self._assets: Assets | None = None

    def assets_for(self, config: RunConfig) -> Assets:
        """Returns the assets of a run, loaded anew if they are not those of the run before.

        Raises:
            MtlError: They cannot be loaded.
        """
        if self._assets is None or self._assets.key != assets_key(config):
            self._assets = None  # frees the old ones before the new ones are loaded
            # Workers freeze what outlives a job, and the collector passes over what is frozen.
            gc.unfreeze()
            gc.collect()
            self._assets = Assets.load(config, device=self._device)
        return self._assets
