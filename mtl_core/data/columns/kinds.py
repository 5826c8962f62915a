"""The kinds of columns: a new one is its file and its word here."""

from typing import get_args

from mtl_core.data.columns.answers import AnswersColumn
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.labels import LabelSetColumn
from mtl_core.data.columns.number import NumberColumn
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.columns.target import TargetColumn
from mtl_core.data.columns.text import TextColumn

ColumnUnion = (
    LabelColumn
    | TagsColumn
    | LabelSetColumn
    | NumberColumn
    | AnswersColumn
    | TargetColumn
    | TextColumn
)

COLUMNS: dict[str, type[AnyColumn]] = {column.kind: column for column in get_args(ColumnUnion)}
"""Name of a kind, as readers state what their columns hold -> its class."""
