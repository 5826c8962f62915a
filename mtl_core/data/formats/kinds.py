"""Readers: from files or a hub id to one list of `Example` a split; the data path starts here.

Adding a format = one section with `read_split` and `fingerprint`, and its name in
`DatasetSection`.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtl_core.data.example import ColumnKind, Example, LabelValue
from mtl_core.data.formats.column_files import Separator, conll_examples, conllu_examples
from mtl_core.data.formats.json_files import SpanKeys, clinc_examples, span_examples, squad_examples
from mtl_core.data.formats.sample import generate_sample
from mtl_core.data.formats.spans import Overlaps, Scheme
from mtl_core.data.formats.table_readers import Hub, Table
from mtl_core.data.formats.text_files import cut_words, read_lines, words_with_tags
from mtl_core.data.splits import (
    Columns,
    DatasetBase,
    FilesBase,
    Fraction,
    SplitNames,
    check_columns,
    hash_files,
)
from mtl_core.errors import DataError, did_you_mean
from mtl_core.section import DataPath

_SEQ_FILES = ("seq.in", "seq.out", "label")


class ClincSplits(SplitNames):
    """`SplitNames` as CLINC150 has them."""

    dev: str | Fraction = "val"
    """Sentences that choose epoch and recipe."""


class SeqInOut(DatasetBase):
    """A folder a split with `seq.in` (words), `seq.out` (BIO tags) and `label`, line by line.

    The columns are `intent` (from `label`; an empty line = no label) and `slots` (from `seq.out`).
    """

    kind: Literal["seq_in_out"] = "seq_in_out"
    path: DataPath
    """The folder that holds the folders of the splits."""
    splits: SplitNames = SplitNames()
    """Names of the folders; dev and test may be a share of train, such as 0.1."""

    def read_split(self, source: str, columns: Columns) -> list[Example]:
        """Reads one folder; see `DatasetBase.read_split`."""
        check_columns(str(self.path), columns, {"intent": "label", "slots": "tags"})
        return list(_read_seq_in_out(self.path / source, columns))

    def fingerprint(self) -> str:
        """Returns a hash of the content of all files."""
        folders = [self.path / folder for folder in self.splits.named().values()]
        return hash_files(folder / name for folder in folders for name in _SEQ_FILES)


class Conll(FilesBase):
    """Columns with one word a line and an empty line between sentences.

    Lines `# key = value` before a sentence are columns too, with one label a sentence. A line that
    starts with the sign of comments is a row all the same, of a hashtag for instance, where it has
    as many columns as the rows of the file (with tabs: any tab) and does not read `# key = value`.
    """

    kind: Literal["conll"] = "conll"
    columns: dict[str, int] = Field(default_factory=dict)
    """Name of a column of tags -> its number, from 0, or from the end when negative."""
    words: int = 0
    """Number of the column of the words."""
    schemes: dict[str, Scheme] = Field(default_factory=dict)
    """How a column's tags are written, when not as IOB2: `iob1`, `iobes` (BILOU), `plain`."""
    separator: Separator = "whitespace"
    """What stands between columns."""
    comment: str | None = Field(default="#", min_length=1)
    """What comments in front of a sentence start with; null = there are none."""

    @model_validator(mode="after")
    def _check_schemes(self) -> "Conll":
        for column in self.schemes:
            if column not in self.columns:
                raise ValueError(
                    f"schemes: there is no column '{column}'; columns: "
                    f"{', '.join(self.columns) or 'none'}.{did_you_mean(column, self.columns)}"
                )
        return self

    def read_split(self, source: str, columns: Columns) -> list[Example]:
        """Reads one file; see `DatasetBase.read_split`."""
        return conll_examples(
            Path(source),
            columns,
            places={**self.columns, "words": self.words},
            schemes=self.schemes,
            separator=self.separator,
            comment=self.comment,
        )


class Conllu(FilesBase):
    """CoNLL-U files of Universal Dependencies; columns `upos`, `xpos`, `feats`, `deprel`, ..."""

    kind: Literal["conllu"] = "conllu"

    def read_split(self, source: str, columns: Columns) -> list[Example]:
        """Reads one file; see `DatasetBase.read_split`."""
        return conllu_examples(Path(source), columns)


class Squad(FilesBase):
    """SQuAD 1.1 or 2.0 files; the column is `answers`."""

    kind: Literal["squad"] = "squad"

    def read_split(self, source: str, columns: Columns) -> list[Example]:
        """Reads one file; see `DatasetBase.read_split`."""
        check_columns(source, columns, {"answers": "answers"})
        return squad_examples(Path(source))


class SpansJson(FilesBase):
    """JSON (a list, or lines) of texts with character spans, which become tags of words.

    The columns are `spans`, and any other key for one label a sentence. Keys are joined by dots
    where objects stand in objects.
    """

    kind: Literal["spans_json"] = "spans_json"
    text: str = "text"
    """Key of the text."""
    spans: str = "spans"
    """Key of the list of spans; a row without it has none."""
    start: str = "start"
    """Key, in a span, of its first character; missing = 0."""
    end: str = "end"
    """Key, in a span, of the character behind it."""
    label: str = "label"
    """Key, in a span, of its type."""
    overlaps: Overlaps = "refuse"
    """What becomes of spans that take the same word: an error, or the longest stays."""

    def read_split(self, source: str, columns: Columns) -> list[Example]:
        """Reads one file; see `DatasetBase.read_split`."""
        offered: dict[str, ColumnKind] = dict.fromkeys(columns, "label")
        check_columns(source, columns, {**offered, "spans": "tags"})
        keys = SpanKeys(self.text, self.spans, self.start, self.end, self.label)
        return span_examples(Path(source), list(columns), keys, overlaps=self.overlaps)


class Clinc(DatasetBase):
    """A JSON file with lists of [text, label] by split, as CLINC150; the column is `intent`."""

    kind: Literal["clinc"] = "clinc"
    path: DataPath
    """The file."""
    splits: ClincSplits = ClincSplits()
    """Keys of the splits; dev and test may be a share of train, such as 0.1."""
    out_of_scope: bool = False
    """Whether the rows of `oos_<split>` come with each split."""

    def read_split(self, source: str, columns: Columns) -> list[Example]:
        """Reads one split; see `DatasetBase.read_split`."""
        check_columns(str(self.path), columns, {"intent": "label"})
        return clinc_examples(self.path, source, out_of_scope=self.out_of_scope)

    def fingerprint(self) -> str:
        """Returns a hash of the file."""
        return hash_files([self.path])


class Lines(FilesBase):
    """A text file with one text a line, without labels, for `masked_lm`."""

    kind: Literal["lines"] = "lines"

    def read_split(self, source: str, columns: Columns) -> list[Example]:
        """Reads one file; see `DatasetBase.read_split`."""
        check_columns(source, columns, {})
        return [
            Example(cut_words(line, f"{source}:{number}"))
            for number, line in enumerate(read_lines(Path(source)), start=1)
            if line.strip()
        ]


class Sample(DatasetBase):
    """The corpus that the project generates from a grammar; columns `intent` and `slots`."""

    kind: Literal["sample"] = "sample"
    splits: SplitNames = SplitNames()
    """Names of the generated splits; dev and test may be a share of train, such as 0.1."""
    seed: int = Field(default=0, ge=0)
    """Seed of the generator; the same seed gives the same sentences everywhere."""

    def read_split(self, source: str, columns: Columns) -> list[Example]:
        """Generates a split: 2,000 train, 300 dev or 500 test sentences."""
        check_columns("sample", columns, {"intent": "label", "slots": "tags"})
        corpus = generate_sample(seed=self.seed)
        if source not in corpus:
            raise DataError(f"sample: there is no split '{source}'; splits: {', '.join(corpus)}")
        return corpus[source]

    def fingerprint(self) -> str:
        """Returns a hash of the sentences and their labels."""
        digest = hashlib.sha256()
        for split, examples in generate_sample(seed=self.seed).items():
            digest.update(split.encode())
            for example in examples:
                digest.update(json.dumps([example.words, example.labels]).encode())
        return digest.hexdigest()


DatasetSection = Annotated[
    SeqInOut | Table | Hub | Conll | Conllu | Squad | SpansJson | Clinc | Lines | Sample,
    Field(discriminator="kind"),
]


def _read_seq_in_out(folder: Path, columns: Columns) -> Iterator[Example]:
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
        words, tags = words_with_tags(text), words_with_tags(tag_text)
        if not words:
            raise DataError(f"{files['seq.in']}:{number}: empty sentence")
        labels: dict[str, LabelValue] = {}
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
