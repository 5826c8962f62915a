"""Every recipe of a study against its encoder and what is installed, which no schema knows."""

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import nn

from mtl_core.assets import Data, build_collator, load_data
from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError, DataError
from mtl_core.extras import check_installed
from mtl_core.model.checkpointing import check_checkpointing
from mtl_core.model.layers import separate_layers
from mtl_core.model.outline import encoder_outline, longest_input
from mtl_core.study_file import override
from tuning.study.config import StudyFile

_TOGETHER = (
    "encoder",
    "freezing",
    "optimizer.layer_decay",
    "training.gradient_checkpointing",
    "training.word_dropout",
)
"""Settings that an encoder may allow or not: options of two of them are also tried together."""


def check_encoders(study: StudyFile, data: Data) -> None:
    """Tries the default recipe, and every option of the search.

    An encoder is run once, without its weights, and data are encoded for each; both are kept in
    the cache.

    Args:
        study: The study.
        data: The data of the default recipe.

    Raises:
        ConfigError: An encoder cannot be used, takes shorter rows, or has fewer layers than a
            recipe freezes: a line for each.
        DataError: The data cannot be used with an encoder of the search.
    """
    raw = study.run.model_dump(mode="json")
    # Where trainers get no GPU, `mtl train` may still find one here.
    has_gpus = study.study.resources.gpus > 0 or torch.cuda.is_available()
    check = _Check(study.run, data, torch.device("cuda" if has_gpus else "cpu"))
    found: dict[str, str] = {}  # What is wrong -> the first recipe in which it is.
    for where, overrides in [("run", {}), *_recipes(study)]:
        config = RunConfig.model_validate(override(raw, overrides))
        try:
            check(config)
        except ConfigError as error:
            found.setdefault(str(error).removeprefix("run."), where)
        except DataError as error:
            raise DataError(f"{where}: {error}") from error
    if found:
        raise ConfigError("\n".join(f"{where}: {text}" for text, where in found.items()))


class _Check:
    """Checks recipes; what it has loaded for one serves the next."""

    def __init__(self, run: RunConfig, data: Data, device: torch.device) -> None:
        self._device = device
        default = run.encoder.loaded_by
        self._outlines: dict[str, nn.Module] = {}
        self._tokenizers = {default: data.tokenizer}
        # What is loaded, and the longest row, of what is known to be fine.
        self._lengths = {(default, run.encoder.max_length)}

    def __call__(self, config: RunConfig) -> None:
        check_installed(config.weighting.modules, what="run.weighting.kind")
        loaded_by = config.encoder.loaded_by
        if loaded_by not in self._outlines:
            self._outlines[loaded_by] = encoder_outline(config.encoder).encoder
        outline = self._outlines[loaded_by]
        config.freezing.check(outline)
        config.freezing.check_device(self._device)
        if config.training.gradient_checkpointing:
            check_checkpointing(outline.config)
        if config.optimizer.layer_decay < 1:
            separate_layers(outline, "run.optimizer.layer_decay")
        if loaded_by not in self._tokenizers:
            self._tokenizers[loaded_by] = load_data(config).tokenizer
        build_collator(config, self._tokenizers[loaded_by])
        length = (loaded_by, config.encoder.max_length)
        if length not in self._lengths:
            longest_input(self._tokenizers[loaded_by], config.encoder)
            self._lengths.add(length)


def _recipes(study: StudyFile) -> Iterator[tuple[str, dict[str, object]]]:
    """Yields the name and the overrides of a recipe for every option, alone and in pairs."""
    corners = list(study.space.corners())
    for key, overrides in corners:
        yield f"search.{key}", overrides
    # Entries of several keys have a name of their own, and none of these settings.
    single = [(key, corner) for key, corner in corners if key in corner]
    together = [corner for corner in single if corner[0].startswith(_TOGETHER)]
    for (one, first), (other, second) in combinations(together, 2):
        if one != other and "encoder" in (one.partition(".")[0], other.partition(".")[0]):
            yield f"search.{one} {first[one]} with search.{other} {second[other]}", first | second
