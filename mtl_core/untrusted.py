"""Refuses saved models and encoder configurations that could run code, before they are loaded.

Both may come from a stranger, and nothing of them is to run, or to take more room than its weights.
Only plain files are read here, so that a refusal comes before the imports that take seconds.
"""

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from mtl_core.errors import ConfigError
from mtl_core.model_folder import (
    EVERY_FILE,
    EXTRA_FILES,
    FORMAT,
    META,
    RUN,
    TOKENIZER,
    files_of,
)
from mtl_core.printable import one_line, quoted
from mtl_core.study_file import Document, read_document
from mtl_core.weight_sizes import read_sizes
from mtl_core.yaml_text import KeyPath, key_text

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
_MOST_OF: tuple[tuple[re.Pattern[str], int], ...] = (
    # What is built, run or padded so many times, whatever the weights are.
    (re.compile(r"layers?$|depth|blocks?$|repeats$|hash_functions$|^attention_window$"), 8192),
    # A list of them is made before anything is built.
    (re.compile(r"^num_labels$"), 100_000),
)
"""Keys of numbers that take time or memory by themselves -> the largest allowed."""
_SCALES = re.compile("theta|base")
"""Keys of numbers that are no size, and may be large."""
MOST_OF_ALL = 2**24
"""The largest size of an encoder whose weights are not known."""
MOST_BESIDE = 2**20
"""The largest size that is in no weight, such as that of a table which is computed."""
_HALF = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
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
    files = files_in(folder)
    for name in (one for one in files if one.endswith("config.json")):
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
    for name in (one for one in files if one.endswith(".safetensors")):
        read_sizes(_file(folder, name))
    # Libraries look for more files than those.
    check_files(folder)
    return document


def files_in(folder: Path) -> tuple[str, ...]:
    """Returns the names of the files that the model in a folder needs."""
    return files_of([name for name in EVERY_FILE if os.path.lexists(folder / name)])


def check_extras(folder: Path) -> None:
    """Refuses files for other tools and people that are broken, or lead out of the folder.

    Nothing here reads them, but what is put on the hub is read by others.

    Raises:
        ConfigError: One is no file, or no JSON, or any file of the model is a link to elsewhere.
    """
    for name in EXTRA_FILES:
        if os.path.lexists(folder / name):
            path = _file(folder, name)
            if path.suffix == ".json":
                _read_json(path)
    for name in EVERY_FILE:
        path = folder / name
        if path.exists() and not path.resolve().is_relative_to(folder.resolve()):
            raise ConfigError(f"{path}: it is a link to {path.resolve()}, outside of the model")


def check_files(folder: Path) -> None:
    """Refuses a folder with a pipe or a device in it: a library that opens one may wait for ever.

    Raises:
        ConfigError: Something in it is neither a file nor a folder, or it cannot be looked into.
    """
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be read: {error.strerror}") from error
    for path in found:
        if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):  # noqa: PTH110, PTH112, PTH113
            raise ConfigError(f"{path}: expected a file, found {_what_is(path)}")


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
    settings = _read_json(path)
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: expected an object, found {quoted(str(settings)[:40])}")
    return settings


def _read_json(path: Path) -> object:
    """Returns what a JSON file holds; see `read_settings`."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{path}: expected at most {_MOST_BYTES // 2**20} MiB; it is larger")
    try:
        settings: object = json.loads(content)
        # Only these are written so; a whole pair of them is one character, and in order.
        if _HALF.search(content):
            json.dumps(settings, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ConfigError(
            f"{path}: a text in it holds half a character (\\ud800 to \\udfff)"
        ) from None
    except RecursionError:
        raise ConfigError(f"{path}: not usable JSON: nested too deeply") from None
    except ValueError as error:  # Not JSON, not UTF-8, or a number of thousands of digits.
        raise ConfigError(f"{path}: not JSON: {one_line(str(error))}") from error
    return settings


def check_numbers(settings: Mapping[str, object], *, most: int, where: str) -> None:
    """Refuses settings of an encoder with numbers that no encoder has.

    Args:
        settings: What its config.json holds.
        most: The largest number that may be a size.
        where: What an error begins with.

    Raises:
        ConfigError: A number is too large, or none at all.
    """
    for keys, number in _numbers(settings):
        if isinstance(number, float) and not math.isfinite(number):
            raise ConfigError(f"{where}: {key_text(keys)}: expected a number, found {number}")
        name = str(next((key for key in reversed(keys) if isinstance(key, str)), ""))
        allowed = min([most, *(limit for keyed, limit in _MOST_OF if keyed.search(name))])
        if isinstance(number, int) and abs(number) > allowed and not _SCALES.search(name):
            raise ConfigError(
                f"{where}: {key_text(keys)}: expected at most {allowed:,}, found {_shown(number)}"
            )


def largest_number(settings: Mapping[str, object]) -> str:
    """Returns the largest whole number of some settings with its key, in words."""
    found = [(number, keys) for keys, number in _numbers(settings) if isinstance(number, int)]
    number, keys = max(found, default=(0, ()), key=lambda one: one[0])
    return f"{key_text(keys)} is {_shown(number)}"


def _shown(number: int) -> str:
    text = f"{number:,}"
    return text if len(text) < 40 else f"a number of {len(str(abs(number)))} digits"


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    # Not a pipe either, from which nothing may ever come. `os.path` raises nothing in a folder that
    # may not be entered.
    if os.path.isfile(path):  # noqa: PTH113
        return path
    if os.path.lexists(path):
        raise ConfigError(one_line(f"{path}: expected a file, found {_what_is(path)}"))
    raise ConfigError(one_line(f"{folder}: no model in this folder, there is no {name} in it"))


def _what_is(path: Path) -> str:
    """Returns in words what something is that is no file."""
    if os.path.isdir(path):  # noqa: PTH112
        return "a folder"
    return "a pipe or a device" if os.path.exists(path) else "a link that leads nowhere"  # noqa: PTH110


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


def _numbers(value: object) -> Iterator[tuple[KeyPath, float]]:
    """Yields all numbers in JSON data, at any depth, with the keys that lead there."""
    waiting: list[tuple[KeyPath, object]] = [((), value)]
    while waiting:
        keys, inner = waiting.pop()
        if isinstance(inner, Mapping):
            waiting += [((*keys, key), below) for key, below in inner.items()]
        elif isinstance(inner, list):
            waiting += [((*keys, place), below) for place, below in enumerate(inner)]
        elif isinstance(inner, int | float) and not isinstance(inner, bool):
            yield keys, inner


def _outside_kinds(document: Document) -> Iterator[tuple[str, str]]:
    """Yields name and kind of the tasks whose kind would be imported."""
    tasks = document.data.get("tasks")
    for name, task in tasks.items() if isinstance(tasks, Mapping) else ():
        # The document is not validated yet, which would import the kind: nothing has its type for
        # sure.
        kind = task.get("kind") if isinstance(task, Mapping) else None
        if isinstance(kind, str) and ":" in kind:
            yield name, kind
