"""`mtl train`: one model with the recipe of a study file, here and without a search."""

from pathlib import Path
from typing import Annotated

import typer

from tuning.cli.options import LogFile, Quiet, Set, Study


def train(
    study: Study,
    assignments: Set = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the run; default: runs/train/NAME.")
    ] = None,
    log_file: LogFile = None,
    quiet: Quiet = False,
) -> None:
    """Train one model with the recipe of the study file, here and without a search."""
    from tuning.cli.arguments import check_text

    check_text(study)
    from tuning.watch.log_lines import logging_to
    from tuning.watch.run_display import run_display

    with logging_to(log_file), run_display(study, is_quiet=quiet) as display:
        display.stage("reading the study file")
        from tuning.run.train import train_study
        from tuning.study.load import check_data, load_study, tell_notes

        loaded = load_study(study, assignments or ())
        display.stage("reading the data")
        # Before the encoder's weights are loaded: a wrong file is known sooner.
        tell_notes(check_data(loaded))
        train_study(loaded, output or Path("runs", "train", loaded.study.name), display)
