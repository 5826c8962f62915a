"""Reads YAML 1.2 as plain data with the line of every key, for study files and `--set`."""

import warnings
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from mtl_core.errors import ConfigError
from mtl_core.printable import one_line, quoted
from mtl_core.section import PlacedText
from mtl_core.yaml_bounds import check_bounds, joined

KeyPath = tuple[str | int, ...]
"""The keys, and the indices of lists, that lead to a value."""

_TAG = "tag:yaml.org,2002:"
_CONSTRUCTED = {_TAG + name for name in ("null", "bool", "int", "float")}
_LEAST, _MOST = -(2**63), 2**64
"""Bounds of whole numbers: what fits into 64 bits, with a sign or without."""
_SHOWN = 40
"""Characters of a wrong value that an error shows."""
# ruamel.yaml gives dates, "=" and "<<" a type of their own; in YAML 1.2 they are plain text.
_TEXT = {_TAG + name for name in ("str", "timestamp", "value", "merge")}


def parse(
    text: str, *, base: Path, where: Callable[[int], str]
) -> tuple[object, dict[KeyPath, int]]:
    """Reads one YAML document.

    Args:
        text: The document; an empty one is None.
        base: The folder from which relative paths in it start.
        where: Gives the beginning of an error message for a line, counted from 1.

    Returns:
        Mappings, lists, numbers, booleans, None, and `PlacedText` for every string; and for
        every key and list item, in reading order, its line.

    Raises:
        ConfigError: The text is not YAML, repeats a key, uses a type of its own or is too large.
    """
    yaml = YAML(typ="safe", pure=True)
    try:
        # By a parser of its own, event by event: `compose` would build all before it is counted.
        check_bounds(text, YAML(typ="safe", pure=True).parse(text), where)
        with warnings.catch_warnings():
            # YAML allows an anchor to be used again for something else.
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            root = yaml.compose(text)
        builder = _Builder(yaml, base=base, where=where)
        return (None if root is None else builder.build(root, ())), builder.lines
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        place = f"{where(mark.line + 1)}: not valid YAML at column {mark.column + 1}"
        raise ConfigError(f"{place}: {one_line(problem)}") from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{where(line)}: not valid YAML: {error.reason}") from error
    except (ValueError, LookupError, OverflowError) as error:
        # Errors of the parser itself, for instance at an escape that stands for no character.
        raise ConfigError(f"{where(1)}: not valid YAML: {one_line(str(error))}") from error
    except RecursionError:
        raise ConfigError(f"{where(1)}: nested too deeply, or an alias inside itself") from None


class _Builder:
    """Turns the nodes of one document into plain data.

    Nodes, which `YAML.load` would not give, have lines, and keys as they were written.
    """

    def __init__(self, yaml: YAML, *, base: Path, where: Callable[[int], str]) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._yaml = yaml
        self._base = base
        self._where = where

    def build(self, node: Node, path: KeyPath) -> object:
        """Returns the data of a node; `path` leads to it."""
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return self._list(node, path)
        if isinstance(node, ScalarNode) and node.tag in _TEXT:
            return PlacedText(joined(node.value), self._base)
        if isinstance(node, ScalarNode) and node.tag in _CONSTRUCTED:
            return self._scalar(node)
        tag = quoted(str(node.tag)[:_SHOWN])
        raise ConfigError(f"{self._at(node)}: the type {tag} is not supported")

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise ConfigError(f"{self._at(key)}: expected text as key, found a collection")
            # The text as it was written: a label or data set may be called 2024 or null.
            name = joined(key.value)
            at = (*path, name)
            if name in mapping:
                raise ConfigError(
                    f"{self._at(key)}: repeated key '{one_line(key_text(at))}'; "
                    f"first given in line {self.lines[at]}"
                )
            self.lines[at] = key.start_mark.line + 1
            mapping[name] = self.build(value, at)
        return mapping

    def _scalar(self, node: ScalarNode) -> object:
        """Returns a number, boolean or None."""
        kind, found = str(node.tag).removeprefix(_TAG), quoted(node.value[:_SHOWN])
        try:
            value: object = self._yaml.constructor.construct_object(node)
        except (ValueError, LookupError) as error:  # A type asked for, such as `!!int abc`.
            raise ConfigError(
                f"{self._at(node)}: not YAML: expected a value of type {kind}, found {found}"
            ) from error
        if isinstance(value, int) and not _LEAST <= value < _MOST:
            raise ConfigError(
                f"{self._at(node)}: expected a whole number of at most 64 bits, found {found}"
            )
        return value

    def _list(self, node: SequenceNode, path: KeyPath) -> list[object]:
        items: list[object] = []
        for index, item in enumerate(node.value):
            at = (*path, index)
            self.lines[at] = item.start_mark.line + 1
            items.append(self.build(item, at))
        return items

    def _at(self, node: Node) -> str:
        return self._where(node.start_mark.line + 1)


def key_text(path: KeyPath) -> str:
    """Returns a key path as it is shown: `run.layers[2].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
