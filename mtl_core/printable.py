"""Escapes text from data for a terminal: characters that steer it, or are hidden, are spelt out.

Labels and texts come from files of others. An escape sequence among them could rewrite what stands
on the screen, and a mark of direction could turn around what a reader takes a line to say.
"""

import json
import re

_UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # Controls: escape, bell, carriage return, those of 8 bits.
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # Marks of direction.
    "\u2028\u2029\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # Marks of layout.
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u2060-\u2064\u3164\ufeff\uffa0"  # Nothing to see.
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"  # Tags, which can carry whole sentences.
    "\ud800-\udfff"  # Halves of characters, which no stream takes.
)
_JOINING = "\u0600-\u1fff\u2190-\u2bff\ua800-\uabff\ufb00-\ufe0f\ufe70-\ufefc\U00010000-\U0001ffff"
"""Letters of scripts in which a joiner changes a shape, and pictures that are put together."""
_WITHOUT_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Thai, Lao, Burmese and Khmer, which mark where words end by a space of no width."""
_IDEOGRAPHS = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_FLAG = "\U0001f3f4\U000e0067\U000e0062(?:{})\U000e007f".format(
    "|".join(
        "".join(chr(0xE0000 + ord(letter)) for letter in part) for part in ("eng", "sct", "wls")
    )
)
"""The flags of England, Scotland and Wales: the only pictures that are spelt with tags."""
_HIDDEN = re.compile(
    f"(?P<seen>{_FLAG})|[{_UNSEEN}]"
    f"|(?<![{_JOINING}])[\u200c\u200d]"
    f"|(?<![{_WITHOUT_SPACES}])\u200b"
    f"|(?<![{_IDEOGRAPHS}])[\U000e0100-\U000e01ef]"
    "|(?<=[\ufe00-\ufe0f])[\ufe00-\ufe0f]"  # A second variant of one character.
)


def printable(text: str) -> str:
    r"""Returns text for a terminal: "\x1b" for an escape; line feeds and tabs stay.

    Joiners and variants stay where a script needs them, so that legitimate text is unchanged.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(_spelt, text)


def one_line(text: str) -> str:
    r"""Returns `printable` text on one line: "\n" and "\t" are spelt out as well."""
    return printable(text).replace("\n", r"\n").replace("\t", r"\t")


def shortened(text: str, most: int = 1000) -> str:
    """Returns a text of at most so many characters: "..." stands for its middle.

    An error begins with its place and ends with what helps; what was found stands in between, and
    may be all of a file.
    """
    if len(text) <= most:
        return text
    last = most // 3
    return f"{text[: most - last - 5]} ... {text[-last:]}"


def quoted(text: str) -> str:
    """Returns `one_line` text in quotes, as Python writes a string that needs no escapes."""
    mark = '"' if "'" in text and '"' not in text else "'"
    return f"{mark}{one_line(text)}{mark}"


def printable_json(text: str) -> str:
    """Returns JSON that says the same with what is hidden in its strings as JSON's own escapes."""
    return _HIDDEN.sub(lambda found: found["seen"] or json.dumps(found[0])[1:-1], text)


def _spelt(found: re.Match[str]) -> str:
    return found["seen"] or found[0].encode("unicode_escape").decode("ascii")
