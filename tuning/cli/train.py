"""`mtl train`: one model with the recipe of a study file, here and without a search."""

from pathlib import Path
from typing import Annotated

import typer

from tuning.cli.options import LogFile, Quiet, Set, Study, TrustCode


def train(
    study: Study,
    assignments: Set = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the run; default: runs/train/NAME.")
    ] = None,
    init_from: Annotated[
        Path | None,
        typer.Option(help="Begin with the weights of this saved model, study or run."),
    ] = None,
    trust_code: TrustCode = False,
    log_file: LogFile = None,
    quiet: Quiet = False,
) -> None:
    """Train one model with the recipe of the study file, here and without a search."""
    from tuning.cli.arguments import check_text, model_folder

    check_text(study)
    if init_from is not None:
        init_from = model_folder(init_from, trust_code=trust_code)
    from tuning.watch.log_lines import logging_to
    from tuning.watch.run_display import run_display

    with logging_to(log_file), run_display(study, is_quiet=quiet) as display:
        display.stage("reading the study file")
        from tuning.run.train import starting_weights, train_study
        from tuning.study.load import check_data, load_study, tell_notes

        loaded = load_study(study, assignments or ())
        display.stage("reading the data")
        # Before the encoder's weights are loaded: a wrong file is known sooner.
        tell_notes(check_data(loaded))
        start = None
        if init_from is not None:
            start = starting_weights(init_from, trust_code=trust_code)
        folder = output or Path("runs", "train", loaded.study.name)
        train_study(loaded, folder, display, start=start)
