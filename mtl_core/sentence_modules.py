"""Files by which sentence-transformers makes the sentence vectors of a saved model."""

import json
from pathlib import Path

from mtl_core.model.backbones.base import Backbone
from mtl_core.model_folder import MODULE_ENCODER, MODULE_POOLING, MODULES

_MODES = {"cls": "cls_token", "mean": "mean_tokens", "max": "max_tokens", "last": "lasttoken"}
"""Pooling -> what sentence-transformers calls it; it has none with learnt weights."""
_NORMALIZE = {"none": (), "l2": ("Normalize",)}
"""Normalization -> modules that do it; for `l1` it has none."""


def makes_sentences(encoder: Backbone) -> bool:
    """Returns whether sentence-transformers has this pooling and normalization."""
    return encoder.pooling in _MODES and encoder.normalize in _NORMALIZE


def write_sentence_modules(
    folder: Path, encoder: Backbone, *, hidden_size: int, max_length: int
) -> None:
    """Writes the files beside an encoder, where sentence-transformers has such a pooling.

    In the form that all its versions read, up to now; see
    https://sbert.net/docs/sentence_transformer/usage/custom_models.html.

    Args:
        folder: Folder of the model.
        encoder: Says how a sentence becomes one vector.
        hidden_size: Numbers of that vector.
        max_length: Longest row, in sub-words, special tokens included.
    """
    if not makes_sentences(encoder):
        return  # Without these files it takes the mean: a pooling of its own, not of this model.
    pooling = {f"pooling_mode_{mode}": kind == encoder.pooling for kind, mode in _MODES.items()}
    names = ["Transformer", "Pooling", *_NORMALIZE[encoder.normalize]]
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": f"{number}_{name}" if number else "",
            "type": f"sentence_transformers.models.{name}",
        }
        for number, name in enumerate(names)
    ]
    _write(folder / MODULES, modules)
    _write(folder / MODULE_ENCODER, {"max_seq_length": max_length, "do_lower_case": False})
    _write(folder / MODULE_POOLING, {"word_embedding_dimension": hidden_size, **pooling})


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
