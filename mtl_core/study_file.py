"""Reads study files and `--set key=value` as plain data with the place of every key; no checks."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from pydantic import BaseModel
from ruamel.yaml import YAML

from mtl_core.any_path import names_beside, open_regular
from mtl_core.errors import ConfigError, did_you_mean
from mtl_core.yaml_bounds import MOST_BYTES
from mtl_core.yaml_text import KeyPath, parse

ROOTS = ("run", "search", "study")
"""The parts of a study file."""
DEFAULT_ROOT = "run"
"""The part that a key on the command line belongs to when it names none."""
_DOTTED_ROOT = "search"
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """Where a key was written; places sort as a reader meets them, overrides after the file.

    Attributes:
        is_override: Whether it came from an override and not from the file.
        line: Line of the file, from 1; 0 for the file as a whole and for an override.
        text: "study.yaml:4" or "--set key=value", to begin a message with.
    """

    is_override: bool
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A study file as plain data.

    Attributes:
        data: Mappings, lists, numbers, booleans, None, and `PlacedText` for every string.
        places: Key path -> where it was written; () stands for the whole file.
    """

    data: Mapping[str, object]
    places: Mapping[KeyPath, Origin]

    def place(self, path: KeyPath) -> Origin:
        """Returns where `path` was written, or else the innermost written section around it."""
        # A missing key, or a default, is written nowhere; the section around it is.
        written = (path[:length] for length in range(len(path), 0, -1))
        return self.places[next((at for at in written if at in self.places), ())]

    def with_overrides(
        self,
        assignments: Mapping[str, object],
        *,
        where: Callable[[str, object], str] | None = None,
    ) -> "Document":
        """Returns the document with dotted keys replaced; see `override`."""
        where = where or _as_typed
        places = dict(self.places)
        for key, value in assignments.items():
            path = split_key(key)
            # What stood below the key is gone, so no message may name its lines.
            places = {at: place for at, place in places.items() if at[: len(path)] != path}
            places[path] = Origin(is_override=True, line=0, text=where(key, value))
        return Document(override(self.data, assignments, where=where), places)


def read_document(path: Path) -> Document:
    """Reads a study file as YAML 1.2.

    Raises:
        ConfigError: The file cannot be read, is not YAML, repeats a key or is not a mapping.
    """
    text = _read_text(path)
    data, lines = parse(text, base=path.absolute().parent, where=lambda line: f"{path}:{line}")
    if not isinstance(data, dict):
        raise ConfigError(
            f"{path}: expected a mapping of sections, found {describe(data)}; of a file of data "
            f"`mtl init {path}` makes a study file"
        )
    places: dict[KeyPath, Origin] = {(): Origin(is_override=False, line=0, text=str(path))}
    for at, line in lines.items():
        places[at] = Origin(is_override=False, line=line, text=f"{path}:{line}")
    return Document(data, places)


def parse_assignment(
    text: str, *, roots: Collection[str] = ROOTS, default_root: str = DEFAULT_ROOT
) -> tuple[str, object]:
    """Reads the `key=value` of `--set`.

    Args:
        text: For instance "optimizer.encoder_lr=2e-4"; the value is YAML 1.2.
        roots: First components with which a key is taken as it stands.
        default_root: Put before every other key.

    Returns:
        The whole dotted key, and the value as plain data.

    Raises:
        ConfigError: There is no "=", a part of the key is empty, or the value is not YAML.
    """
    key, equals, value_text = text.partition("=")
    names = key.strip().split(".")
    if not (equals and all(names)):
        raise ConfigError(
            f"--set {text}: expected key=value, for instance optimizer.encoder_lr=2e-4"
        )
    value, _ = parse(value_text, base=Path.cwd(), where=lambda _: f"--set {text}")
    return ".".join(names if names[0] in roots else [default_root, *names]), value


def _as_typed(key: str, value: object) -> str:
    """Returns an assignment as it is typed; JSON is YAML too."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"--set {key.removeprefix(f'{DEFAULT_ROOT}.')}={text}"


def override(
    raw: Mapping[str, object],
    assignments: Mapping[str, object],
    *,
    where: Callable[[str, object], str] = _as_typed,
) -> dict[str, object]:
    """Returns `raw` with dotted keys replaced; `raw` itself stays as it is.

    Sections on the way are created; a mapping as value replaces the whole section.

    Args:
        raw: Plain data: a whole study file, or one section.
        assignments: Dotted key -> value; see `split_key`.
        where: Returns what an error about an assignment begins with.

    Raises:
        ConfigError: A key leads into something that is not a section.
    """
    merged = dict(raw)
    for key, value in assignments.items():
        # Every key finds the section as the keys before left it: the order of overrides counts.
        *sections, last = split_key(key)
        target = merged
        for depth, name in enumerate(sections, start=1):
            inner = target.get(name)
            if inner is not None and not isinstance(inner, Mapping):
                raise ConfigError(
                    f"{where(key, value)}: expected a section at "
                    f"'{'.'.join(sections[:depth])}', found {describe(inner)}"
                )
            # Only sections on the way are copied: this runs for every sampled trial.
            section: dict[str, object] = dict(inner or {})
            target[name] = section
            target = section
        target[last] = value
    return merged


def split_key(key: str) -> tuple[str, ...]:
    """Returns the path that a dotted key stands for.

    What follows "search." is one name, since the keys of that part are dotted themselves.
    """
    root, _, rest = key.partition(".")
    return (root, rest) if root == _DOTTED_ROOT and rest else tuple(key.split("."))


def dump(data: BaseModel | Mapping[str, object]) -> str:
    """Returns the YAML text of plain data or a model; read back, that gives an equal model."""
    yaml = YAML()
    yaml.width = 1_000_000  # a long path stays on its line
    stream = StringIO()
    yaml.dump(data.model_dump(mode="json") if isinstance(data, BaseModel) else data, stream)
    return stream.getvalue()


def as_assignment(key: str, value: object) -> str:
    """Returns the `key=value` that `--set` reads as the value; text without quotes where it can."""
    if isinstance(value, str):
        try:
            # Some texts need quotes: "3", "no: x" or "null" are read as something else without.
            if parse_assignment(f"{key}={value}")[1] == value:
                return f"{key}={value}"
        except ConfigError:
            pass
    # JSON is YAML, with two exceptions: characters that YAML counts as unprintable have to be
    # escaped, and letters beyond 16 bits must not be, since JSON writes those as two halves.
    text = json.dumps(value, default=str, ensure_ascii=False)
    text = _UNPRINTABLE.sub(lambda found: rf"\u{ord(found[0]):04x}", text)
    return f"{key}={text}"


def describe(value: object) -> str:
    """Returns a short text for a value found where it should not be."""
    if value is None:
        return "nothing"
    # Before numbers and the rest: a bool prints as `True`, which is no YAML.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]}...{text[-1]}"


def _read_text(path: Path) -> str:
    try:
        with open_regular(path) as file:
            # One byte more than allowed: enough to know that a file is too large, without reading
            # it all.
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        near = did_you_mean(path.name, names_beside(path, ".yaml"))
        raise ConfigError(f"{path}: no such file.{near}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: expected a YAML file, found a folder") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise ConfigError(
            f"{path}: expected a study file, of at most {MOST_BYTES // 1024} KiB; it is larger"
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}:{line}: not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start}"
        ) from error
