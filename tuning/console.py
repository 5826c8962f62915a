"""The terminal that commands print on."""

from typing import Any

from rich.console import Console


def plain_console(**settings: Any) -> Console:
    """Returns a terminal that shows text as it is: data may hold what Rich takes for markup."""
    return Console(highlight=False, markup=False, emoji=False, **settings)
