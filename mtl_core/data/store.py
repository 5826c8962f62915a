"""Encoded data on disk: Arrow files, built once, memory-mapped by every process that trains.

A data set lies in a folder named by the hash of everything that shapes it: the content of its
files, the tokenizer, the tasks on it and the encoding settings.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtl_core.built import Room, open_or_build
from mtl_core.data.arrays import Int64Array
from mtl_core.data.arrow_files import open_split, write_split
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label_names import Labels
from mtl_core.data.cutting import cut_texts
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.formats.kinds import DatasetSection
from mtl_core.data.inspection import Inspector
from mtl_core.data.layouts.base import Layout
from mtl_core.data.notes import DataNote, Lengths, by_importance
from mtl_core.data.splits import read_splits
from mtl_core.data.words import Cut
from mtl_core.errors import DataError
from mtl_core.files import hash_files
from mtl_core.paths import cache_folder, encoded_bytes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_TEXTS = "{}.texts.npy"
"""The file of the hashes of the texts of a split."""
_FORMAT = 16
"""Counts up when the files or how data are read change, so that old ones are built again."""


@dataclass(frozen=True, slots=True)
class EncodedDataset:
    """A data set ready for training.

    Attributes:
        name: Its key in the study file.
        splits: Split name -> encoded rows; `test` may be missing.
        labels: Task name -> labels.
        content: Hash of the encoded rows and labels.
        notes: What a user should know of it, the most important first.
        lengths: Split name -> how long its rows are.
        texts: Split name -> a hash of each example's text, (examples,), int64; equal texts have
            equal ones, in all data sets.
        cut: How texts to predict are cut into words, so that they look as those of train.
    """

    name: str
    splits: Mapping[str, EncodedSplit]
    labels: Mapping[str, Labels]
    content: str
    notes: Sequence[DataNote] = ()
    lengths: Mapping[str, Lengths] = field(default_factory=dict)
    texts: Mapping[str, Int64Array] = field(default_factory=dict)
    cut: Cut = field(default_factory=Cut)


def load_dataset(
    name: str,
    section: DatasetSection,
    columns: Sequence[AnyColumn],
    tokenizer: "PreTrainedTokenizerFast",
    *,
    layout: Layout,
    max_length: int,
) -> EncodedDataset:
    """Returns the encoded data set; reads and encodes it when no process has done so before.

    Args:
        name: The data set's key in the study file.
        section: Its section.
        columns: The tasks on it.
        tokenizer: A fast tokenizer.
        layout: How the rows are made; all tasks on a data set ask for the same one.
        max_length: Longest row, in sub-words.

    Raises:
        DataError: The data cannot be read or does not hold what the tasks need.
    """
    dataset = open_or_build(
        cache_folder() / "encoded" / _key(section, columns, tokenizer, layout, max_length),
        lambda folder, meta: _open(folder, name, columns, meta),
        lambda folder: _build(folder, name, section, columns, tokenizer, layout, max_length),
        room=Room(None, encoded_bytes()),
    )
    assert dataset is not None
    return dataset


def _key(
    section: DatasetSection,
    columns: Sequence[AnyColumn],
    tokenizer: "PreTrainedTokenizerFast",
    layout: Layout,
    max_length: int,
) -> str:
    parts = {
        "format": _FORMAT,
        "data": section.fingerprint(),
        "reader": section.cache_key(),
        # All that shapes rows and labels; data that differ in something left out here would share
        # a folder, and one would be trained on the other's rows.
        "columns": [column.cache_key() for column in columns],
        "layout": layout.cache_key(),
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
    columns: Sequence[AnyColumn],
    tokenizer: "PreTrainedTokenizerFast",
    layout: Layout,
    max_length: int,
) -> dict[str, object]:
    """Writes the encoded splits into a folder; returns the rest: labels, split names, hash."""
    where = f"data set '{name}'"
    kinds = {name: kind for column in columns for name, kind in column.reads.items()}
    notes: list[DataNote] = []
    examples = read_splits(section, kinds, notes)
    cut = section.word_cut(examples["train"])
    examples = cut_texts(examples, cut, notes)
    for split, rows in examples.items():
        if not rows:
            filtered = f"; no row passes `where: {section.where}`" if section.where else ""
            raise DataError(f"{where}: split '{split}' is empty{filtered}")
    # Over all splits and before any is encoded: an id is the place of a label among all of them.
    labels = {column.task_name: column.collect(examples, where=where) for column in columns}
    inspector = Inspector(labels, max_length, layout.cut)
    for split, rows in examples.items():
        try:
            encoded = layout.encode(rows, tokenizer, columns, labels, max_length=max_length)
        except DataError as error:
            raise DataError(f"{where}: split '{split}': {error}") from error
        write_split(folder, split, encoded)
        lengths = layout.uncut_lengths(rows, tokenizer, encoded, max_length=max_length)
        inspector.look_at(split, rows, encoded, lengths, tokenizer.unk_token_id)
    meta = {task: found.to_json() for task, found in labels.items()}
    content = {"labels": meta, "splits": list(examples)}
    # Sorted: the order in which a file system lists a folder is its own.
    parts = [json.dumps(content), hash_files(sorted(folder.iterdir()))]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    notes += inspector.notes
    # Not part of the content, as they follow from it: another wording of a note is no other data.
    found_too = {"cut": cut.to_json(), **_write_found(folder, notes, inspector)}
    return {**content, "content": digest, **found_too}


def _write_found(
    folder: Path, notes: Sequence[DataNote], inspector: Inspector
) -> dict[str, object]:
    """Writes which rows stand in train; returns the rest of what was found, for `meta.json`."""
    for split, texts in inspector.texts.items():
        np.save(folder / _TEXTS.format(split), texts)
    return {
        "notes": [note.to_json() for note in notes],
        "lengths": {split: asdict(found) for split, found in inspector.lengths.items()},
    }


def _open(
    folder: Path, name: str, columns: Sequence[AnyColumn], meta: Mapping[str, Any]
) -> EncodedDataset:
    labels = {
        column.task_name: column.labels_from(meta["labels"][column.task_name]) for column in columns
    }
    splits = {split: open_split(folder, split, columns) for split in meta["splits"]}
    # Under the name of this study: others may call the same data otherwise.
    notes = by_importance(replace(DataNote.from_json(one), dataset=name) for one in meta["notes"])
    lengths = {split: Lengths(**found) for split, found in meta["lengths"].items()}
    texts = {split: np.load(folder / _TEXTS.format(split)) for split in splits}
    cut = Cut.from_json(meta["cut"])
    return EncodedDataset(name, splits, labels, meta["content"], notes, lengths, texts, cut)
