"""`mtl report`: the report of a study folder, written anew."""

from pathlib import Path
from typing import Annotated

import typer


def report(folder: Annotated[Path, typer.Argument(help="A study folder.")]) -> None:
    """Write report.md of a study folder anew, and print it."""
    from mtl_core.printable import printable
    from tuning.report.write import write_report

    typer.echo(printable(write_report(folder)))
