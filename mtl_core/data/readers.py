"""Readers: from files or a hub id to one list of `Example` a split; the data path starts here.

Adding a format = one section with `read` and `fingerprint`, and its name in `DatasetSection`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mtl_core.data.example import Example
from mtl_core.data.sample import generate_sample
from mtl_core.data.tables import TableSource, hub_source, table_examples, table_files
from mtl_core.data.text_files import read_lines
from mtl_core.errors import DataError
from mtl_core.section import DataPath, IdOrFolder, Section

ColumnKind = Literal["label", "tags"]
"""`label`: one a sentence; `tags`: one a word."""

Splits = dict[str, list[Example]]
"""Split name -> its examples; `train` and `dev` are always there, `test` may be missing."""


class SplitNames(Section):
    """The names that a data set gives to its splits."""

    train: str = "train"
    """Sentences to train on."""
    dev: str = "dev"
    """Sentences that choose epoch and recipe."""
    test: str | None = "test"
    """Sentences for the final scores, opened once; null when there are none."""


class SplitFiles(Section):
    """One file a split."""

    train: DataPath
    """Sentences to train on."""
    dev: DataPath
    """Sentences that choose epoch and recipe."""
    test: DataPath | None = None
    """Sentences for the final scores, opened once."""


class SeqInOut(Section):
    """A folder a split with `seq.in` (words), `seq.out` (BIO tags) and `label`, line by line.

    The columns are `intent` (from `label`; an empty line = no label) and `slots` (from `seq.out`).
    """

    kind: Literal["seq_in_out"] = "seq_in_out"
    path: DataPath
    """The folder that holds the folders of the splits."""
    splits: SplitNames = SplitNames()
    """Names of the folders."""

    def read(self, columns: Mapping[str, ColumnKind]) -> Splits:
        """Reads the columns that tasks use.

        Raises:
            DataError: A file is missing, is not UTF-8 or differs from the others in length.
        """
        _check_columns(str(self.path), columns, {"intent": "label", "slots": "tags"})
        return {
            split: list(_read_seq_in_out(self.path / folder, columns))
            for split, folder in _named(self.splits)
        }

    def fingerprint(self) -> str:
        """Returns a hash of the content of all files."""
        folders = [self.path / folder for _, folder in _named(self.splits)]
        return hash_files(folder / name for folder in folders for name in _SEQ_FILES)


class Table(Section):
    """CSV (with a header), JSON-lines or Parquet files, read by `datasets`."""

    kind: Literal["csv", "jsonl", "parquet"]
    splits: SplitFiles
    """One file a split."""
    text: str = "text"
    """Column of the sentence: a string, cut at white space, or a list of words."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """Separator of CSV columns; one character."""

    def read(self, columns: Mapping[str, ColumnKind]) -> Splits:
        """Reads the columns that tasks use.

        Raises:
            DataError: A file is missing or unreadable, or lacks a column.
        """
        return {
            split: table_examples(
                table_files(self.kind, path, delimiter=self.delimiter), self.text, columns
            )
            for split, path in _named(self.splits)
        }

    def fingerprint(self) -> str:
        """Returns a hash of the content of all files."""
        return hash_files(Path(path) for _, path in _named(self.splits))


class Hub(Section):
    """A data set of the Hugging Face hub, or a local folder in a layout that `datasets` loads."""

    kind: Literal["hub"] = "hub"
    name: IdOrFolder
    """Hub id such as `tuetschek/atis`, or a local folder."""
    config: str | None = None
    """Name of the data set's configuration."""
    revision: str | None = None
    """Git revision on the hub; give one to make a study repeatable."""
    splits: SplitNames = SplitNames(dev="validation")
    """Names of the splits; the slices of `datasets` are allowed: `train[:90%]`."""
    text: str = "text"
    """Column of the sentence: a string, cut at white space, or a list of words."""

    def read(self, columns: Mapping[str, ColumnKind]) -> Splits:
        """Reads the columns that tasks use; downloads the data set when it is not there yet.

        Raises:
            DataError: The data set cannot be loaded, or lacks a split or column.
        """
        return {
            split: table_examples(self._source(name), self.text, columns)
            for split, name in _named(self.splits)
        }

    def fingerprint(self) -> str:
        """Returns the fingerprint that `datasets` gives to the loaded splits."""
        parts = [self._source(name).fingerprint for _, name in _named(self.splits)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _source(self, split: str) -> TableSource:
        return hub_source(self.name, config=self.config, revision=self.revision, split=split)


class Sample(Section):
    """The corpus that the project generates from a grammar; columns `intent` and `slots`."""

    kind: Literal["sample"] = "sample"
    seed: int = Field(default=0, ge=0)
    """Seed of the generator; the same seed gives the same sentences everywhere."""

    def read(self, columns: Mapping[str, ColumnKind]) -> Splits:
        """Generates the corpus: 2,000 train, 300 dev and 500 test sentences."""
        _check_columns("sample", columns, {"intent": "label", "slots": "tags"})
        return generate_sample(seed=self.seed)

    def fingerprint(self) -> str:
        """Returns a hash of the sentences and their labels."""
        digest = hashlib.sha256()
        for split, examples in generate_sample(seed=self.seed).items():
            digest.update(split.encode())
            for example in examples:
                digest.update(json.dumps([example.words, example.labels]).encode())
        return digest.hexdigest()


DatasetSection = Annotated[SeqInOut | Table | Hub | Sample, Field(discriminator="kind")]


_SEQ_FILES = ("seq.in", "seq.out", "label")


def hash_files(paths: Iterator[Path]) -> str:
    """Returns the SHA-256 of the content of the files, in order.

    Raises:
        DataError: A file is missing or unreadable.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise DataError(f"{path}: cannot read the file: {error.strerror}") from error
    return digest.hexdigest()


def _named(splits: SplitNames | SplitFiles) -> list[tuple[str, str]]:
    """Returns (split, name or path) for the splits that there are."""
    pairs = (("train", splits.train), ("dev", splits.dev), ("test", splits.test))
    return [(split, str(name)) for split, name in pairs if name is not None]


def _check_columns(
    where: str, columns: Mapping[str, ColumnKind], offered: Mapping[str, ColumnKind]
) -> None:
    for column, kind in columns.items():
        if column not in offered:
            raise DataError(
                f"{where}: there is no column '{column}'; columns of this format: "
                f"{', '.join(offered)}"
            )
        if offered[column] != kind:
            raise DataError(
                f"{where}: column '{column}' holds one {offered[column].removesuffix('s')} per "
                f"{'word' if kind == 'label' else 'sentence'}, which the task's kind cannot use"
            )


def _read_seq_in_out(folder: Path, columns: Mapping[str, ColumnKind]) -> Iterator[Example]:
    files = {name: folder / name for name in _SEQ_FILES}
    lines = {name: read_lines(path) for name, path in files.items()}
    counts = {name: len(content) for name, content in lines.items()}
    if len(set(counts.values())) > 1:
        shortest = min(counts, key=lambda name: counts[name])
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise DataError(
            f"{files[shortest]}:{counts[shortest]}: the files of a split need the same number of "
            f"lines, found {found}; this file ends first"
        )
    rows = zip(*lines.values(), strict=True)
    for number, (text, tag_text, label) in enumerate(rows, start=1):
        words, tags = _words(text), _words(tag_text)
        if not words:
            raise DataError(f"{files['seq.in']}:{number}: empty sentence")
        labels: dict[str, str | tuple[str, ...]] = {}
        if "slots" in columns and tags:
            if len(tags) != len(words):
                raise DataError(
                    f"{files['seq.out']}:{number}: expected {len(words)} tags, one per word of "
                    f"{files['seq.in'].name}, found {len(tags)}"
                )
            labels["slots"] = tags
        if "intent" in columns and label.strip():
            labels["intent"] = label.strip()
        yield Example(words, labels)


def _words(line: str) -> tuple[str, ...]:
    """Cuts a line at spaces and tabs; U+2028, U+00A0 and their like stand inside words."""
    return tuple(word for word in line.replace("\t", " ").split(" ") if word)
