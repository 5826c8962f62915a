"""The few pieces of Markdown that a report is made of; no HTML."""

import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table; the cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def code(text: str) -> str:
    """Returns `text` as a code span on one line, in which only the bar of a table is special."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    ticks, space = "`" * (longest + 1), " " if longest else ""
    return f"{ticks}{space}{' '.join(text.split())}{space}{ticks}".replace("|", r"\|")


def shell(command: str) -> str:
    """Returns a block with a command to copy."""
    return f"```sh\n{command}\n```"


def percent(share: float | None) -> str:
    """Returns a share in percent, for instance "98.20"; "-" when there is none."""
    return "-" if share is None else f"{100 * share:.2f}"


def points(difference: float | None) -> str:
    """Returns a difference of shares in percentage points, for instance "+1.30"."""
    return "-" if difference is None else f"{100 * difference:+z.2f}"
