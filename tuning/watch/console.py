"""The terminal that commands print on: text as it is, with nothing in it that steers a terminal."""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook
from rich.segment import Segment

from mtl_core.printable import printable


def plain_console(**settings: Any) -> Console:
    """Returns a terminal that shows text as it is: data may hold what Rich takes for markup.

    What data may hold that terminals take for theirs is spelt out; see `Printable`.
    """
    # Rich would read "[b]" in a label as bold and ":smile:" as a picture, and colour numbers.
    console = _OwnPipe(highlight=False, markup=False, emoji=False, **settings)
    console.push_render_hook(_AllPrintable())
    return console


class _OwnPipe(Console):
    """A console that leaves standard output alone when nobody reads its own file any more."""

    def on_broken_pipe(self) -> None:
        """Prints nothing more, and ends the caller, as Rich's own does.

        That one silences standard output, whichever file is broken.
        """
        self.quiet = True
        with suppress(OSError, ValueError):  # A file without a number has none to be silenced.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        raise SystemExit(1)


def number_of(stream: object) -> int | None:
    """Returns the number of a stream's file; None when it has none, as in a notebook."""
    try:
        return int(stream.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return None


def can_redraw(console: Console) -> bool:
    """Returns whether a display can go back over its lines: on a terminal that knows how to.

    Rich also takes a pipe for a terminal when it is told to show colours (`FORCE_COLOR`, as in CI).
    """
    # `isatty` of the file itself, which `FORCE_COLOR` does not change.
    return console.is_terminal and not console.is_dumb_terminal and console.file.isatty()


class Printable:
    """What Rich renders, with its texts `printable`; Rich's own colours and moves stay.

    Everything printed on a `plain_console` is one already. A `Live` display is not: what it shows
    has to be made one.
    """

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._renderable, options):
            # Controls are Rich's own moves of the cursor, and hold no data. Text is cleaned after
            # it was measured and wrapped, so what is spelt out may make a line longer.
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


class _AllPrintable(RenderHook):
    """Makes all that is printed on a console `Printable`, whoever prints it."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [Printable(renderable) for renderable in renderables]
