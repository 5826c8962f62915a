"""`mtl predict`: what a saved model says of texts."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_core.any_path import is_file, is_pipe
from mtl_core.data.words import Words
from mtl_core.errors import ConfigError
from mtl_core.printable import one_line
from tuning.cli.options import BatchSize, Device, Model, TrustCode

if TYPE_CHECKING:
    from mtl_core.prediction import Prediction, Turns
    from mtl_core.predictions_out import Writer
    from mtl_core.predictor import Predictor
    from mtl_core.texts_in import ColumnChoice, TextRow

_CHUNK = 1024
"""Rows that are in memory at a time; so many that rows of one length stand together."""


Texts = Annotated[list[str] | None, typer.Argument(help="Texts; default: stdin.")]
File = Annotated[
    Path | None,
    typer.Option(help="A .csv, .tsv or .jsonl file, or any other with one text a line."),
]
Text = Annotated[str | None, typer.Option(help="Column of the text; default: as in training.")]
TextPair = Annotated[
    str | None, typer.Option(help="Column of the second text; default: as in training.")
]
Features = Annotated[
    str | None, typer.Option(help="Column of the numbers; default: as in training.")
]
Output = Annotated[
    Path | None,
    typer.Option(help="A .csv, .tsv or .jsonl file for the predictions; default: stdout."),
]
WordEnds = Annotated[
    Words | None,
    typer.Option(
        "--words",
        help="Where words end; default: as in training. whitespace takes tokenised texts as they "
        "are.",
    ),
]
Decoded = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Replaces a setting that needs no training: tasks.reply.decoding.kind=beam.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def predict(
    model: Model,
    texts: Texts = None,
    file: File = None,
    text: Text = None,
    text_pair: TextPair = None,
    features: Features = None,
    output: Output = None,
    as_json: AsJson = False,
    words: WordEnds = None,
    device: Device = None,
    batch_size: BatchSize = None,
    trust_code: TrustCode = False,
    overrides: Decoded = None,
) -> None:
    """Predict all tasks for texts, for a file, or for what comes in on stdin.

    A tab parts the sentences of a pair, or a question from its context. Lines come out as they
    are done, on a terminal word by word where a task writes; the columns of a table are kept.
    """
    _check(texts or (), file, {"--text": text, "--text-pair": text_pair, "--features": features})
    from tuning.cli.arguments import model_folder

    settings = _settings(overrides or ())
    folder = model_folder(model, trust_code=trust_code)
    from mtl_core.predictions_out import check_output
    from mtl_core.texts_in import ColumnChoice
    from tuning.watch.waiting import waiting

    check_output(output, file)
    with waiting("loading the model"):
        from mtl_core.predictor import Predictor

        predictor = Predictor.load(folder, trust_code=trust_code, device=device, settings=settings)
    if not predictor.outputs_of():
        raise ConfigError(f"{folder}: no task of the model says something of a text")
    choice = ColumnChoice.of(predictor, text=text, pair=text_pair, features=features)
    chunks = _chunks(texts or (), file, predictor, choice)
    _predict(predictor, chunks, output, as_json=as_json, batch_size=batch_size, words=words)


def _check(texts: Sequence[str], file: Path | None, columns: Mapping[str, str | None]) -> None:
    """Refuses what cannot be read, before the imports that take seconds."""
    from mtl_core.text_streams import open_texts
    from mtl_core.texts_in import is_table

    if texts and file:
        raise ConfigError("--file: give texts or a file, not both")
    for text in texts:
        if Path(text).suffix and is_file(text):
            raise ConfigError(
                f"{one_line(text)}: it is a file; --file {one_line(text)} predicts what stands in "
                "it, and stdin takes its name as a text"
            )
    unread = [option for option, name in columns.items() if name is not None]
    if unread and (file is None or not is_table(file)):
        raise ConfigError(
            f"{unread[0]}: names a column; give a .csv, .tsv or .jsonl file by --file"
        )
    if file is not None and not is_pipe(file):
        open_texts(file).close()  # for its errors


def _settings(assignments: Sequence[str]) -> dict[str, object]:
    """Returns dotted key of the model's run -> value."""
    from mtl_core.study_file import parse_assignment

    # A model has a run and no study around it.
    return dict(
        parse_assignment(text, roots=("tasks",), default_root="tasks") for text in assignments
    )


def _predict(
    predictor: "Predictor",
    chunks: "Iterable[Sequence[TextRow]]",
    output: Path | None,
    *,
    as_json: bool,
    batch_size: int | None,
    words: Words | None,
) -> None:
    """Predicts chunk by chunk; what is done is written, whatever comes after."""
    from mtl_core.data.collate import BATCH_SIZE
    from mtl_core.predictions_out import LinesWriter, json_line, open_output, writer_of

    if predictor.writes and output is None and not as_json and sys.stdout.isatty():
        show_while_written(predictor, chunks, words=words)
        return
    count = 0
    with _progress(output) as tell, nullcontext() if output is None else open_output(output) as to:
        writer: Writer = (
            LinesWriter(sys.stdout, json_line if as_json else lambda row, found: readable(found))
            if to is None or output is None
            else writer_of(output, to, predictor.tasks)
        )
        for rows in chunks:
            has_features = any(row.features for row in rows)
            predictions = predictor(
                [row.text for row in rows],
                features=[row.features for row in rows] if has_features else (),
                columns=[row.columns or {} for row in rows],
                batch_size=batch_size or BATCH_SIZE,
                words=words,
            )
            # Both are safe on a terminal: JSON escapes what steers it, lines spell it out.
            writer.write(rows, predictions)
            count += len(rows)
            tell(f"predicted {count:,} texts")


def _progress(output: Path | None) -> AbstractContextManager[Callable[[str], None]]:
    """Returns a display of how far it is; none where the lines themselves show it."""
    from tuning.watch.waiting import waiting

    if output is None and sys.stdout.isatty():
        return nullcontext(lambda _: None)
    return waiting("predicting")


def _chunks(
    texts: Sequence[str], file: Path | None, predictor: "Predictor", choice: "ColumnChoice"
) -> "Iterator[Sequence[TextRow]]":
    """Yields the texts, as many at a time as are predicted together."""
    from mtl_core.text_streams import open_texts, read_lines
    from mtl_core.texts_in import TextRow, is_table, read_table
    from tuning.cli.arguments import pair

    if file is not None and is_table(file):
        rows = read_table(file, choice)
        while chunk := list(islice(rows, _CHUNK)):
            yield chunk
        return

    def of_lines(lines: Sequence[str]) -> "list[TextRow]":
        # For a model of single sentences a tab is a character like others, and for one that does
        # not write, a list of turns is text.
        if predictor.writes:
            return [TextRow(_dialogue(line) or line) for line in lines]
        return [TextRow(pair(line) if predictor.takes_pairs else line) for line in lines]

    if texts:
        yield of_lines(texts)
        return
    # Bytes, also from stdin, read as a file is: UTF-8, with an error that names the line;
    # `sys.stdin` would decode by the locale.
    stream = sys.stdin.buffer if file is None else open_texts(file)
    with nullcontext() if file is None else stream:
        is_empty = True
        for lines in read_lines(stream, "stdin" if file is None else str(file)):
            is_empty = False
            yield of_lines(lines)
    if is_empty and file is not None:
        raise ConfigError(f"{file}: expected texts, found an empty file")


def readable(prediction: "Prediction") -> str:
    """Returns a prediction as lines of text: the input, then a line per task."""
    from mtl_core.tasks.outputs import to_text

    lines = (f"  {task}: {to_text(output)}" for task, output in prediction.items())
    texts = [one_line(text) for text in (prediction.text, prediction.text_pair) if text]
    return "\n".join(["\t".join(texts), *lines])


def show_while_written(
    predictor: "Predictor", chunks: "Iterable[Sequence[TextRow]]", *, words: Words | None
) -> None:
    """Prints what tasks write while they do, text by text, and then what other tasks say."""
    for row in (row for rows in chunks for row in rows):
        shown = _Shown(row)
        # One at a time: a batch would have all its texts written at once.
        [prediction] = predictor(
            [row.text],
            features=[row.features] if row.features else (),
            columns=[row.columns or {}],
            words=words,
            on_text=shown.piece,
        )
        shown.end(prediction)


class _Shown:
    """A prediction on the terminal, as `readable` has it, while it is made."""

    def __init__(self, row: "TextRow") -> None:
        parts = [row.text] if isinstance(row.text, str) else row.text
        texts = [part if isinstance(part, str) else part["content"] for part in parts]
        self._told: list[str] = []
        sys.stdout.write("\t".join(map(one_line, texts)))

    def piece(self, task: str, piece: str) -> None:
        if task not in self._told:
            self._told.append(task)
            sys.stdout.write(f"\n  {task}: ")
        sys.stdout.write(one_line(piece))
        sys.stdout.flush()

    def end(self, prediction: "Prediction") -> None:
        lines = readable(prediction).splitlines()[1:]
        left = [
            line for task, line in zip(prediction, lines, strict=True) if task not in self._told
        ]
        sys.stdout.write("".join(f"\n{line}" for line in left) + "\n")
        sys.stdout.flush()


def _dialogue(line: str) -> "Turns | None":
    """Returns the dialogue that a line writes as a list of turns; None = it is a text."""
    from mtl_core.data.messages import messages_in

    turns = messages_in(line, "texts")
    return [{"role": turn.role, "content": turn.text} for turn in turns or ()] or None
