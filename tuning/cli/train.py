"""`mtl train`: one model with the recipe of a study file, here and without a search."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuning.cli.interrupted import command_again, tell_interrupted
from tuning.cli.options import LogFile, Quiet, Set, Study, TrustCode

if TYPE_CHECKING:
    from tuning.study.config import StudyFile
    from tuning.watch.run_display import RunDisplay


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
    from tuning.cli.arguments import check_output, check_text, model_folder

    check_text(study)
    check_output(output)
    given = init_from
    if init_from is not None:
        init_from = model_folder(init_from, trust_code=trust_code)
    from tuning.watch.log_lines import logging_to
    from tuning.watch.run_display import run_display

    folder = None  # As long as the study file is being read there is nothing to go on with.
    try:
        with logging_to(log_file), run_display(study, is_quiet=quiet) as display:
            display.stage("reading the study file")
            from tuning.study.load import load_study

            loaded = load_study(study, assignments or ())
            folder = output or Path("runs", "train", loaded.study.name)
            _train(loaded, folder, display, init_from, trust_code=trust_code)
    except KeyboardInterrupt:
        options = {"--output": output, "--init-from": given}
        tell_interrupted(command_again("train", study, assignments or (), options), folder)
        raise  # To `main`, whose exit code says that it was interrupted.


def _train(
    study: "StudyFile",
    folder: Path,
    display: "RunDisplay",
    init_from: Path | None,
    *,
    trust_code: bool,
) -> None:
    from tuning.run.train import starting_weights, train_study
    from tuning.study.load import check_data, tell_notes

    display.stage("reading the data")
    # Before the encoder's weights are loaded: a wrong file is known sooner.
    tell_notes(check_data(study))
    start = None if init_from is None else starting_weights(init_from, trust_code=trust_code)
    train_study(study, folder, display, start=start)
