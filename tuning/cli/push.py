"""`mtl push`: a saved model on the Hugging Face hub."""

from typing import Annotated

import typer

from tuning.cli.options import Model


def push(
    model: Model,
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
    from tuning.cli.arguments import inner_folder
    from tuning.watch.waiting import waiting

    with waiting(f"pushing to {repo}"):
        from mtl_core.hub import push_model

        address = push_model(inner_folder(model), repo, private=private, revision=revision)
    typer.echo(address)
