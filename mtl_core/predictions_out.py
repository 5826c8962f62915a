"""Files of predictions, written row by row: JSON lines and tables."""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from mtl_core.any_path import absolute, is_file, is_folder, is_there
from mtl_core.errors import ConfigError, DataError
from mtl_core.files import whole_file
from mtl_core.printable import printable_json
from mtl_core.scores import only_finite
from mtl_core.tasks.outputs import to_cell, to_plain
from mtl_core.texts_in import CSV, JSON_LINES, TextRow

if TYPE_CHECKING:
    from mtl_core.prediction import Prediction
    from mtl_core.tasks.base import Task

PREFIX = "predicted_"
"""Begins the names of what is said where a row has columns of its own, labels for instance."""


class Writer(Protocol):
    """Writes predictions."""

    def write(self, rows: Sequence[TextRow], predictions: "Sequence[Prediction]") -> None:
        """Writes a line for each row, and hands all of them to the operating system."""


class LinesWriter:
    """A line for each text, as `describe` makes it."""

    def __init__(self, file: TextIO, describe: "Describe") -> None:
        self._file = file
        self._describe = describe

    def write(self, rows: Sequence[TextRow], predictions: "Sequence[Prediction]") -> None:
        """Writes a line for each row."""
        lines = map(self._describe, rows, predictions)
        self._file.write("".join(f"{line}\n" for line in lines))
        self._file.flush()


class Describe(Protocol):
    """Makes a line, or several, of a prediction."""

    def __call__(self, row: TextRow, prediction: "Prediction", /) -> str:
        """Returns the text without the line feed at its end."""


class TableWriter:
    """A CSV or TSV file: the columns of each row, then those of the tasks."""

    def __init__(self, file: TextIO, tasks: "Mapping[str, Task]", *, delimiter: str) -> None:
        self._file = file
        self._tasks = tasks
        self._delimiter = delimiter
        self._names: list[str] = []

    def write(self, rows: Sequence[TextRow], predictions: "Sequence[Prediction]") -> None:
        """Writes a line for each row; above the first one the names of the columns."""
        # Made as a whole and written at once: who breaks off leaves no half of a row.
        text = io.StringIO(newline="")
        table = csv.writer(text, delimiter=self._delimiter, lineterminator="\n")
        for row, prediction in zip(rows, predictions, strict=True):
            cells = self._cells(row, prediction)
            if not self._names:
                self._names = list(cells)
                table.writerow(self._names)
            if more := [name for name in cells if name not in self._names]:
                raise DataError(
                    f"--output: a row has '{more[0]}', and the first one did not; .jsonl takes "
                    "rows of different columns"
                )
            table.writerow([cells.get(name, "") for name in self._names])
        self._file.write(text.getvalue())
        self._file.flush()

    def _cells(self, row: TextRow, prediction: "Prediction") -> dict[str, str]:
        prefix = "" if row.columns is None else PREFIX
        cells = {name: to_cell(value) for name, value in own_columns(row, prediction).items()}
        for name, output in prediction.items():
            for ending, cell in self._tasks[name].cells(output).items():
                cells[f"{prefix}{name}{ending}"] = cell
        return cells


def own_columns(row: TextRow, prediction: "Prediction") -> Mapping[str, object]:
    """Returns the columns of a row; of one without columns its text, or its two texts."""
    if row.columns is not None:
        return row.columns
    pair = {} if isinstance(row.text, str) else {"text_pair": prediction.text_pair}
    return {"text": prediction.text, **pair}


def json_line(row: TextRow, prediction: "Prediction") -> str:
    """Returns a row and what is said of it as one line of JSON."""
    if row.columns is None:
        return prediction.to_json()
    said = {f"{PREFIX}{task}": to_plain(output) for task, output in prediction.items()}
    plain = only_finite({**row.columns, **said})
    return printable_json(json.dumps(plain, ensure_ascii=False, allow_nan=False))


def check_output(output: Path | None, source: Path | None) -> None:
    """Refuses a file for predictions that cannot become one; called before anything is loaded.

    Args:
        output: The file; None = there is none.
        source: The file of the texts; None = they come from elsewhere.

    Raises:
        ConfigError: It has another suffix, is the file of the texts, lies in no folder, or
            cannot be written.
    """
    if output is None:
        return
    allowed = (*CSV, *JSON_LINES)
    if output.suffix.lower() not in allowed:
        raise ConfigError(f"--output: {output}: expected a file that ends in {', '.join(allowed)}")
    if source is not None and is_there(output) and output.samefile(source):
        raise ConfigError(f"--output: {output}: it is the file of the texts; give another one")
    if not is_folder(output.parent):
        raise ConfigError(f"--output: {output}: there is no folder {output.parent}")
    if is_folder(output) or (is_there(output) and not os.access(output, os.W_OK)):
        found = "it is a folder" if is_folder(output) else "it is read-only"
        raise ConfigError(f"--output: {output}: cannot write: {found}")


@contextmanager
def open_output(output: Path) -> Iterator[TextIO]:
    """Opens a file for predictions; it takes the place of `output` when the block is over.

    Also when the user breaks off: then with the lines that are done, if there are any. After an
    error `output` is what it was before. A pipe is written to at once.

    Raises:
        ConfigError: It cannot be written.
    """
    stopped: KeyboardInterrupt | None = None
    with ExitStack() as stack:
        try:
            # Where a link leads: the link itself stays.
            target = absolute(output, Path.cwd())
            is_special = is_there(target) and not is_file(target)
            part = target if is_special else stack.enter_context(whole_file(target))
            # Halves of characters, which JSON can hold, are spelt out.
            file = stack.enter_context(
                part.open("w", encoding="utf-8", newline="", errors="backslashreplace")
            )
        except OSError as error:
            raise ConfigError(f"--output: {output}: cannot write: {error.strerror}") from error
        try:
            yield file
        except KeyboardInterrupt as error:
            if not part.stat().st_size:  # Nothing is done: what was there is worth more.
                raise
            stopped = error
    if stopped is not None:
        raise stopped


def writer_of(output: Path, file: TextIO, tasks: "Mapping[str, Task]") -> Writer:
    """Returns what writes predictions into an open file, by its suffix."""
    delimiter = CSV.get(output.suffix.lower())
    if delimiter is None:
        return LinesWriter(file, json_line)
    return TableWriter(file, tasks, delimiter=delimiter)
