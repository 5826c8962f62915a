"""A command whose paths are paths: an address in the place of one is refused before it runs."""

from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from mtl_core.addresses import not_local
from mtl_core.errors import ConfigError


class Command(TyperCommand):
    """A command of `mtl`."""

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        """Reads the words of a command line, and refuses addresses among its paths."""
        context = super().make_context(*arguments, **settings)
        for parameter in self.params:
            given = context.params.get(parameter.name)
            for value in given if isinstance(given, list | tuple) else (given,):
                if isinstance(value, Path) and (wrong := not_local(value)):
                    raise ConfigError(f"{parameter.opts[0]}: {wrong}")
        return context
