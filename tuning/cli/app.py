"""The command line: `mtl`, also `python -m tuning`; exit codes, and errors as lines on stderr."""

import gc
import logging
import os
import sys
from typing import Annotated, NoReturn

import typer

from mtl_core.errors import ConfigError
from tuning.cli.check import check
from tuning.cli.clean import clean
from tuning.cli.command import Command
from tuning.cli.errors import leave, tell_programs, told
from tuning.cli.evaluate import evaluate
from tuning.cli.fetch import fetch
from tuning.cli.fill_mask import fill_mask
from tuning.cli.init import init
from tuning.cli.merge import merge
from tuning.cli.predict import predict
from tuning.cli.push import push
from tuning.cli.report import report
from tuning.cli.schema import schema
from tuning.cli.status import status
from tuning.cli.study_command import StudyCommand
from tuning.cli.submit import submit
from tuning.cli.surroundings import prepare
from tuning.cli.train import train
from tuning.cli.tune import tune

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it; an error has its own, and 0 is done."""

# The files of the commands import nothing heavy at their top: `mtl --help` loads all of them, and
# torch, Ray and transformers take seconds. Each command imports what it needs when it is called.
app = typer.Typer(
    help="Find the best recipe for one encoder that does several NLP tasks.",
    epilog="Exit codes: 0 done, 1 failed, 2 bad input, 75 not now (the same command may do later), "
    "130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # Of a bug Python's own traceback is wanted, whole.
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"mtl {version('mtl-tune')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options of `mtl` itself."""


# In the order of `mtl --help`, which is that of their use.
_OF_STUDIES = (check, train, tune, submit)
for _command in (
    init,
    fetch,
    check,
    train,
    tune,
    status,
    evaluate,
    predict,
    fill_mask,
    merge,
    push,
    report,
    clean,
    submit,
    schema,
):
    app.command(cls=StudyCommand if _command in _OF_STUDIES else Command)(_command)


def main() -> NoReturn:
    """Runs the command line; a user's mistake is one line on stderr and no traceback.

    An error of another class is a bug, and keeps its traceback.
    """
    # By default Python looks for garbage after every 700 new objects. Imports make very many that
    # all stay, and these looks take a third of the time of a command that imports torch.
    gc.set_threshold(50_000, 10, 10)
    try:
        prepare()
    except ConfigError as error:
        leave(error.lines, error.exit_code)
    from tuning.watch.log_lines import log_to_stderr

    log_to_stderr()
    # Its bars would be drawn over our own sign of life; read when it is imported.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # It tells of each of its many tries to reach the hub; the error at the end says it all.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        found = told(error)
        if found is None:
            tell_programs([f"{type(error).__name__}: {error}"], 1)
            raise
        leave(*found)
    finally:
        # What is there now is given back with the process: no last look at all of it, either.
        gc.freeze()
    sys.exit(0)
