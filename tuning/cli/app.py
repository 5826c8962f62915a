"""The command line: `mtl`, also `python -m tuning`; every command imports what it needs itself."""

import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mtl_core.errors import CacheError, ConfigError, DataError, MtlError

if TYPE_CHECKING:
    from mtl_core.prediction import Prediction
    from tuning.study.config import StudyFile

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
"""Exit codes; 0 = done."""

app = typer.Typer(
    help="Find the best recipe for one encoder that does several NLP tasks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Study = Annotated[str, typer.Argument(help="Path of a study file, or the name of a bundled one.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replaces a key of the study file."),
]
Model = Annotated[Path, typer.Argument(help="Folder of a saved model, or of a study.")]
TrustCode = Annotated[
    bool, typer.Option(help="Runs the code of a model's own kinds of tasks: files and packages.")
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Shows what Ray and the libraries log.")]
LogFile = Annotated[
    Path | None, typer.Option(help="Also logs what happens to a file, with levels and times.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="Shows warnings, errors and the result, no progress.")
]


@app.command()
def check(study: Study, assignments: Set = None) -> None:
    """Check a study file, its search space and its data; train nothing."""
    from tuning.cli.arguments import check_text

    check_text(study)
    from tuning.watch.waiting import waiting

    with waiting("reading the study file and its data"):
        from tuning.cli.show import show_check
        from tuning.study.load import check_data, load_study

        loaded = load_study(study, assignments or ())
        data = check_data(loaded)
    show_check(loaded, data)


@app.command()
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
        from tuning.study.load import check_data, load_study

        loaded = load_study(study, assignments or ())
        display.stage("reading the data")
        check_data(loaded)
        train_study(loaded, output or Path("runs", "train", loaded.study.name), display)


@app.command()
def tune(
    study: Study,
    assignments: Set = None,
    address: Annotated[
        str | None,
        typer.Option(help="A running Ray cluster; default: RAY_ADDRESS, or one on this machine."),
    ] = None,
    log_file: LogFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Search the best recipe, score it on test and save its model; goes on after a crash."""
    from tuning.cli.arguments import check_text

    check_text(study)
    from tuning.watch.display import study_display
    from tuning.watch.log_lines import logging_to

    loaded = None
    try:
        with logging_to(log_file), study_display(study, is_quiet=quiet) as display:
            # Shown before the imports below, which take seconds.
            display.stage("reading the study file")
            from tuning.study.load import load_study

            loaded = load_study(study, assignments or ())
            display.rename(loaded.study.name)
            # What `ray job stop` and batch systems send; the study ends as with Ctrl-C.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            from tuning.run.tune import tune_study

            result = tune_study(loaded, observer=display, address=address, verbose=verbose)
    except KeyboardInterrupt:
        if loaded is not None:
            words = ["mtl", "tune", study]
            words += [word for assignment in assignments or () for word in ("--set", assignment)]
            words += ["--address", address] if address else []
            _say_how_to_go_on(words, loaded)
        raise
    from tuning.cli.show import show_result

    show_result(result)


@app.command()
def status(
    folder: Annotated[Path, typer.Argument(help="A study folder.")],
    watch: Annotated[
        bool, typer.Option("--watch", help="Shows it anew every two seconds, to the study's end.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say where a study stands: whether its driver lives, what runs, the best so far."""
    from tuning.cli.status import show_status

    show_status(folder, is_watching=watch, as_json=as_json)


@app.command()
def evaluate(
    model: Model,
    split: Annotated[str, typer.Option(help="Split to score: test or dev.")] = "test",
    trust_code: TrustCode = False,
) -> None:
    """Score a saved model on the data it was trained for."""
    from tuning.cli.arguments import model_folder

    folder = model_folder(model, trust_code=trust_code)
    from tuning.watch.waiting import waiting

    with waiting(f"scoring on {split}"):
        from mtl_core.predictor import evaluate_model
        from tuning.cli.show import show_evaluation

        evaluation = evaluate_model(folder, split=split, trust_code=trust_code)
    show_evaluation(evaluation, split)


@app.command()
def predict(
    model: Model,
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; default: stdin.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file with one text a line.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    trust_code: TrustCode = False,
) -> None:
    """Predict all tasks for texts, for a file, or for what comes in on stdin.

    A tab parts the sentences of a pair, or a question from its context.
    """
    from mtl_core.data.formats.text_files import lines_of, read_lines

    if texts and file:
        raise ConfigError("--file: give texts or a file, not both")
    if file is not None:
        texts = read_lines(file)
    elif not texts:
        texts = lines_of(sys.stdin.buffer.read(), "stdin")
    from tuning.cli.arguments import model_folder, pair

    folder = model_folder(model, trust_code=trust_code)
    from tuning.watch.waiting import waiting

    with waiting("loading the model, predicting"):
        from mtl_core.predictor import Predictor

        predictor = Predictor.load(folder, trust_code=trust_code)
        pairs = [pair(text) for text in texts] if predictor.takes_pairs else texts
        predictions = predictor(pairs)
    for prediction in predictions:
        typer.echo(prediction.to_json() if as_json else _readable(prediction))


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="A study folder.")]) -> None:
    """Write report.md of a study folder anew, and print it."""
    from mtl_core.printable import printable
    from tuning.study.result import write_report

    typer.echo(printable(write_report(folder)))


@app.command()
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
    raise typer.Exit(code)


def main() -> NoReturn:
    """Runs the command line; a user's mistake is one line on stderr and no traceback."""
    from tuning.watch.log_lines import log_to_stderr

    log_to_stderr()
    # It tells of each of its many tries to reach the hub; the error at the end says it all.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        app(standalone_mode=True)
    except ConfigError as error:  # Of a study file all at once, one a line.
        _exit(str(error).split("\n"), BAD_INPUT)
    except (DataError, CacheError) as error:
        _exit([str(error)], BAD_INPUT)
    except MtlError as error:
        _exit(str(error).split("\n"), FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(0)


def _exit(lines: Sequence[str], code: int) -> NoReturn:
    from mtl_core.printable import one_line

    for line in lines:
        sys.stderr.write(f"error: {one_line(line)}\n")
    sys.exit(code)


def _say_how_to_go_on(words: Sequence[str], loaded: "StudyFile") -> None:
    import shlex

    done = f"what was done is in {loaded.folder}" if loaded.folder.exists() else "nothing was begun"
    sys.stderr.write(f"Interrupted; {done}. The same command goes on: {shlex.join(words)}\n")


def _readable(prediction: "Prediction") -> str:
    from mtl_core.printable import one_line
    from mtl_core.tasks.outputs import to_text

    lines = (f"  {task}: {to_text(output)}" for task, output in prediction.items())
    texts = [one_line(text) for text in (prediction.text, prediction.text_pair) if text]
    return "\n".join(["\t".join(texts), *lines])
