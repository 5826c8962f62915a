"""The format of running text: one text per line, without labels."""

from pathlib import Path
from typing import Literal

from mtl_core.data.example import Example
from mtl_core.data.formats.base import Columns, FilesBase, check_columns
from mtl_core.data.formats.text_files import cut_words, read_lines
from mtl_core.data.notes import SplitNotes


class Lines(FilesBase):
    """A text file with one text per line, without labels, for `masked_lm`."""

    kind: Literal["lines"] = "lines"

    def read_split(self, source: str, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file; see `DatasetBase.read_split`."""
        check_columns(source, columns, {})
        return [
            Example(cut_words(line, f"{source}:{number}"))
            for number, line in enumerate(read_lines(Path(source)), start=1)
            if line.strip()
        ]
