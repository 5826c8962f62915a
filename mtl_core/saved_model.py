"""Saved models: writes and reads the folder of a model; no other file knows its format.

Transformers reads the same folder: it finds the trained encoder with its tokenizer, and passes over
the heads, which have a file of their own. Loading checks the whole folder first (`check_model`) and
only then hands its files to libraries.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file, save_file

from mtl_core.config import RunConfig
from mtl_core.data.words import Cut
from mtl_core.errors import ConfigError
from mtl_core.files import whole_folder
from mtl_core.model.adapters import AdaptersAlone
from mtl_core.model.autocast import Precision
from mtl_core.model.backbones.tokenizer import check_tokenizer, telling_panics
from mtl_core.model.bounds import at_most, check_finite
from mtl_core.model.multitask import MultiTaskModel, build_model
from mtl_core.model.probe import facts_of
from mtl_core.model_folder import (
    CARD,
    CONFIG,
    FORMAT,
    HEADS,
    META,
    RUN,
    TOKENIZER,
    TOKENIZER_CONFIG,
    WEIGHTS,
)
from mtl_core.printable import one_line
from mtl_core.samples import NO_SAMPLES, Samples, write_samples
from mtl_core.saved_adapters import merge_saved, read_base, write_adapters
from mtl_core.saved_encoder import read_backbone, reading, write_backbone
from mtl_core.saved_meta import SavedMeta, read_meta
from mtl_core.sentence_modules import write_sentence_modules
from mtl_core.study_file import dump
from mtl_core.task_errors import NO_ERRORS, Errors, write_errors
from mtl_core.tasks.base import Task
from mtl_core.tasks.building import build_task
from mtl_core.tasks.kinds import outside_kinds
from mtl_core.untrusted import check_model, files_in
from mtl_core.validation import validate
from mtl_core.weight_sizes import read_sizes

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A model as it is saved.

    Attributes:
        config: The run that trained it.
        model: The model; on the CPU when it was loaded.
        tasks: Task name -> task.
        tokenizer: Its tokenizer.
        max_length: Longest row, in sub-words, special tokens included.
        parts: Task name -> parts that the texts of its data sets had; see `count_parts`.
        cuts: Data set name -> how texts are cut into words, as its own are.
        alone: Its adapters, where these are saved in place of weights; None = the weights hold
            all, and so it is with a model that was loaded.
    """

    config: RunConfig
    model: MultiTaskModel
    tasks: Mapping[str, Task]
    tokenizer: "PreTrainedTokenizerFast"
    max_length: int
    parts: Mapping[str, Sequence[int]]
    cuts: Mapping[str, Cut]
    alone: AdaptersAlone | None = None


@dataclass(frozen=True, slots=True)
class ForPeople:
    """What lies in the folder of a model for people alone: none of it is needed to load it.

    Attributes:
        card: Its model card, as Markdown.
        samples: What it writes for rows of dev.
        errors: Where it errs on dev.
    """

    card: str
    samples: Samples = field(default_factory=lambda: NO_SAMPLES)
    errors: Errors = field(default_factory=lambda: NO_ERRORS)


def write_model(
    folder: Path, saved: SavedModel, *, precision: Precision, people: ForPeople
) -> None:
    """Writes the folder of a model.

    Args:
        folder: Where it goes; a model that stands there is replaced as a whole.
        saved: The model.
        precision: What the run computed in.
        people: What lies beside it for people.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    heads = {
        # Safetensors refuses views that are not contiguous.
        name: value.cpu().contiguous()
        for name, value in saved.model.own_weights().items()
    }
    facts = facts_of(saved.model.encoder)
    with whole_folder(folder) as scratch:
        _write_weights(scratch, saved)
        save_file(heads, scratch / HEADS, metadata={"format": "pt"})
        save_tokenizer(scratch, saved.tokenizer)
        _name_inputs(scratch, saved)
        meta = json.dumps(_meta(saved, precision), indent=2, allow_nan=False) + "\n"
        (scratch / META).write_text(meta, encoding="utf-8")
        (scratch / RUN).write_text(dump(saved.config), encoding="utf-8")
        (scratch / CARD).write_text(people.card, encoding="utf-8")
        write_samples(scratch, people.samples)
        write_errors(scratch, people.errors)
        # Of an encoder-decoder sentence-transformers would take the output of the decoder.
        if saved.alone is None and not saved.model.encoder.config.is_encoder_decoder:
            write_sentence_modules(
                scratch, saved.config.encoder, hidden_size=facts.width, max_length=saved.max_length
            )


def _name_inputs(folder: Path, saved: SavedModel) -> None:
    """Has a tokenizer name what the encoder reads: other libraries give it just that."""
    has_pairs = any(2 in parts for parts in saved.parts.values())
    takes_segments = has_pairs and facts_of(saved.model.encoder).takes_segments
    inputs = ["input_ids", *["token_type_ids"] * takes_segments, "attention_mask"]
    _change(folder / TOKENIZER_CONFIG, model_input_names=inputs)


def _write_weights(folder: Path, saved: SavedModel) -> None:
    """Writes the weights of encoder and writer, or the adapters in their place."""
    backbone = saved.config.encoder
    if saved.alone is not None:
        write_adapters(folder, backbone, saved.model, saved.alone.adapters)
        return
    write_backbone(folder, backbone, saved.model.whole)
    # A configuration from the hub may name code of its own, which `check_model` refuses. What was
    # trained is always a class of Transformers, so the reference is not needed.
    _change(folder / CONFIG, auto_map=None)


def load_model(folder: Path, *, trust_code: bool) -> SavedModel:
    """Loads a model folder on the CPU; see `Predictor.load`.

    Raises:
        ConfigError: The folder holds no model, one of another format, or one that names code.
    """
    # The order is the protection: plain files are looked at, then settings are validated without
    # importing kinds from outside, and last come the libraries that build and fill a model.
    document = check_model(folder, trust_code=trust_code)
    with nullcontext() if trust_code else outside_kinds("refuse"):
        config = validate(document, RunConfig)
    meta = read_meta(folder, config)
    with reading(folder / META):
        tasks = {
            name: build_task(
                name,
                section,
                section.column_in(section.datasets[0], name).labels_from(
                    meta.tasks[name].model_dump()
                ),
            )
            for name, section in config.tasks.items()
        }
        cuts = {name: Cut.from_json(cut.model_dump()) for name, cut in meta.cuts.items()}
    has_weights = CONFIG in files_in(folder)
    backbone = config.encoder
    kept = (
        read_backbone(folder, backbone) if has_weights else read_base(folder, backbone, meta.base)
    )
    tokenizer = _load_tokenizer(folder)
    model = _build_model(folder, config, tasks, meta, kept, tokenizer)
    if not has_weights:
        merge_saved(folder, backbone, config.freezing, model)
    _check_lengths(folder, meta, model.encoder, tokenizer)
    parts = {name: task.parts for name, task in meta.tasks.items()}
    return SavedModel(config, model, tasks, tokenizer, meta.max_length, parts, cuts)


def _meta(saved: SavedModel, precision: Precision) -> dict[str, object]:
    """Returns the content of `mtl.json`; `load_model` reads it."""
    tasks = {
        name: {
            "kind": section.kind,
            "features": saved.model.num_features[name],
            "parts": saved.parts[name],
            # Labels that only dev or test hold mean nothing to a user of the model.
            **(saved.tasks[name].labels.to_json() | {"unseen": ()}),
        }
        for name, section in saved.config.tasks.items()
    }
    return {
        "format": FORMAT,
        "max_length": saved.max_length,
        "precision": precision,
        "tasks": tasks,
        "cuts": {name: cut.to_json() for name, cut in saved.cuts.items()},
        "base": None if saved.alone is None else saved.alone.base,
    }


def save_tokenizer(folder: Path, tokenizer: "PreTrainedTokenizerFast") -> None:
    """Saves a tokenizer as one of the general class, which reads as `tokenizer.json` says."""
    tokenizer.save_pretrained(folder)
    general = "PreTrainedTokenizerFast"
    _change(folder / TOKENIZER_CONFIG, tokenizer_class=general, auto_map=None)


def _change(path: Path, **changes: str | list[str] | None) -> None:
    """Changes settings that Transformers has written; None takes one out."""
    settings = json.loads(path.read_text(encoding="utf-8")) | changes
    kept = {key: value for key, value in settings.items() if key not in changes or value}
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _load_tokenizer(folder: Path) -> "PreTrainedTokenizerFast":
    with reading(folder / TOKENIZER):
        from transformers import PreTrainedTokenizerFast

        # As it was saved: classes of families build some parts of their own anew.
        with telling_panics():
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, trust_remote_code=False)
        check_tokenizer(tokenizer)
        return tokenizer


def _build_model(
    folder: Path,
    config: RunConfig,
    tasks: Mapping[str, Task],
    meta: SavedMeta,
    kept: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
) -> MultiTaskModel:
    """Returns the model with the weights of its heads."""
    with reading(folder / CONFIG):
        facts_of(config.encoder.encoder_of(kept))
    # What stands on the encoder is as large as these two files say, and as its weights are.
    with (
        reading(folder / HEADS),
        at_most(read_sizes(folder / HEADS), asked_by=f"{folder}: {RUN} and {META}", given=kept),
    ):
        num_features = {name: task.features for name, task in meta.tasks.items()}
        model = build_model(config.encoder, kept, tokenizer, tasks, num_features=num_features)
    _load_heads(model, folder)
    return model


def _load_heads(model: MultiTaskModel, folder: Path) -> None:
    own = model.own_weights()
    others = {name: value for name, value in model.state_dict().items() if name not in own}
    with reading(folder / HEADS):
        heads = load_file(folder / HEADS)
        try:
            # Strict, which wants all weights of the model: pretrained ones stay what they are, and
            # other names of a weight give it what it has got by its first one.
            model.load_state_dict(heads | others)
        except RuntimeError as error:
            # The last line says which names.
            reason = one_line(str(error).strip().splitlines()[-1].strip()[:200])
            raise ConfigError(f"{folder}: {HEADS} does not fit {META}: {reason}") from error
    check_finite(model, where=str(folder / HEADS))


def _check_lengths(
    folder: Path,
    meta: SavedMeta,
    encoder: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
) -> None:
    """Refuses rows that are longer than the encoder takes, and sub-words that it does not have."""
    facts = facts_of(encoder)
    if facts.positions is not None and meta.max_length > facts.positions:
        raise ConfigError(
            f"{folder / META}: max_length: expected at most {facts.positions}, what the encoder "
            f"takes; found {meta.max_length}"
        )
    largest = max(tokenizer.get_vocab().values(), default=0)
    if facts.words is not None and largest >= facts.words:
        raise ConfigError(
            f"{folder / TOKENIZER}: its sub-words have numbers up to {largest}, and {WEIGHTS} has "
            f"{facts.words} of them, up to {facts.words - 1}"
        )
