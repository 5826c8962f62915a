"""Tokenizers: loads those of encoders, and tries each on words before it is used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_core.errors import ConfigError
from mtl_core.model._transformers_imports import import_models
from mtl_core.model.backbones.source import find_source, loading
from mtl_core.model_folder import TOKENIZER, TOKENIZER_CONFIG
from mtl_core.printable import quoted
from mtl_core.untrusted import read_settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_SHORTEST = 8
"""Sub-words of the shortest limit of rows: a study file takes no smaller one either."""
_WORDS = (["a", "Zz9", ".", "\u4e2d\u6587", "\x01"], ["a"])
"""A text and a second one: letters, marks, what most tokenizers do not know, what they drop."""
_MOST_PIECES = 1000
"""Sub-words of those."""


def load_tokenizer(name: str, *, revision: str | None = None) -> "PreTrainedTokenizerFast":
    """Loads the fast tokenizer of an encoder.

    Raises:
        ConfigError: The tokenizer cannot be loaded, is not a fast one, or cannot read words.
    """
    import_models()
    from transformers import AutoTokenizer

    source = find_source(name, revision)
    options = {"revision": revision or "main"}
    with loading("tokenizer", name), telling_panics():
        _check_files(Path(source.place))
        # `trust_remote_code` stays off in every call: a model may bring along code to be run.
        tokenizer = AutoTokenizer.from_pretrained(source.place, trust_remote_code=False, **options)
        if getattr(tokenizer, "add_prefix_space", None) is False:
            # Some byte-level tokenizers refuse words otherwise.
            tokenizer = AutoTokenizer.from_pretrained(
                source.place, trust_remote_code=False, add_prefix_space=True, **options
            )
    if not tokenizer.is_fast:
        raise ConfigError(f"run.encoder.name: '{name}' has no fast tokenizer ({TOKENIZER})")
    with loading("tokenizer", name):
        check_tokenizer(tokenizer)
        _read_words_as_in_text(tokenizer)
    return tokenizer


def check_tokenizer(tokenizer: "PreTrainedTokenizerFast") -> None:
    """Tries a tokenizer on words, as the layouts use it.

    Raises:
        Exception: It cannot read them, with errors of many kinds.
    """
    limit: object = tokenizer.model_max_length
    if not isinstance(limit, int | float) or not limit >= _SHORTEST:
        raise ValueError(
            f"{TOKENIZER_CONFIG}: model_max_length: expected a number of at least {_SHORTEST}, "
            f"found {quoted(str(limit)[:40])}"
        )
    with telling_panics():
        for second in (None, _WORDS[1:]):
            encoded = tokenizer(_WORDS[:1], second, is_split_into_words=True)
            [ids] = encoded["input_ids"]
            tokenizer.num_special_tokens_to_add(pair=second is not None)
            tokenizer.decode(ids)
            if len(ids) > _MOST_PIECES:
                raise ValueError(
                    f"{TOKENIZER}: expected a few sub-words for a few words, found {len(ids):,}"
                )
        tokenizer(_WORDS[:1], is_split_into_words=True, truncation=True, max_length=_SHORTEST)


@contextmanager
def telling_panics() -> Iterator[None]:
    """Turns a panic of the tokenizers library into a `ValueError`.

    A panic is no `Exception` of Python's, and the library writes of it to the standard error
    stream of the process by itself, whatever Python does; so that goes nowhere meanwhile.

    Raises:
        ValueError: The block ended in a panic.
    """
    try:
        with _silent():
            yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"{TOKENIZER}: the tokenizer breaks down: {error}") from error


@contextmanager
def _silent() -> Iterator[None]:
    """Sends what the process writes to its standard error stream nowhere."""
    try:
        kept = os.dup(2)
    except OSError:  # There is none.
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _check_files(folder: Path) -> None:
    """Refuses files of a local folder that are no objects of JSON, or far too large."""
    for name in (TOKENIZER, TOKENIZER_CONFIG):
        if (folder / name).is_file():
            read_settings(folder / name)


def _read_words_as_in_text(tokenizer: "PreTrainedTokenizerFast") -> None:
    """Puts a space before every word, where a tokenizer reads words without one as something else.

    So do byte-level tokenizers, and not all take `add_prefix_space` (ModernBERT's does not).
    """
    from tokenizers import normalizers

    def ids(text: str | list[str]) -> list[int]:
        is_words = isinstance(text, list)
        encoded = tokenizer(text, is_split_into_words=is_words, add_special_tokens=False)
        return list(encoded["input_ids"])

    # The second "a" of a text has a space before it, as most words have.
    if ids(["a"]) != ids("a a")[len(ids("a")) :]:
        backend = tokenizer.backend_tokenizer
        space, own = normalizers.Prepend(" "), backend.normalizer
        backend.normalizer = space if own is None else normalizers.Sequence([space, own])
