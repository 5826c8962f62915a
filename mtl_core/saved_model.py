"""Reading a saved model: what `export` wrote, checked before anything of it is loaded."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError
from mtl_core.export import FORMAT
from mtl_core.model.backbones.encoder import without_pooler
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model.pooling import Pooler
from mtl_core.printable import one_line
from mtl_core.tasks.base import Task, build_task
from mtl_core.tasks.kinds import outside_kinds
from mtl_core.untrusted import check_model, read_settings
from mtl_core.validation import validate

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A model as it was saved.

    Attributes:
        config: The run that trained it.
        model: The model, on the CPU.
        tasks: Task name -> task.
        tokenizer: Its tokenizer.
        max_length: Longest row, in sub-words, special tokens included.
        parts: Task name -> parts that the texts of its data sets had; see `count_parts`.
    """

    config: RunConfig
    model: MultiTaskModel
    tasks: Mapping[str, Task]
    tokenizer: "PreTrainedTokenizerFast"
    max_length: int
    parts: Mapping[str, Sequence[int]]


def load_model(folder: Path, *, trust_code: bool) -> SavedModel:
    """Loads a model folder; see `Predictor.load`.

    Raises:
        ConfigError: The folder holds no model, one of another format, or one that names code.
    """
    document = check_model(folder, trust_code=trust_code)
    meta = _read_meta(folder)
    with nullcontext() if trust_code else outside_kinds("refuse"):
        config = validate(document, RunConfig)
    with _reading(folder / "mtl.json"):
        max_length = int(meta["max_length"])
        of_tasks: Mapping[str, Any] = {name: meta["tasks"][name] for name in config.tasks}
        tasks = {
            name: build_task(
                name,
                section,
                section.column_in(section.datasets[0], name).labels_from(of_tasks[name]),
            )
            for name, section in config.tasks.items()
        }
        num_features = {name: int(found["features"]) for name, found in of_tasks.items()}
        parts = {name: tuple(map(int, found["parts"])) for name, found in of_tasks.items()}
    encoder, tokenizer = _load_encoder(folder)
    settings = config.encoder
    with _reading(folder / "config.json"):
        pooler = Pooler(settings.pooling, encoder.config.hidden_size, settings.normalize)
        model = MultiTaskModel(encoder, tasks, pooler, num_features=num_features)
    _load_weights(model, folder)
    return SavedModel(config, model, tasks, tokenizer, max_length, parts)


def _read_meta(folder: Path) -> Mapping[str, Any]:
    path = folder / "mtl.json"
    meta = read_settings(path)
    if meta.get("format") != FORMAT:
        raise ConfigError(
            f"{path}: expected format {FORMAT}, found {one_line(str(meta.get('format'))[:40])}; "
            "it was saved by another version of mtl"
        )
    return meta


def _load_encoder(folder: Path) -> "tuple[PreTrainedModel, PreTrainedTokenizerFast]":
    """Returns the encoder, with any weights, and the tokenizer."""
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    with _reading(folder / "config.json"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        encoder = without_pooler(AutoModel.from_config(config, trust_remote_code=False))
    with _reading(folder / "tokenizer.json"):
        # As it was saved: classes of families build some parts of their own anew.
        return encoder, PreTrainedTokenizerFast.from_pretrained(folder, trust_remote_code=False)


def _load_weights(model: MultiTaskModel, folder: Path) -> None:
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"{folder}: model.safetensors does not fit mtl.json and config.json: {reason}"
        ) from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Says in one line that a file of a model cannot be used, and why."""
    try:
        yield
    except Exception as error:  # Broken files end in errors of any kind, from several libraries.
        reason = next(iter(str(error).strip().splitlines()), "")
        raise ConfigError(
            f"{path}: cannot be used: {type(error).__name__}: {one_line(reason)}"
        ) from error
