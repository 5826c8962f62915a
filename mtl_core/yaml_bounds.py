"""Limits on the size of YAML documents: far more than a study file needs, far less than does harm.

A few lines of aliases stand for billions of values, and the scanner takes time that grows with the
square of the depth; so both are counted before anything is built.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    NodeEvent,
    ScalarEvent,
)

from mtl_core.errors import ConfigError

MOST_BYTES = 256 * 1024
"""Bytes of a file; the largest bundled study has 2 KiB."""
_MOST_VALUES = 10_000
"""Keys, values, mappings and lists of a document, each as often as aliases repeat it."""
_MOST_LEVELS = 50
_MOST_CHARACTERS = 10_000
"""Characters of one text or key."""


def check_bounds(text: str, events: Iterable[Event], where: Callable[[int], str]) -> None:
    """Refuses a document that is larger than any study file.

    Args:
        text: The document.
        events: What the parser finds in it; it is asked for no more than is needed.
        where: Gives the beginning of an error message for a line, counted from 1.

    Raises:
        ConfigError: It has too many values, too many levels, or a text that is too long.
    """
    _check_brackets(text, where)
    open_: list[tuple[str | None, int]] = []  # Anchor of each open collection, values before it.
    sizes: dict[str, int] = {}  # Anchor -> values that an alias to it stands for.
    count = 0
    for event in _nodes(events):
        at = where(event.start_mark.line + 1)
        if isinstance(event, CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor is not None:
                sizes[anchor] = count - before
            continue
        before = count
        # An alias to what is still open, or to nothing, is told of when the document is composed.
        count += sizes.get(event.anchor, 1) if isinstance(event, AliasEvent) else 1
        if isinstance(event, CollectionStartEvent):
            open_.append((event.anchor, before))
        elif isinstance(event, ScalarEvent):
            sizes |= {event.anchor: 1} if event.anchor is not None else {}
            _check_text(event.value, at)
        if len(open_) > _MOST_LEVELS:
            raise ConfigError(f"{at}: nested too deeply; allowed: {_MOST_LEVELS} levels")
        if count > _MOST_VALUES:
            raise _too_large(at, "a document", _MOST_VALUES, "keys and values", count)


def joined(text: str) -> str:
    """Returns a text with every pair of halves as the one character that it stands for.

    JSON, which is YAML as well, writes a character beyond U+FFFF as two escapes.
    """
    # Both ways, as a half that stands alone is told of elsewhere.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _check_text(text: str, at: str) -> None:
    if len(text) > _MOST_CHARACTERS:
        raise _too_large(at, "text", _MOST_CHARACTERS, "characters", len(text))
    # By an escape: no file of UTF-8 has one, and no file, terminal or tokenizer takes it.
    if half := re.search("[\ud800-\udfff]", joined(text)):
        raise ConfigError(
            f"{at}: expected text, found half a character (\\u{ord(half[0]):04x}, one of a "
            "surrogate pair); write the whole character"
        )


def _check_brackets(text: str, where: Callable[[int], str]) -> None:
    """Refuses a text with a row of opening brackets before the scanner sees it.

    It would look at each of them again for every one behind it.

    Raises:
        ConfigError: There are twice as many in a row as a document may have levels.
    """
    if found := re.search(rf"(?:[\[{{]\s*+){{{2 * _MOST_LEVELS}}}", text):
        opened = [one.start() for one in re.finditer(r"[\[{]", found[0])]
        line = text.count("\n", 0, found.start() + opened[_MOST_LEVELS]) + 1
        raise ConfigError(f"{where(line)}: nested too deeply; allowed: {_MOST_LEVELS} levels")


def _nodes(events: Iterable[Event]) -> Iterator[Event]:
    return (event for event in events if isinstance(event, NodeEvent | CollectionEndEvent))


def _too_large(at: str, what: str, most: int, unit: str, found: int) -> ConfigError:
    return ConfigError(f"{at}: expected {what} of at most {most:,} {unit}, found {found:,}")
