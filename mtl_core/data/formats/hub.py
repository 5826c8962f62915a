"""The format of hub data sets: from the Hugging Face hub, or local folders alike."""

import hashlib
from pathlib import Path
from typing import Literal

from mtl_core.data.example import Example
from mtl_core.data.formats.base import Columns, DatasetBase, Fraction, SplitNames
from mtl_core.data.formats.table_rows import TableColumns, table_examples
from mtl_core.data.formats.table_source import TableSource, load_table
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError
from mtl_core.files import hash_files
from mtl_core.section import IdOrFolder

_PICKLES = ("pandas",)
"""Names that `datasets` takes for its own readers of pickled files."""


class HubSplits(SplitNames):
    """`SplitNames` with the name that dev usually has on the hub."""

    dev: str | Fraction = "validation"
    """Sentences that choose epoch and recipe."""


class Hub(TableColumns, DatasetBase):
    """A data set of the Hugging Face hub, or a local folder in a layout that `datasets` loads."""

    kind: Literal["hub"] = "hub"
    name: IdOrFolder
    """Hub id such as `tuetschek/atis`, or a local folder."""
    config: str | None = None
    """Name of the data set's configuration."""
    revision: str | None = None
    """Git revision on the hub; give one to make a study repeatable."""
    splits: HubSplits = HubSplits()
    """Names of the splits, slices like `train[:90%]`, or shares of train, such as 0.1."""

    def read_split(self, source: str, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one split, downloaded when it is not there yet; see `DatasetBase.read_split`."""
        return table_examples(self._source(source), self.layout(), columns)

    def fingerprint(self) -> str:
        """Returns a hash of the fingerprints of the loaded splits."""
        # Loads every split, from the cache of `datasets` when it is there: a slice such as
        # `train[:90%]` has a fingerprint of its own.
        parts = [self._source(name).fingerprint for name in self.splits.named().values()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _source(self, split: str) -> TableSource:
        return hub_source(self.name, config=self.config, revision=self.revision, split=split)


def hub_source(name: str, *, config: str | None, revision: str | None, split: str) -> TableSource:
    """Loads a split of a hub data set or local folder.

    Raises:
        DataError: The data set cannot be loaded; the message of `datasets` follows.
    """
    if name in _PICKLES:
        raise DataError(f"{name}: reads pickles, which can hold code; expected a table without")
    # A hub id is no folder, so its content is "": the fingerprint of `datasets` tells it apart.
    where, content = f"{name} [{split}]", _hash_folder(Path(name))
    return load_table(where, content, name, config, revision=revision, split=split)


def _hash_folder(folder: Path) -> str:
    """Returns a hash of the files in a folder and their names; "" when there is no such folder."""
    if not folder.is_dir():
        return ""
    # Hidden files are not part of the data, and those of git and of downloads change by themselves.
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    shown = sorted(name for name in names if not any(part.startswith(".") for part in name.parts))
    content = hash_files(folder / name for name in shown)
    return hashlib.sha256("\n".join([*map(str, shown), content]).encode()).hexdigest()
