"""Models from scratch: an architecture with other settings, and a tokenizer trained on the data."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, JsonValue

from mtl_core.built import open_or_build
from mtl_core.data.training_texts import TrainingTexts
from mtl_core.errors import ConfigError, did_you_mean
from mtl_core.model.backbones.tokenizer import check_tokenizer, telling_panics
from mtl_core.paths import cache_folder
from mtl_core.printable import one_line
from mtl_core.section import Section

if TYPE_CHECKING:
    from tokenizers import AddedToken
    from transformers import PreTrainedConfig, PreTrainedTokenizerFast

_FORMAT = 1
"""Counts up when trained tokenizers change, so that old ones are made anew."""
_PER_BATCH = 1000
_LAYERS = "num_hidden_layers"
"""What most families call the number of layers, and all others have another name for."""


class NewTokenizer(Section):
    """A tokenizer with the special tokens of the model's, its sub-words from the training texts."""

    vocabulary: int = Field(ge=8, le=2**20)
    """Sub-words, special tokens included; of a few texts there may be fewer."""

    def train(
        self, base: "PreTrainedTokenizerFast", texts: TrainingTexts
    ) -> "PreTrainedTokenizerFast":
        """Returns the tokenizer; trains it where no process has done so before.

        Normalisation, special tokens and chat template are those of `base`. The sub-words are those
        of byte-pair encoding (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909), of bytes as
        in GPT-2 where `base` has another sort.

        Args:
            base: The tokenizer that it is like.
            texts: What it is trained on.

        Raises:
            ConfigError: There are more letters than sub-words.
            DataError: The texts cannot be read.
        """
        shaped_by = [_FORMAT, base.backend_tokenizer.to_str(), self.vocabulary, texts.key]
        key = hashlib.sha256(json.dumps(shaped_by).encode()).hexdigest()[:32]

        def build(folder: Path) -> None:
            with telling_panics():
                trained = _trainable(base).train_new_from_iterator(
                    _batches(texts), self.vocabulary, show_progress=False
                )
            if len(trained) > self.vocabulary:
                raise ConfigError(
                    f"run.encoder.tokenizer.vocabulary: expected at least {len(trained)}, as many "
                    f"letters and special tokens there are; found {self.vocabulary}"
                )
            check_tokenizer(trained)
            trained.save_pretrained(folder)

        tokenizer = open_or_build(cache_folder() / "tokenizers" / key, _read, build)
        assert tokenizer is not None
        return tokenizer

    def fitted(
        self, config: "PreTrainedConfig", base: "PreTrainedTokenizerFast", *, name: str
    ) -> "PreTrainedConfig":
        """Returns a configuration for the tokenizer, which need not be trained yet.

        Trainers number the special tokens first, in their order; so their numbers are known before.

        Args:
            config: The configuration.
            base: The tokenizer that it goes with.
            name: Whose it is, for errors.
        """
        numbers = _new_numbers(base)

        def renumbered(value: Any) -> Any:
            if isinstance(value, list):
                return [numbers[one] for one in value if one in numbers]
            return numbers.get(value)

        ids = {
            key: renumbered(value)
            for key, value in config.to_dict().items()
            if key.endswith("_token_id") and value is not None
        }
        return changed(config, {**ids, "vocab_size": self.vocabulary}, name=name)


def _trainable(base: "PreTrainedTokenizerFast") -> "PreTrainedTokenizerFast":
    """Returns a tokenizer like another, of a sort that each machine trains alike.

    Trainers of WordPiece, and of BPE that marks how words go on or end, number those pieces as they
    come out of a hash table, and break ties by the numbers. Unigram sums in the order of threads.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    model = json.loads(base.backend_tokenizer.to_str())["model"]
    marks = (model.get("continuing_subword_prefix"), model.get("end_of_word_suffix"))
    if model["type"] == "BPE" and not any(marks):
        return base
    backend = Tokenizer(models.BPE())
    if base.backend_tokenizer.normalizer is not None:
        backend.normalizer = base.backend_tokenizer.normalizer
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    # Numbered anew, as they will be.
    backend.add_special_tokens(_special_tokens(base))
    if base.backend_tokenizer.post_processor is not None:
        backend.post_processor = base.backend_tokenizer.post_processor
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=base.model_max_length,
        chat_template=base.chat_template,
        **base.special_tokens_map,
    )


def _special_tokens(tokenizer: "PreTrainedTokenizerFast") -> "list[AddedToken]":
    """Returns the special tokens in the order of their numbers, in which trainers take them."""
    added = sorted(tokenizer.added_tokens_decoder.items())
    return [token for _, token in added if token.special]


def _read(folder: Path, _: object) -> "PreTrainedTokenizerFast":
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder, trust_remote_code=False)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    waiting = iter(texts)
    while batch := list(islice(waiting, _PER_BATCH)):
        yield batch


def changed(
    config: "PreTrainedConfig", settings: Mapping[str, JsonValue], *, name: str
) -> "PreTrainedConfig":
    """Returns a configuration with other settings.

    Args:
        config: The configuration.
        settings: What differs.
        name: Whose it is, for errors.

    Raises:
        ConfigError: There is no such setting, or it does not fit the others.
    """
    known = {*config.to_dict(), *config.attribute_map}
    given: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in known:
            raise ConfigError(
                f"run.encoder.architecture: '{key}' is no setting of '{name}'; there are "
                f"num_hidden_layers, hidden_size and others.{did_you_mean(key, known)}"
            )
        given[config.attribute_map.get(key, key)] = value
    kept, layers = config.to_dict(), config.attribute_map.get(_LAYERS, _LAYERS)
    if layers in given:
        # What has an entry for each layer is found anew.
        count = kept.get(layers)
        kept = {k: v for k, v in kept.items() if not (isinstance(v, list) and len(v) == count)}
    try:
        return type(config).from_dict({**kept, **given})
    except Exception as error:  # Each family has its own checks.
        *_, reason = str(error).strip().splitlines() or [""]
        raise ConfigError(
            f"run.encoder.architecture: '{name}' cannot have these settings: "
            f"{one_line(reason.strip())}"
        ) from error


def _new_numbers(base: "PreTrainedTokenizerFast") -> dict[int, int]:
    """Returns the number of a special token -> the one that a new tokenizer gives to it."""
    return {
        base.convert_tokens_to_ids(token.content): number
        for number, token in enumerate(_special_tokens(base))
    }
