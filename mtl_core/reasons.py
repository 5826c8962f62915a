"""Why something failed, in one line: of an error, or of a traceback that was kept as text."""

import re
from collections.abc import Sequence

_LONGEST = 500
"""Characters of a reason: what torch says of memory fits, and a cell of a table stays one."""

_CHAINS = re.compile(
    r"\n\n(?:The above exception was the direct cause of the following exception"
    r"|During handling of the above exception, another exception occurred):\n\n"
)
"""What Python prints between the errors of a chain."""

_HEAD = re.compile(r"(?:\w+ )*Traceback \(most recent call last\):|ray::.*\(pid=")
"""How a traceback begins: Python's, a group's, one of another process in torch, one in Ray."""

_ABOVE_HEAD = 3

_MARGIN = re.compile(r"^ *[|+](?:-[-+\d ]*)? ?", re.MULTILINE)
"""What Python prints on the left of a group of errors."""

_COLOUR = re.compile(r"\x1b\[[\d;]*m")
"""Ray colours the heads of its tracebacks."""

_TYPE = re.compile(r"^[\w.]+(?:\([\w.]+\))?: *")

_FAILURE = re.compile(r"Failure # \d+ \(occurred at .*\)$")
"""What Ray Tune writes above each error in its file."""

_ANNOUNCING = (
    (re.compile(r"\d validation errors? for .+$"), 2),  # pydantic: the field, what is wrong with it
    (re.compile(r"\(\d+ sub-exceptions?\)$"), 1),
    (re.compile(r":$"), 1),
)
"""First lines that say nothing yet -> how many lines after them do."""


def reason_of(error: BaseException) -> str:
    """Returns the first meaningful line of an error's message; its type when it has none."""
    return reason_in(str(error)) or type(error).__name__


def reason_in(text: str) -> str | None:
    """Returns why something failed, from what was kept of it; None when that says nothing.

    Of a traceback it is the error as `Type: message`, with the first line of a message of several.
    Of errors that were raised from others it is the outermost: whoever raised it knew of the others
    and chose these words.

    Args:
        text: A message, or a traceback as Python, torch or Ray print it.
    """
    lines = _COLOUR.sub("", text.strip()).splitlines()
    lines = [line for line in lines if not _FAILURE.match(line)]
    head = _head_in(lines)
    if head is None:
        return _first(lines)
    *_, last = _CHAINS.split("\n".join(lines[head:]))
    if "Exception Group" in last.partition("\n")[0]:
        last = _MARGIN.sub("", last)
    # From above, past the frames, which are indented: below the error's first line may stand
    # anything, tracebacks of others among them.
    _, *below = last.split("\n")
    while below and (below[0].startswith(" ") or not below[0]):
        del below[0]
    if below:
        message = [_TYPE.sub("", below[0], count=1), *below[1:]]
        if _head_in(message) is not None:
            return reason_in("\n".join(message))
    return _first(below)


def _head_in(lines: Sequence[str]) -> int | None:
    """Returns where a traceback begins that a text is about: below a line or two that name it."""
    # Torch writes "Caught X in worker 0." above that of a worker, Ray Train a line per level.
    below = enumerate(lines[:_ABOVE_HEAD])
    return next((place for place, line in below if _HEAD.match(_MARGIN.sub("", line))), None)


def _first(lines: Sequence[str]) -> str | None:
    """Returns the first line of a message, with those that it only announces."""
    lines = [" ".join(line.split()) for line in lines if line.strip()]
    if not lines:
        return None
    more = next((count for said, count in _ANNOUNCING if said.search(lines[0])), 0)
    first = ": ".join(line.removesuffix(":") for line in lines[: 1 + more])
    return first if len(first) <= _LONGEST else f"{first[: _LONGEST - 3]}..."
