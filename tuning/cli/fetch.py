"""`mtl fetch`: puts the data that a study names into the cache."""

from typing import Annotated

import typer


def fetch(
    names: Annotated[
        list[str],
        typer.Argument(metavar="STUDY...", help="Study files, bundled studies or data sets."),
    ],
    mirror: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="ADDRESS",
            envvar="MTL_FETCH_FROM",
            help="Address or folder that holds the files as NAME/FILE; default: their own.",
        ),
    ] = None,
) -> None:
    """Fetch the data that a study names into the cache, checked by SHA-256."""
    from tuning.run.fetch import fetch_data
    from tuning.watch.console import plain_console

    fetch_data(names, mirror=mirror or None, console=plain_console())
