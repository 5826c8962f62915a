"""The few pieces of Markdown that a report is made of; no HTML."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from mtl_core.markdown import code
from mtl_core.printable import printable
from tuning.records import Value


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table; the cells are Markdown already, but for the bars in them."""
    # A bar ends a cell even inside of code, so it is escaped here and not where cells are made.
    lines = [header, ["---"] * len(header), *rows]
    escaped = ([cell.replace("|", r"\|") for cell in cells] for cells in lines)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)


def shell(command: str) -> str:
    """Returns a block with a command to copy."""
    # The fence is longer than any run of backticks in the command, which would close it.
    ticks = "`" * max([2, *map(len, re.findall("`+", command))]) + "`"
    return f"{ticks}sh\n{printable(command)}\n{ticks}"


def percent(share: float | None) -> str:
    """Returns a share in percent, for instance "98.20"; "-" when there is none."""
    return "-" if share is None else f"{100 * share:.2f}"


def points(difference: float | None) -> str:
    """Returns a difference of shares in percentage points, for instance "+1.30"."""
    # "z": what rounds to zero is "+0.00" and never "-0.00".
    return "-" if difference is None else f"{100 * difference:+z.2f}"


def count_of(number: int, what: str) -> str:
    """Returns "1 trial", "3 trials"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def parameter_cell(parameters: Mapping[str, Value], name: str) -> str:
    """Returns the value of a parameter; "-" where a recipe does not have it."""
    if name not in parameters:
        return "-"
    value = parameters[name]
    # Four digits are for readers; the command of the replay has all of them.
    if isinstance(value, float):
        return code(f"{value:.4g}")
    return code(value if isinstance(value, str) else json.dumps(value))  # true and null, as in YAML
