"""`mtl submit`: a study as a job of a running Ray cluster."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from tuning.cli.options import Set, Study, Verbose


def submit(
    study: Study,
    assignments: Set = None,
    address: Annotated[
        str | None, typer.Option(help="Dashboard of the cluster; default: RAY_API_SERVER_ADDRESS.")
    ] = None,
    working_dir: Annotated[Path, typer.Option(help="Folder that is sent along.")] = Path(),
    storage: Annotated[
        str | None, typer.Option(help="Folder of the study folders, seen by all nodes.")
    ] = None,
    follow: Annotated[bool, typer.Option(help="Shows the job's log until it ends.")] = True,
    verbose: Verbose = False,
) -> None:
    """Send a study to a running Ray cluster as a job, and return the job's exit code."""
    from tuning.cluster.submit import submit_study

    # Ray's client logs steps of its own; what matters is told in lines of ours.
    if not verbose:
        logging.getLogger("ray").setLevel(logging.ERROR)
    code = submit_study(
        study=study,
        overrides=assignments or [],
        address=address,
        working_dir=working_dir,
        storage=storage,
        follow=follow,
    )
    # The job's own, so that a script sees no difference to `mtl tune` on this machine.
    raise typer.Exit(code)
