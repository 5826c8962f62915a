"""Merging: makes of a model that holds adapters alone one that holds all weights."""

from pathlib import Path

from mtl_core.errors import ConfigError
from mtl_core.model_folder import CARD, CONFIG
from mtl_core.saved_meta import read_meta
from mtl_core.saved_model import ForPeople, load_model, write_model
from mtl_core.untrusted import files_in


def merge_model(folder: Path, output: Path, *, trust_code: bool = False) -> None:
    """Writes a model whose weights are the sum of a base and its adapters.

    Args:
        folder: Folder of a model that holds adapters.
        output: Where the other one goes; a model that stands there is replaced as a whole.
        trust_code: Whether code of the model's own kinds of tasks may run.

    Raises:
        ConfigError: The folder holds no such model, or its base cannot be had.
    """
    if output.resolve() == folder.resolve():
        raise ConfigError(f"{output}: expected another folder than that of the adapters")
    if CONFIG in files_in(folder):
        raise ConfigError(f"{folder}: this model holds all its weights; there is nothing to merge")
    saved = load_model(folder, trust_code=trust_code)
    card = folder / CARD
    precision = read_meta(folder, saved.config).precision
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    write_model(output, saved, precision=precision, people=ForPeople(text))
