"""`mtl report`: the reports of a study folder, written anew; several studies side by side."""

import sys
from pathlib import Path
from typing import Annotated

import typer

_PAGE = "comparison.html"


def report(
    folders: Annotated[list[Path], typer.Argument(help="A study folder, or several to compare.")],
    output: Annotated[
        Path | None,
        typer.Option(
            help=f"Where what compares several is written, .html or .md: {_PAGE} if not given."
        ),
    ] = None,
) -> None:
    """Write report.md and report.html of a study folder anew; of several, a page that compares."""
    # Written into a file or a pipe it is Markdown as in report.md; a terminal shows no escapes, and
    # what steers it is spelt out.
    from mtl_core.markdown import readable
    from mtl_core.printable import printable

    text, files = _written(folders, output)
    typer.echo(printable(readable(text) if sys.stdout.isatty() else text))
    typer.echo(printable(f"written: {', '.join(map(str, files))}"), err=True)


def _written(folders: list[Path], output: Path | None) -> tuple[str, list[Path]]:
    """Returns a report as Markdown, and the files that were written."""
    from mtl_core.errors import ConfigError

    if len(folders) > 1:
        from tuning.report.compare import compare_studies

        page = output if output is not None else Path(_PAGE)
        return compare_studies(folders, page), [page]
    if output is not None:
        raise ConfigError(
            "--output: the reports of one study are written into its folder; give several folders "
            "to compare them"
        )
    from tuning.report.write import write_report
    from tuning.study.folder import StudyFolder

    folder = StudyFolder(folders[0])
    return write_report(folder.path), [folder.report, folder.page]
