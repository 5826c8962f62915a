"""Encoded splits as Arrow files, memory-mapped when they are opened: all processes share them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mtl_core.data.arrays import LabelArray, Ragged
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.encoded import EncodedSplit, TaskLabels
from mtl_core.data.source import Source


def write_split(folder: Path, name: str, split: EncodedSplit) -> None:
    """Writes `<name>.arrow`, and `<name>.questions.json` when rows are pieces of texts."""
    # Without `split.frozen`: the prefix cache keeps it, in files of its own.
    columns: dict[str, LabelArray | None] = {
        "token_ids": split.token_ids,
        "word_starts": split.word_starts,
        "word_ends": split.word_ends,
        "token_types": split.token_types,
        "features": split.features,
        **{f"label/{task}": values for task, values in split.labels.items()},
    }
    if (source := split.source) is not None:
        columns["question/of_row"] = source.of_row
        columns["question/char_starts"] = source.char_starts
        columns["question/char_ends"] = source.char_ends
        columns["question/shares"] = source.shares
        texts = {
            "contexts": list(source.texts),
            "answers": list(source.answers),
            "facts": list(source.facts),
        }
        said = json.dumps(texts, allow_nan=False)
        (folder / f"{name}.questions.json").write_text(said, encoding="utf-8")
    table = pa.table({key: _to_arrow(array) for key, array in columns.items() if array is not None})
    with pa.ipc.new_file(str(folder / f"{name}.arrow"), table.schema) as writer:
        writer.write_table(table)


def open_split(folder: Path, name: str, columns: Iterable[AnyColumn]) -> EncodedSplit:
    """Opens what `write_split` wrote; arrays are views of the mapped file.

    Args:
        folder: The folder that it was written into.
        name: The split.
        columns: The columns that it was encoded with.
    """
    table = pa.ipc.open_file(pa.memory_map(str(folder / f"{name}.arrow"))).read_all()
    # Each column comes back as the type it was written with. The table was written as one record
    # batch, so the first chunk of a column is all of it.
    arrays: dict[str, Any] = {
        field: _from_arrow(table.column(field).chunk(0)) for field in table.column_names
    }
    source = None
    if "question/of_row" in arrays:
        texts = json.loads((folder / f"{name}.questions.json").read_text(encoding="utf-8"))
        source = Source(
            arrays["question/of_row"],
            arrays["question/char_starts"],
            arrays["question/char_ends"],
            texts["contexts"],
            texts["answers"],
            arrays.get("question/shares"),
            texts["facts"],
        )
    return EncodedSplit(
        arrays["token_ids"],
        arrays["word_starts"],
        TaskLabels((column, arrays[f"label/{column.task_name}"]) for column in columns),
        word_ends=arrays.get("word_ends"),
        token_types=arrays.get("token_types"),
        features=arrays.get("features"),
        source=source,
    )


def _to_arrow(values: LabelArray) -> pa.Array:
    if isinstance(values, Ragged):
        # Of the two list types of Arrow the one with int64 offsets, so that nothing is converted.
        return pa.LargeListArray.from_arrays(values.offsets, values.values)
    if values.ndim == 1:
        return pa.array(values)
    flat = np.ascontiguousarray(values).ravel()  # (rows, width) -> (rows * width,)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), values.shape[1])


def _from_arrow(column: pa.Array) -> LabelArray:
    if pa.types.is_large_list(column.type):
        return Ragged(_view(column.values), _view(column.offsets))
    if pa.types.is_fixed_size_list(column.type):
        rows: LabelArray = _view(column.values).reshape(len(column), column.type.list_size)
        return rows
    numbers: LabelArray = _view(column)
    return numbers


def _view(column: pa.Array) -> Any:
    """Returns a read-only view of numbers; `to_numpy` gives the same, but imports pandas."""
    return np.from_dlpack(column)
