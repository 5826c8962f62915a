"""The format of running text: one text per line, without labels."""

from pathlib import Path
from typing import Literal

from mtl_core.data.example import Example
from mtl_core.data.formats.base import Columns, FilesBase, check_columns
from mtl_core.data.formats.rows import read_rows
from mtl_core.data.formats.text_files import Encoding, cut_words, read_lines
from mtl_core.data.notes import SplitNotes


class Lines(FilesBase):
    """A text file with one text per line, without labels, for `masked_lm` and `causal_lm`."""

    kind: Literal["lines"] = "lines"
    encoding: Encoding = "utf-8"
    """How the files are written, such as cp1252, where no byte-order mark says so."""

    def read_file(self, path: Path, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file; see `FilesBase.read_file`."""
        check_columns(str(path), columns, {})
        lines = enumerate(read_lines(path, self.encoding), start=1)
        rows = ((f"{path}:{number}", line) for number, line in lines if line.strip())
        return read_rows(rows, lambda line, where: Example(cut_words(line, where), text=line))
