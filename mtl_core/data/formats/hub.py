"""The format of hub data sets: from the Hugging Face hub, or local folders alike."""

from pathlib import Path
from typing import Literal

from mtl_core.data.example import Example
from mtl_core.data.formats.base import Columns, DatasetBase, Fraction, SplitNames
from mtl_core.data.formats.hub_source import HubName, hub_fingerprint, hub_table
from mtl_core.data.formats.table_rows import TableColumns, table_examples
from mtl_core.data.formats.text_columns import TextColumns
from mtl_core.data.notes import SplitNotes
from mtl_core.section import IdOrFolder


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

    def text_columns(self) -> TextColumns:
        """Returns the columns by their names here."""
        return self.named_columns()

    def read_split(self, split: str, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one split, downloaded when it is not there yet; see `DatasetBase.read_split`."""
        layout = self.layout()
        table = hub_table(self._hub_name(), self.splits.named()[split], layout.used(columns))
        return table_examples(table, layout, columns, notes, on_empty=self.on_empty)

    def fingerprint(self) -> str:
        """Returns a hash of the content of the splits that are read."""
        return hub_fingerprint(self._hub_name(), list(self.splits.named().values()))

    def public_name(self) -> str | None:
        """Returns the id of the data set; None of a local folder."""
        return None if Path(self.name).is_absolute() else self.name

    def _hub_name(self) -> HubName:
        return HubName(self.name, self.config, self.revision)
