"""Refuses saved models and encoder configurations that could run code, before they are loaded.

Both may come from a stranger, and nothing of them is to run. Only plain files are read here, so
that a refusal comes before the imports that take seconds.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from mtl_core.errors import ConfigError
from mtl_core.model_folder import (
    CONFIG,
    FORMAT,
    HEADS,
    META,
    RUN,
    TOKENIZER,
    TOKENIZER_CONFIG,
    WEIGHTS,
)
from mtl_core.printable import one_line, quoted
from mtl_core.study_file import Document, read_document

OUTSIDE = "is code from outside this package; allow that with trust_code=True, or --trust-code"
"""What is said of a kind of task that a model would have imported."""

_REFUSED = {
    "auto_map": "names code of the model's own, which is never run",
    "configuration_files": "names other files to be read in its place",
    "custom_generate": "names code of the model's own, which is never run",
    "quantization_config": "names packages that are to read the weights, and may fetch code",
    "transformers_weights": "names another file of weights, which may be a pickle",
}
"""Keys of Transformers' JSON files -> why they are refused; null means nothing to it."""
_ATTENTION = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")
_OWN_ATTENTION = ("eager", "sdpa")
"""Attention that Transformers has itself; others are packages, or kernels that it would fetch."""
_MOST_BYTES = 64 * 2**20
"""Bytes of a JSON file; a configuration with the names of 20,000 labels has 1 MiB."""


def check_model(folder: Path, *, trust_code: bool) -> Document:
    """Refuses a saved model that names code to run, or whose files are no files.

    Args:
        folder: The folder.
        trust_code: Allows kinds of tasks from outside the package; all else is never needed.

    Returns:
        Its run.yaml.

    Raises:
        ConfigError: The model names code, was saved by another version, a file is missing or cannot
            be read, or the weights are not in the format of safetensors.
    """
    # First the files that can name code: that they do is of more weight than a missing file.
    meta = read_settings(_file(folder, META))
    document = read_document(_file(folder, RUN))
    for name, kind in () if trust_code else _outside_kinds(document):
        place = document.place(("tasks", name, "kind")).text
        raise ConfigError(f"{place}: tasks.{one_line(name)}.kind: {quoted(kind)} {OUTSIDE}")
    for name in (CONFIG, TOKENIZER_CONFIG):
        path = _file(folder, name)
        check_settings(read_settings(path), where=str(path))
    # Before files that other versions may not have had.
    if meta.get("format") != FORMAT:
        raise ConfigError(
            f"{folder / META}: expected format {FORMAT}, found "
            f"{one_line(str(meta.get('format'))[:40])}; it was saved by another version of mtl; "
            "remove the folder and give the command again that made it, which writes it anew from "
            "the checkpoint"
        )
    _file(folder, TOKENIZER)
    for name in (WEIGHTS, HEADS):
        _check_weights(_file(folder, name))
    return document


def check_settings(settings: object, *, where: str) -> None:
    """Refuses settings in one of Transformers' JSON files that lead to code.

    Args:
        settings: What the file holds; sections inside it are configurations, too.
        where: What an error begins with.

    Raises:
        ConfigError: A key that leads to code is set, at any depth.
    """
    for section in _sections(settings):
        for key, reason in _REFUSED.items():
            if section.get(key) is not None:
                raise ConfigError(f"{where}: found '{key}', which {reason}; take it out to go on")
        for key in _ATTENTION:
            found = section.get(key)
            if found is not None and found not in _OWN_ATTENTION:
                allowed = ", ".join(_OWN_ATTENTION)
                raise ConfigError(
                    f"{where}: {key}: found {quoted(str(found)[:80])}, which may be code that is "
                    f"fetched and run; allowed: {allowed}"
                )


def read_settings(path: Path) -> Mapping[str, object]:
    """Returns the object that a JSON file of a model holds.

    Raises:
        ConfigError: The file cannot be read, is too large, or holds something else.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{path}: expected at most {_MOST_BYTES // 2**20} MiB; it is larger")
    try:
        settings = json.loads(content)
    except RecursionError:
        raise ConfigError(f"{path}: not usable JSON: nested too deeply") from None
    except ValueError as error:  # Not JSON, not UTF-8, or a number of thousands of digits.
        raise ConfigError(f"{path}: not JSON: {one_line(str(error))}") from error
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: expected an object, found {quoted(str(settings)[:40])}")
    return settings


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    # Not a pipe either, from which nothing may ever come. `os.path` raises nothing in a folder that
    # may not be entered.
    if not os.path.isfile(path):  # noqa: PTH113
        raise ConfigError(f"{folder}: no model in this folder, there is no {name} in it")
    return path


def _check_weights(path: Path) -> None:
    """Refuses a file that only has the name of safe weights, for instance a pickle."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    # Safetensors: 8 bytes with the length of a JSON object, the object, then the raw numbers.
    length = int.from_bytes(start[:8], "little")
    if start[8:] != b"{" or length > path.stat().st_size - 8:
        raise ConfigError(f"{path}: expected weights of safetensors, found something else")


def _sections(value: object) -> Iterator[Mapping[str, object]]:
    """Yields all objects in JSON data, at any depth."""
    # A list, not recursion: nesting that is deep on purpose must not end in a RecursionError.
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, Mapping):
            yield inner
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner


def _outside_kinds(document: Document) -> Iterator[tuple[str, str]]:
    """Yields name and kind of the tasks whose kind would be imported."""
    tasks = document.data.get("tasks")
    for name, task in tasks.items() if isinstance(tasks, Mapping) else ():
        # The document is not validated yet, which would import the kind: nothing has its type for
        # sure.
        kind = task.get("kind") if isinstance(task, Mapping) else None
        if isinstance(kind, str) and ":" in kind:
            yield name, kind
