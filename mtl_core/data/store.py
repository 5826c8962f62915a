"""Encoded data on disk: Arrow files, built once, memory-mapped by every process that trains.

A data set lies in a folder named by the hash of everything that shapes it: the content of its
files, the tokenizer, the tasks on it and the encoding settings.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from filelock import FileLock

from mtl_core.data.encode import (
    EncodedSplit,
    LabelNames,
    Ragged,
    TaskColumn,
    collect_labels,
    encode_split,
    warn_of_cut_rows,
)
from mtl_core.data.readers import DatasetSection
from mtl_core.errors import DataError
from mtl_core.paths import cache_folder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_FORMAT = 1
"""Counts up when the files change, so that old ones are built again."""


@dataclass(frozen=True, slots=True)
class EncodedDataset:
    """A data set ready for training.

    Attributes:
        name: Its key in the study file.
        splits: Split name -> encoded rows; `test` may be missing.
        labels: Task name -> label names.
    """

    name: str
    splits: Mapping[str, EncodedSplit]
    labels: Mapping[str, LabelNames]


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
    key = _key(section, columns, tokenizer, max_length)
    folder = cache_folder() / "encoded" / key
    with FileLock(f"{folder}.lock"):
        if not (folder / "meta.json").is_file():
            _build(folder, name, section, columns, tokenizer, max_length)
    return _open(folder, name)


def _key(
    section: DatasetSection,
    columns: Sequence[TaskColumn],
    tokenizer: "PreTrainedTokenizerFast",
    max_length: int,
) -> str:
    parts = {
        "format": _FORMAT,
        "data": section.fingerprint(),
        # Where the files lie does not matter; how they are read does.
        "reader": section.model_dump(mode="json", exclude={"path", "splits", "name"}),
        "columns": [asdict(column) for column in columns],
        "tokenizer": _tokenizer_hash(tokenizer),
        "max_length": max_length,
    }
    folder = cache_folder() / "encoded"
    folder.mkdir(exist_ok=True)
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
) -> None:
    examples = section.read({column.column: column.kind for column in columns})
    for split, rows in examples.items():
        if not rows:
            raise DataError(f"data set '{name}': split '{split}' is empty")
    labels = {
        column.task_name: collect_labels(examples, column, where=f"data set '{name}'")
        for column in columns
    }
    # Under the lock nobody else builds here: what lies here was left by a process that was killed.
    scratch = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        for split, rows in examples.items():
            encoded = encode_split(rows, tokenizer, columns, labels, max_length=max_length)
            warn_of_cut_rows(encoded, where=f"{name} [{split}]", max_length=max_length)
            _write_split(scratch / f"{split}.arrow", encoded)
        meta = {task: asdict(names) for task, names in labels.items()}
        (scratch / "meta.json").write_text(
            json.dumps({"labels": meta, "splits": list(examples)}), encoding="utf-8"
        )
        # The rename is atomic: a process that is killed here leaves no half-written data set.
        os.replace(scratch, folder)  # noqa: PTH105
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_split(path: Path, split: EncodedSplit) -> None:
    columns = {"token_ids": _to_arrow(split.token_ids), "word_starts": _to_arrow(split.word_starts)}
    columns |= {f"label/{task}": _to_arrow(values) for task, values in split.labels.items()}
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _to_arrow(values: "Ragged | np.ndarray[tuple[int], np.dtype[np.int32]]") -> pa.Array:
    if isinstance(values, Ragged):
        return pa.LargeListArray.from_arrays(values.offsets, values.values)
    return pa.array(values)


def _open(folder: Path, name: str) -> EncodedDataset:
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    labels = {
        task: LabelNames(tuple(names["trained"]), tuple(names["unseen"]))
        for task, names in meta["labels"].items()
    }
    splits = {split: _open_split(folder / f"{split}.arrow") for split in meta["splits"]}
    return EncodedDataset(name, splits, labels)


def _open_split(path: Path) -> EncodedSplit:
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    columns = {field: table.column(field).chunk(0) for field in table.column_names}
    return EncodedSplit(
        _from_list(columns.pop("token_ids")),
        _from_list(columns.pop("word_starts")),
        {
            field.removeprefix("label/"): _from_list(column)
            if pa.types.is_large_list(column.type)
            else column.to_numpy()
            for field, column in columns.items()
        },
    )


def _from_list(column: pa.Array) -> Ragged:
    return Ragged(column.values.to_numpy(), column.offsets.to_numpy())
