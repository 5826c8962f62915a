"""Reading Parquet: typed cells, and the names behind class numbers that `datasets` writes."""

import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_core.data.formats.compressed import read_bytes
from mtl_core.data.formats.table_source import Row, TableSource
from mtl_core.errors import DataError
from mtl_core.reasons import reason_of

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile


def parquet_table(path: Path, used: Collection[str]) -> TableSource:
    """Opens a Parquet file; its rows are read as they are asked for.

    Args:
        path: The file.
        used: The columns whose cells are wanted.

    Raises:
        DataError: The file is missing, or is not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(read_bytes(path)))
        schema = file.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path}: not a Parquet file: {reason_of(error)}") from error
    wanted = [column for column in schema.names if column in used]
    names = {name: found for name in wanted if (found := _class_names(schema.metadata, name))}
    return TableSource(str(path), schema.names, _rows(path, file, wanted), names)


def _rows(path: Path, file: "ParquetFile", wanted: Sequence[str]) -> Iterator[tuple[str, Row]]:
    import pyarrow as pa

    number = 0
    try:
        # Only what is used is decoded: tables may hold pictures or sound beside the text.
        for batch in file.iter_batches(columns=wanted):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}: row {number}", row
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = reason_of(error)
        raise DataError(f"{path}: cannot read what follows row {number}: {reason}") from error


def _class_names(metadata: Mapping[bytes, bytes] | None, column: str) -> Sequence[str] | None:
    """Returns the names behind a column of class numbers (also in a list), else None.

    `datasets` keeps its features in the schema, as JSON under the key "huggingface".
    """
    try:
        features: Any = json.loads((metadata or {}).get(b"huggingface", b"{}"))
        feature = features["info"]["features"][column]
        feature = feature.get("feature", feature)
        return [str(name) for name in feature["names"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
