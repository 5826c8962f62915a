"""The texts that a run trains on, for what is made of them before any row is: a tokenizer."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.cutting import cut_texts
from mtl_core.data.formats.kinds import DatasetSection
from mtl_core.data.splits import read_splits
from mtl_core.fetching.missing import check_fetched


@dataclass(frozen=True, slots=True)
class TrainingTexts:
    """The texts of the train splits of a run.

    Attributes:
        datasets: Data set name -> its section.
        columns: Returns the columns of the tasks on a data set, by its name.
    """

    datasets: Mapping[str, DatasetSection]
    columns: Callable[[str], Sequence[AnyColumn]]

    @property
    def key(self) -> str:
        """A hash of all that shapes the texts; equal ones have equal texts, wherever they lie.

        Raises:
            DataError: Files are missing.
        """
        check_fetched(self.datasets.values())
        for name, section in self.datasets.items():
            section.check_files(f"run.datasets.{name}")
        parts = [
            [section.fingerprint(), section.cache_key(), self._reads(name)]
            for name, section in self.datasets.items()
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def __iter__(self) -> Iterator[str]:
        """Yields each text, its words one space apart; of pairs both, and what tasks write.

        Raises:
            DataError: A data set cannot be used.
        """
        for name, section in self.datasets.items():
            rows = read_splits(section, self._reads(name))["train"]
            for row in cut_texts({"train": rows}, section.word_cut(rows))["train"]:
                yield " ".join(row.words)
                if row.second:
                    yield row.second
                for column in self.columns(name):
                    yield from column.texts(row)

    def _reads(self, name: str) -> dict[str, str]:
        return {key: kind for column in self.columns(name) for key, kind in column.reads.items()}
