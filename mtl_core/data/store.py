"""Encoded data on disk: Arrow files, built once, memory-mapped by every process that trains.

A data set lies in a folder named by the hash of everything that shapes it: the content of its
files, the tokenizer, the tasks on it and the encoding settings.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_core.data.arrow_files import open_split, write_split
from mtl_core.data.encoded import EncodedSplit, LabelNames, TaskColumn
from mtl_core.data.example import Example
from mtl_core.data.formats.kinds import DatasetSection
from mtl_core.data.layouts.sentences import (
    collect_labels,
    encode_split,
    pack_words,
    warn_of_cut_rows,
)
from mtl_core.data.layouts.windows import encode_windows
from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError
from mtl_core.files import hash_files, open_or_build
from mtl_core.paths import cache_folder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

logger = logging.getLogger(__name__)

_MOST_KNOWN = 0.1
"""Share of a split's rows that may stand in train; some sentences are just frequent."""
_FORMAT = 7
"""Counts up when the files or how data are read change, so that old ones are built again."""


@dataclass(frozen=True, slots=True)
class EncodedDataset:
    """A data set ready for training.

    Attributes:
        name: Its key in the study file.
        splits: Split name -> encoded rows; `test` may be missing.
        labels: Task name -> label names.
        content: Hash of the encoded rows and labels.
    """

    name: str
    splits: Mapping[str, EncodedSplit]
    labels: Mapping[str, LabelNames]
    content: str


def load_dataset(
    name: str,
    section: DatasetSection,
    columns: Sequence[TaskColumn],
    tokenizer: "PreTrainedTokenizerFast",
    *,
    max_length: int,
) -> EncodedDataset:
    """Returns the encoded data set; reads and encodes it when no process has done so before.

    Args:
        name: The data set's key in the study file.
        section: Its section.
        columns: The tasks on it.
        tokenizer: A fast tokenizer.
        max_length: Longest row, in sub-words.

    Raises:
        DataError: The data cannot be read or does not hold what the tasks need.
    """
    dataset = open_or_build(
        cache_folder() / "encoded" / _key(section, columns, tokenizer, max_length),
        lambda folder, meta: _open(folder, name, meta),
        lambda folder: _build(folder, name, section, columns, tokenizer, max_length),
    )
    assert dataset is not None
    return dataset


def _key(
    section: DatasetSection,
    columns: Sequence[TaskColumn],
    tokenizer: "PreTrainedTokenizerFast",
    max_length: int,
) -> str:
    parts = {
        "format": _FORMAT,
        "data": section.fingerprint(),
        "reader": section.recipe(),
        "columns": [asdict(column) for column in columns],
        "tokenizer": _tokenizer_hash(tokenizer),
        "max_length": max_length,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _tokenizer_hash(tokenizer: "PreTrainedTokenizerFast") -> str:
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    # These two are left behind by the last call, whatever that was.
    del state["truncation"], state["padding"]
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def _build(
    folder: Path,
    name: str,
    section: DatasetSection,
    columns: Sequence[TaskColumn],
    tokenizer: "PreTrainedTokenizerFast",
    max_length: int,
) -> dict[str, object]:
    """Writes the encoded splits into a folder; returns what else belongs to the data set."""
    where = f"data set '{name}'"
    kinds = {column.column: column.kind for column in columns if column.kind != "text"}
    examples = read_splits(section, kinds)
    for split, rows in examples.items():
        if not rows:
            filtered = f"; no row passes `where: {section.where}`" if section.where else ""
            raise DataError(f"{where}: split '{split}' is empty{filtered}")
    labels = {column.task_name: collect_labels(examples, column, where=where) for column in columns}
    _warn_of_known_rows(examples, name)
    for split, rows in examples.items():
        try:
            encoded = _encode(rows, tokenizer, columns, labels, max_length)
        except DataError as error:
            raise DataError(f"{where}: split '{split}': {error}") from error
        warn_of_cut_rows(encoded, where=f"{name} [{split}]", max_length=max_length)
        write_split(folder, split, encoded)
    meta = {task: asdict(names) for task, names in labels.items()}
    content = {"labels": meta, "splits": list(examples)}
    parts = [json.dumps(content), hash_files(sorted(folder.iterdir()))]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return {**content, "content": digest}


def _warn_of_known_rows(examples: Mapping[str, Sequence[Example]], name: str) -> None:
    """Logs a warning when a good part of dev or test stands in train, too."""
    known = {(row.words, row.second) for row in examples["train"]}
    for split, rows in examples.items():
        count = sum((row.words, row.second) in known for row in rows)
        if split != "train" and count > _MOST_KNOWN * len(rows):
            message = "%s [%s]: %d of %d rows stand in train, too; scores on them say little"
            logger.warning(message, name, split, count, len(rows))


def _encode(
    rows: Sequence[Example],
    tokenizer: "PreTrainedTokenizerFast",
    columns: Sequence[TaskColumn],
    labels: Mapping[str, LabelNames],
    max_length: int,
) -> EncodedSplit:
    """Encodes a split in the layout that its tasks ask for."""
    kinds = {column.kind for column in columns}
    if "answers" in kinds:
        return encode_windows(rows, tokenizer, columns, max_length=max_length)
    if "text" in kinds:
        length = min(max_length, *(column.length for column in columns))
        rows = pack_words(rows, tokenizer, length=length)
        max_length = length
    return encode_split(rows, tokenizer, columns, labels, max_length=max_length)


def _open(folder: Path, name: str, meta: Mapping[str, Any]) -> EncodedDataset:
    labels = {
        task: LabelNames(
            **names | {key: tuple(names[key]) for key in ("trained", "unseen", "counts")}
        )
        for task, names in meta["labels"].items()
    }
    splits = {split: open_split(folder, split) for split in meta["splits"]}
    return EncodedDataset(name, splits, labels, meta["content"])
