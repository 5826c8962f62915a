"""Arguments and options that several commands take, so that they read the same in all of them."""

from pathlib import Path
from typing import Annotated

import typer

Study = Annotated[str, typer.Argument(help="Path of a study file, or the name of a bundled one.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replaces a key of the study file."),
]
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Folder of a saved model or of a study, or USER/NAME[@REVISION] on the hub.",
    ),
]
TrustCode = Annotated[
    bool, typer.Option(help="Runs the code of a model's own kinds of tasks: files and packages.")
]
Device = Annotated[
    str | None,
    typer.Option(help="Where to compute: cpu, cuda, cuda:1, mps; default: a GPU if there is one."),
]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Texts per batch; default: 128.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Shows what Ray and the libraries log.")]
LogFile = Annotated[
    Path | None, typer.Option(help="Also logs what happens to a file, with levels and times.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="Shows warnings, errors and the result, no progress.")
]
