"""`mtl report`: the report of a study folder, written anew."""

from pathlib import Path
from typing import Annotated

import typer


def report(folder: Annotated[Path, typer.Argument(help="A study folder.")]) -> None:
    """Write report.md of a study folder anew, and print it."""
    # The file is Markdown for anybody; on a terminal what steers it is spelt out as well.
    from mtl_core.printable import printable
    from tuning.report.write import write_report

    typer.echo(printable(write_report(folder)))
