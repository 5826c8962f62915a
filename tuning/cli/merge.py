"""`mtl merge`: of a model that holds adapters alone one that holds all weights."""

from pathlib import Path
from typing import Annotated

import typer

from tuning.cli.options import TrustCode


def merge(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of a model, a study or a run.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder of the merged model.")],
    trust_code: TrustCode = False,
) -> None:
    """Add the adapters of a saved model (freezing.saved: adapters) to the weights of their base."""
    from tuning.cli.arguments import check_output, model_folder
    from tuning.watch.waiting import waiting

    check_output(output)
    found = model_folder(folder, trust_code=trust_code)
    with waiting(f"merging into {output}"):
        from mtl_core.merging import merge_model

        merge_model(found, output, trust_code=trust_code)
    typer.echo(output)
