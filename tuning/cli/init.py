"""`mtl init`: looks at files and writes a study file."""

from pathlib import Path
from typing import Annotated

import typer


def init(
    places: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Data files, or folders of them."),
    ],
    output: Annotated[Path, typer.Option(help="The study file to write.")] = Path("study.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replaces a study file.")] = False,
) -> None:
    """Look at data files and write a commented study file for them."""
    from tuning.watch.waiting import waiting

    with waiting("looking at the files"):
        from tuning.init.write import write_study

        found = write_study(places, output, force=force)
    from tuning.watch.console import plain_console

    console = plain_console()
    for dataset in found.datasets:
        tasks = ", ".join(f"{name} ({task.kind})" for name, task in dataset.tasks.items())
        console.print(
            f"{dataset.name}: {dataset.guess.rows['train']:,} rows; {tasks}", soft_wrap=True
        )
    for line in found.left_out:
        console.print(f"left out: {line}", soft_wrap=True)
    console.print(f"written: {output}; next: mtl check {output}", soft_wrap=True)
