"""Loading data sets of the hub, or folders alike, with `datasets`: one error for all its errors.

Its readers of CSV and JSON guess types: "None" is no text, dates become times, and one file has
other types than the next. Such files are read here as the formats `csv` and `jsonl` read them,
unless the data set says of which types its columns are. `datasets` then only tells which files
there are, and what a slice means.
"""

import csv
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_core.any_path import is_folder
from mtl_core.data.formats._datasets import fingerprint
from mtl_core.data.formats.csv_rows import csv_table
from mtl_core.data.formats.json_rows import json_table
from mtl_core.data.formats.table_source import TableSource
from mtl_core.data.formats.text_columns import Dialect
from mtl_core.errors import DataError, NotReadyError
from mtl_core.files import hash_files, write_json
from mtl_core.full_disk import storage_error
from mtl_core.hub_access import hub_access
from mtl_core.paths import cache_folder

if TYPE_CHECKING:
    from datasets import Dataset, DatasetBuilder

_PICKLES = ("pandas",)
"""Names that `datasets` takes for its own readers of pickled files."""
_DIALECT = ("sep", "delimiter", "names", "column_names", "quotechar", "quoting")
"""Settings of the reader of CSV that `Dialect` knows, too."""
_UNTOLD = ("name", "version", "data_dir", "data_files", "description", "features")
"""Fields of the settings of a reader that do not say how a file is written."""


@dataclass(frozen=True, slots=True)
class HubName:
    """What names a data set.

    Attributes:
        name: Hub id, or a local folder.
        config: Name of its configuration; None = the only one.
        revision: Git revision on the hub; None = the newest.
    """

    name: str
    config: str | None = None
    revision: str | None = None


def hub_table(hub: HubName, split: str, used: Collection[str]) -> TableSource:
    """Loads a split.

    Args:
        hub: The data set.
        split: The name of a split, or a slice of some.
        used: The columns whose cells are wanted.

    Raises:
        DataError: The data set cannot be loaded; the message of `datasets` follows.
    """
    where = f"{hub.name} [{split}]"
    with _telling(where), hub_access(hub.name):
        found = _text_files(hub)
        if found is None:
            return _typed_table(where, _load(hub, split), used)
        return _text_table(where, found, split, used)


def hub_fingerprint(hub: HubName, splits: Sequence[str]) -> str:
    """Returns a hash of the content of splits, or of slices of splits.

    Raises:
        DataError: The data set cannot be loaded; the message of `datasets` follows.
    """
    with _telling(f"{hub.name} [{', '.join(splits)}]"), hub_access(hub.name):
        found = _text_files(hub)
        if found is None:
            # Loads every split, from the cache of `datasets` when it is there: a slice such as
            # `train[:90%]` has a fingerprint of its own.
            parts = [f"{_content(hub)} {fingerprint(_load(hub, split))}" for split in splits]
        else:
            files = found.files.items()
            parts = [*(f"{name} {hash_files(map(Path, paths))}" for name, paths in files), *splits]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@contextmanager
def _telling(where: str) -> Iterator[None]:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        yield
    except DataError:
        raise
    except ConnectionError as error:
        raise NotReadyError(f"{where}: {error}") from error
    except Exception as error:
        # `datasets` raises whatever its builders raise; the innermost cause says what is wrong.
        if (full := storage_error(error, cache_folder() / "datasets")) is not None:
            raise full from error
        if isinstance(error, GatedRepoError):
            raise DataError(
                f"{where}: access to it has to be asked for, on its page on the hub"
            ) from error
        if isinstance(error, RepositoryNotFoundError):
            raise DataError(
                f"{where}: there is no such folder, and no such data set on the hub, or a private "
                "one; to see those log in with `hf auth login`, or set HF_TOKEN"
            ) from error
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = str(cause).strip().splitlines() or [type(cause).__name__]
        raise DataError(f"{where}: cannot load the data: {reason[0]}") from error


def _cache(hub: HubName) -> str:
    # `datasets` knows a local file by its path and time, and would return what it held before.
    return str(cache_folder() / "datasets" / _content(hub))


def _builder(hub: HubName) -> "DatasetBuilder":
    if hub.name in _PICKLES:
        raise DataError(f"{hub.name}: reads pickles, which can hold code; expected a table without")
    # Imported here, as it is slow: runs whose files are encoded already never need it.
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    return datasets.load_dataset_builder(
        hub.name, hub.config, revision=hub.revision, cache_dir=_cache(hub)
    )


def _load(hub: HubName, split: str) -> "Dataset":
    import datasets

    return datasets.load_dataset(
        hub.name, hub.config, revision=hub.revision, split=split, cache_dir=_cache(hub)
    )


@dataclass(frozen=True, slots=True)
class _TextFiles:
    """Files of CSV or JSON, and how they are written.

    Attributes:
        kind: `csv` or `json`.
        files: Split -> its files on this machine.
        delimiter: What stands between cells of CSV.
        quote: What they are quoted by; None = nothing.
        header: Names of the columns; None = the first line has them.
    """

    kind: str
    files: Mapping[str, Sequence[str]]
    delimiter: str = ","
    quote: str | None = '"'
    header: Sequence[str] | None = None


def _text_files(hub: HubName) -> _TextFiles | None:
    """Returns the files of a data set, where they are CSV or JSON without types; else None."""
    from huggingface_hub import is_offline_mode

    # `datasets` remembers only what it has read itself.
    key = hashlib.sha256(repr(hub).encode()).hexdigest()[:32]
    record = cache_folder() / "datasets" / f"{key}.json"
    if is_offline_mode() and record.is_file():
        return _TextFiles(**json.loads(record.read_text(encoding="utf-8")))
    found = _files_of(_builder(hub))
    if found is not None and not is_folder(hub.name):
        record.parent.mkdir(parents=True, exist_ok=True)
        write_json(record, asdict(found))
    return found


def _files_of(builder: "DatasetBuilder") -> _TextFiles | None:
    import datasets

    config = builder.config
    known = {"csv": _DIALECT, "json": ()}.get(builder.name)
    # Types may stand in the card of a data set; settings of the reader, too.
    if known is None or config.features is not None or builder.info.features is not None:
        return None
    plain = type(config)()
    told = (name for name in vars(config) if name not in (*_UNTOLD, *known))
    if any(getattr(config, name) != getattr(plain, name) for name in told):
        return None
    downloads = datasets.DownloadManager(
        download_config=datasets.DownloadConfig(cache_dir=str(cache_folder() / "datasets"))
    )
    found = downloads.download({str(name): [*paths] for name, paths in config.data_files.items()})
    files = {name: [str(path) for path in paths] for name, paths in found.items()}
    if builder.name == "json":
        return _TextFiles("json", files)
    quote = None if config.quoting == csv.QUOTE_NONE else config.quotechar
    return _TextFiles("csv", files, config.sep, quote, config.names)


def _text_table(where: str, found: _TextFiles, split: str, used: Collection[str]) -> TableSource:
    import datasets

    def read(path: Path) -> TableSource:
        if found.kind == "json":
            return json_table(path, used)
        return csv_table(path, used, Dialect(found.delimiter, found.quote, found.header))

    tables = {
        name: [read(Path(path)) for path in paths]
        for name, paths in found.files.items()
        if name in split
    }
    rows = {
        name: list(chain.from_iterable(table.rows for table in parts))
        for name, parts in tables.items()
    }
    # The slices of `datasets`, such as "train[:90%]" or "train+validation".
    sizes = {name: len(rows.get(name, ())) for name in found.files}
    parts = datasets.ReadInstruction.from_spec(split).to_absolute(sizes)
    every = [table for listed in tables.values() for table in listed]
    return TableSource(
        where,
        list(dict.fromkeys(column for table in every for column in table.columns)),
        [row for part in parts for row in rows[part.splitname][part.from_ : part.to]],
        is_text=found.kind == "csv",
    )


def _typed_table(where: str, dataset: "Dataset", used: Collection[str]) -> TableSource:
    wanted = [column for column in dataset.column_names if column in used]
    # Only what is used is decoded: tables of the hub may hold pictures or sound beside the text.
    table = dataset.select_columns(wanted)
    rows = ((f"{where}: row {number}", row) for number, row in enumerate(table, start=1))
    names = {
        column: found for column in wanted if (found := _class_names(dataset.features[column]))
    }
    return TableSource(where, dataset.column_names, rows, names)


def _class_names(feature: Any) -> Sequence[str] | None:
    """Returns the names behind a column of class numbers (also inside a list), else None."""
    return getattr(getattr(feature, "feature", feature), "names", None)


def _content(hub: HubName) -> str:
    """Returns a hash of the files in a folder and their names; "" when there is no such folder."""
    folder = Path(hub.name)
    if not is_folder(folder):
        return ""
    # Hidden files are not part of the data, and those of git and of downloads change by themselves.
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    shown = sorted(name for name in names if not any(part.startswith(".") for part in name.parts))
    content = hash_files(folder / name for name in shown)
    return hashlib.sha256("\n".join([*map(str, shown), content]).encode()).hexdigest()
