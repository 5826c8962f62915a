"""`mtl tune`: a study from start to end."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuning.cli.interrupted import command_again, tell_interrupted
from tuning.cli.options import LogFile, Quiet, Set, Study, Verbose

if TYPE_CHECKING:
    from tuning.study.config import StudyFile
    from tuning.watch.display import Display
    from tuning.watch.json_lines import EventLines
    from tuning.watch.study_log import StudyLog


Address = Annotated[
    str | None,
    typer.Option(help="A running Ray cluster; default: RAY_ADDRESS, or one on this machine."),
]
Finalists = Annotated[
    int | None,
    typer.Option(
        min=1, help="A final stage: so many of the best recipes, and the default, train anew."
    ),
]
Seeds = Annotated[
    int | None, typer.Option(min=2, help="A final stage: seeds that each recipe trains with.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON object a line for what happens, the result last.")
]


def tune(
    study: Study,
    assignments: Set = None,
    address: Address = None,
    log_file: LogFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    finalists: Finalists = None,
    seeds: Seeds = None,
) -> None:
    """Search the best recipe, score it on test and save its model; goes on after a crash."""
    from tuning.cli.arguments import check_text

    check_text(study)
    options = {"--address": address, "--finalists": finalists, "--seeds": seeds}
    # Keys of the study file with options of their own.
    finals = {"study.finals.recipes": finalists, "study.finals.seeds": seeds}
    added = [f"{key}={value}" for key, value in finals.items() if value is not None]
    loaded = None  # As long as the study file is being read there is nothing to go on with.
    with _event_lines() if as_json else nullcontext() as lines:
        try:
            with _shown(study, log_file, lines, quiet=quiet, verbose=verbose) as (display, log):
                loaded = _loaded(study, [*(assignments or ()), *added], display)
                from tuning.run.tune import tune_study

                result = tune_study(
                    loaded, watcher=display, address=address, log=log, verbose=verbose
                )
        except KeyboardInterrupt:
            again = command_again("tune", study, assignments or (), options)
            tell_interrupted(again, loaded.folder if loaded is not None else None, lines)
            raise  # To `main`, whose exit code says that it was interrupted.
        from tuning.cli.show import show_result, tell_result

        show_result(result) if lines is None else tell_result(result, lines)


def _loaded(study: str, assignments: Sequence[str], display: "Display") -> "StudyFile":
    # Shown before the imports below, which take seconds.
    display.stage("reading the study file")
    from tuning.study.load import load_study

    loaded = load_study(study, assignments)
    display.rename(loaded.study.name)
    # What `ray job stop` and batch systems send; the study ends as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return loaded


def _event_lines() -> "AbstractContextManager[EventLines]":
    from tuning.watch.json_lines import event_lines

    return event_lines()


@contextmanager
def _shown(
    study: str, log_file: Path | None, lines: "EventLines | None", *, quiet: bool, verbose: bool
) -> "Iterator[tuple[Display, StudyLog]]":
    """Shows a study on the console, and has all else that is said go into its log."""
    from tuning.watch.display import event_display, study_display
    from tuning.watch.log_lines import logging_to
    from tuning.watch.study_log import study_log

    with (
        study_log() as log,
        nullcontext() if verbose else log.taking_over(),
        logging_to(log_file),
        study_display(study, is_quiet=quiet or lines is not None) as display,
    ):
        yield display if lines is None or quiet else event_display(study, lines), log
