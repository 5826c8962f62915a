"""Files with tables (CSV, JSON lines, Parquet) and hub data sets, loaded through `datasets`."""

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mtl_core.data.formats.text_files import LONGEST, read_lines
from mtl_core.data.splits import hash_files
from mtl_core.errors import DataError
from mtl_core.paths import cache_folder

if TYPE_CHECKING:
    from datasets import Dataset

_PICKLES = ("pandas",)
"""Names that `datasets` takes for its own readers of pickled files."""


@dataclass(frozen=True, slots=True)
class TableSource:
    """A loaded table.

    Attributes:
        where: What errors call it by.
        dataset: The table.
        content: Hash of the local files that it comes from; "" = it comes from the hub.
    """

    where: str
    dataset: "Dataset"
    content: str

    @property
    def fingerprint(self) -> str:
        """The hashes of the files and of what `datasets` has done with them."""
        return f"{self.content} {self.dataset._fingerprint}"


def table_files(
    kind: Literal["csv", "jsonl", "parquet"],
    path: str,
    *,
    delimiter: str,
    quote: str | None,
    header: Sequence[str] | None,
) -> TableSource:
    """Loads one file.

    Args:
        kind: What the file is.
        path: Where it lies.
        delimiter: Separator of CSV columns.
        quote: What CSV cells are quoted by; None = nothing.
        header: Names of CSV columns; None = the first line has them.

    Raises:
        DataError: The file is missing, is not UTF-8 or cannot be parsed.
    """
    if not Path(path).is_file():
        raise DataError(f"{path}: there is no such file")
    options: dict[str, object] = {}
    # `datasets` does not say in which line a text file is broken.
    if kind == "csv":
        options = _csv_options(Path(path), delimiter, quote, header)
    elif kind == "jsonl":
        _check_json_lines(Path(path))
    builder = {"csv": "csv", "jsonl": "json", "parquet": "parquet"}[kind]
    content = hash_files([Path(path)])
    return _load(path, content, builder, data_files={"train": path}, split="train", **options)


def hub_source(name: str, *, config: str | None, revision: str | None, split: str) -> TableSource:
    """Loads a split of a hub data set or local folder.

    Raises:
        DataError: It cannot be loaded; the message of `datasets` follows.
    """
    if name in _PICKLES:
        raise DataError(f"{name}: reads pickles, which can hold code; expected a table without")
    where, content = f"{name} [{split}]", _hash_folder(Path(name))
    return _load(where, content, name, config, revision=revision, split=split)


def _hash_folder(folder: Path) -> str:
    """Returns a hash of the files in a folder and their names; "" when there is no such folder."""
    if not folder.is_dir():
        return ""
    # Hidden files are none of the data, and those of git and of downloads change by themselves.
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    shown = sorted(name for name in names if not any(part.startswith(".") for part in name.parts))
    content = hash_files(folder / name for name in shown)
    return hashlib.sha256("\n".join([*map(str, shown), content]).encode()).hexdigest()


def _load(where: str, content: str, builder: str, *args: object, **options: object) -> TableSource:
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    # `datasets` knows a local file by its path and time, and would return what it held before.
    cache = str(cache_folder() / "datasets" / content)
    try:
        dataset = datasets.load_dataset(builder, *args, cache_dir=cache, **options)
    except Exception as error:
        # `datasets` raises whatever its builders raise; the innermost cause says what is wrong.
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = str(cause).strip().splitlines() or [type(cause).__name__]
        raise DataError(f"{where}: cannot load the data: {reason[0]}") from error
    return TableSource(where, dataset, content)


def _csv_options(
    path: Path, delimiter: str, quote: str | None, header: Sequence[str] | None
) -> dict[str, object]:
    """Checks a CSV file line by line.

    Returns:
        Options that keep every cell the text it is: no "NA" as missing, no "007" as 7.
    """
    import datasets

    read_lines(path)
    csv.field_size_limit(LONGEST)  # of the whole process; its default is less than a line may have
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(
            file, delimiter=delimiter, quotechar=quote or '"', quoting=quoting, strict=True
        )
        try:
            names = list(header or next(rows, []))
            num_rows = 0
            for row in rows:
                num_rows += bool(row)
                if row and len(row) != len(names):
                    raise DataError(
                        f"{path}:{rows.line_num}: expected {len(names)} columns "
                        f"({', '.join(names)}), found {len(row)}"
                    )
        except csv.Error as error:
            raise DataError(f"{path}:{rows.line_num}: not CSV: {error}") from error
    if not names:
        raise DataError(f"{path}:1: expected a header with the column names, found an empty file")
    if not num_rows:
        raise DataError(f"{path}: expected rows{'' if header else ' below the header'}, found none")
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise DataError(
            f"{path}: two columns are named '{twice[0]}'; columns found: {', '.join(names)}"
        )
    return {
        "features": datasets.Features({name: datasets.Value("string") for name in names}),
        "sep": delimiter,
        "keep_default_na": False,
        "quoting": quoting,
        "quotechar": quote or '"',
        # By name, as `datasets` calls a column without one, such as the index of pandas, otherwise.
        "column_names": names,
        "header": 0 if header is None else None,
    }


def _check_json_lines(path: Path) -> None:
    for number, line in enumerate(read_lines(path), start=1):
        try:
            row = json.loads(line) if line.strip() else {}
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{number}: not JSON: {error.msg}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: expected an object, found {line[:40]}")
