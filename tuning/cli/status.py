"""`mtl status`: where a study stands; imports neither Ray nor torch."""

from pathlib import Path
from typing import Annotated

import typer


def status(
    folder: Annotated[Path, typer.Argument(help="A study folder.")],
    watch: Annotated[
        bool, typer.Option("--watch", help="Shows it anew every two seconds, to the study's end.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say where a study stands: whether its driver lives, what runs, the best so far."""
    from tuning.cli.show_status import show_status

    show_status(folder, is_watching=watch, as_json=as_json)
