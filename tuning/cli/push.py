"""`mtl push`: a saved model on the Hugging Face hub."""

from pathlib import Path
from typing import Annotated

import typer


def push(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of a saved model, or of a study.")
    ],
    repo: Annotated[
        str, typer.Argument(metavar="REPO", help="USER/NAME on the hub; made where there is none.")
    ],
    private: Annotated[
        bool, typer.Option("--private", help="Makes it visible to you alone.")
    ] = False,
    revision: Annotated[
        str | None, typer.Option(help="Branch to put it on; default: the main one.")
    ] = None,
) -> None:
    """Put a saved model on the Hugging Face hub, from where others load it by its name."""
    from tuning.watch.waiting import waiting

    with waiting(f"pushing to {repo}"):
        from mtl_core.hub import push_model

        address = push_model(folder, repo, private=private, revision=revision)
    typer.echo(address)
