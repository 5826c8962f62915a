"""Readers of tables: CSV, JSON lines and Parquet files, and data sets of the hub."""

import hashlib
from typing import Literal

from pydantic import Field

from mtl_core.data.example import Example
from mtl_core.data.formats.table_files import TableSource, hub_source, table_files
from mtl_core.data.formats.tables import TableLayout, table_examples
from mtl_core.data.splits import Columns, DatasetBase, FilesBase, Fraction, SplitNames
from mtl_core.section import IdOrFolder, Section


class HubSplits(SplitNames):
    """`SplitNames` by the hub's usage."""

    dev: str | Fraction = "validation"
    """Sentences that choose epoch and recipe."""


class _Columns(Section):
    """Base: tables with named columns."""

    text: str = "text"
    """Column of the sentence: a string, cut at white space, or a list of words."""
    text_pair: str | None = None
    """Column of the second sentence; null = sentences are single."""
    features: str | None = None
    """Column of extra dense numbers: a list, or a string with spaces; null = there are none."""
    label_separator: str = Field(default=",", min_length=1)
    """What stands between the labels of a set, where it is a string; "" = the set is empty."""

    def _layout(self) -> TableLayout:
        return TableLayout(self.text, self.text_pair, self.features, self.label_separator)


class Table(_Columns, FilesBase):
    """CSV, JSON-lines or Parquet files, read by `datasets`."""

    kind: Literal["csv", "jsonl", "parquet"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """Separator of CSV columns; one character."""
    quote: str | None = Field(default='"', min_length=1, max_length=1)
    """What CSV cells are quoted by; null = a quote is text, as in most tab-separated files."""
    columns: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Names of the columns of a CSV file without a header; null = the first line has them."""

    def read_split(self, source: str, columns: Columns) -> list[Example]:
        """Reads one file; see `DatasetBase.read_split`."""
        table = table_files(
            self.kind, source, delimiter=self.delimiter, quote=self.quote, header=self.columns
        )
        return table_examples(table, self._layout(), columns)


class Hub(_Columns, DatasetBase):
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

    def read_split(self, source: str, columns: Columns) -> list[Example]:
        """Reads one split, downloaded when it is not there yet; see `DatasetBase.read_split`."""
        return table_examples(self._source(source), self._layout(), columns)

    def fingerprint(self) -> str:
        """Returns a hash of the fingerprints of the loaded splits."""
        parts = [self._source(name).fingerprint for name in self.splits.named().values()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _source(self, split: str) -> TableSource:
        return hub_source(self.name, config=self.config, revision=self.revision, split=split)
