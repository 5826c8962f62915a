"""Tables with named columns (CSV, JSON lines, Parquet, hub), read through `datasets`."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mtl_core.data.example import Example
from mtl_core.data.text_files import read_text
from mtl_core.errors import DataError, did_you_mean
from mtl_core.paths import cache_folder

if TYPE_CHECKING:
    from datasets import Dataset

_NO_CLASS = -1
"""What hub data sets put in a column of class numbers where a row has no label."""


@dataclass(frozen=True, slots=True)
class TableSource:
    """A loaded table and the name that errors call it by."""

    where: str
    dataset: "Dataset"

    @property
    def fingerprint(self) -> str:
        """The hash that `datasets` keeps of the table's content and history."""
        return str(self.dataset._fingerprint)


def table_files(
    kind: Literal["csv", "jsonl", "parquet"], path: str, *, delimiter: str
) -> TableSource:
    """Loads one file.

    Raises:
        DataError: The file is missing, is not UTF-8 or cannot be parsed.
    """
    if not Path(path).is_file():
        raise DataError(f"{path}: there is no such file")
    options: dict[str, object] = {}
    if kind != "parquet":
        read_text(Path(path))  # says where the text is broken; `datasets` does not
    if kind == "csv":
        options = _csv_options(Path(path), delimiter)
    builder = {"csv": "csv", "jsonl": "json", "parquet": "parquet"}[kind]
    return _load(path, builder, data_files={"train": path}, split="train", **options)


def hub_source(name: str, *, config: str | None, revision: str | None, split: str) -> TableSource:
    """Loads a split of a hub data set or local folder.

    Raises:
        DataError: It cannot be loaded; the message of `datasets` follows.
    """
    return _load(f"{name} [{split}]", name, config, revision=revision, split=split)


def table_examples(
    source: TableSource, text: str, columns: Mapping[str, Literal["label", "tags"]]
) -> list[Example]:
    """Turns the rows of a table into examples.

    Args:
        source: The table.
        text: Name of the column with the sentence.
        columns: The label columns that tasks use, and what they hold.

    Raises:
        DataError: A column is missing, or a row's tags do not match its words.
    """
    found = source.dataset.column_names
    for column in (text, *columns):
        if column not in found:
            raise DataError(
                f"{source.where}: there is no column '{column}'; columns found: "
                f"{', '.join(found)}.{did_you_mean(column, found)}"
            )
    return list(_rows(source, text, columns))


def _load(where: str, builder: str, *args: object, **options: object) -> TableSource:
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    cache = str(cache_folder() / "datasets")
    try:
        dataset = datasets.load_dataset(builder, *args, cache_dir=cache, **options)
    except Exception as error:
        # `datasets` raises whatever its builders raise; the innermost cause says what is wrong.
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = str(cause).strip().splitlines() or [type(cause).__name__]
        raise DataError(f"{where}: cannot load the data: {reason[0]}") from error
    return TableSource(where, dataset)


def _csv_options(path: Path, delimiter: str) -> dict[str, object]:
    """Returns options that keep every cell the text it is: no "NA" as missing, no "007" as 7."""
    import datasets

    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file, delimiter=delimiter), [])
    if not header:
        raise DataError(f"{path}:1: expected a header with the column names, found an empty file")
    features = datasets.Features({name: datasets.Value("string") for name in header})
    return {"features": features, "sep": delimiter, "keep_default_na": False}


def _rows(
    source: TableSource, text: str, columns: Mapping[str, Literal["label", "tags"]]
) -> Iterator[Example]:
    names = {column: _label_names(source.dataset, column) for column in columns}
    table = source.dataset.select_columns([text, *columns])
    for number, row in enumerate(table, start=1):
        words = tuple(str(word) for word in _cells(row[text]))
        if not words:
            raise DataError(f"{source.where}: row {number}: empty sentence in column '{text}'")
        labels: dict[str, str | tuple[str, ...]] = {}
        for column, kind in columns.items():
            value = row[column]
            if value is None or value == "" or value == []:
                continue
            if names[column] is not None and value == _NO_CLASS:
                continue
            if kind == "label":
                labels[column] = _label(value, names[column])
                continue
            tags = tuple(_label(tag, names[column]) for tag in _cells(value))
            if len(tags) != len(words):
                raise DataError(
                    f"{source.where}: row {number}: expected {len(words)} tags in column "
                    f"'{column}', one per word of '{text}', found {len(tags)}"
                )
            labels[column] = tags
        yield Example(words, labels)


def _cells(value: object) -> tuple[object, ...]:
    """Returns the items of a list, or the words of a string."""
    if isinstance(value, str):
        return tuple(value.split())
    return tuple(value) if isinstance(value, Sequence) else ()


def _label_names(dataset: "Dataset", column: str) -> Sequence[str] | None:
    """Returns the names behind a column of class numbers (also inside a list), else None."""
    feature = dataset.features[column]
    feature = getattr(feature, "feature", feature)
    return getattr(feature, "names", None)


def _label(value: object, names: Sequence[str] | None) -> str:
    if names is not None and isinstance(value, int):
        return names[value]
    return str(value)
