"""The format of MultiWOZ 2.1 and 2.2: task-oriented dialogues, or their single turns."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.labels import LabelSetColumn
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.columns.target import TargetColumn
from mtl_core.data.example import ColumnKind, Example, LabelValue
from mtl_core.data.formats.base import Columns, FilesBase, TextRowsSection, check_columns
from mtl_core.data.formats.json_files import find
from mtl_core.data.formats.multiwoz_files import (
    Acts,
    WozTurn,
    acts_beside,
    acts_for,
    facts_of,
    name_of,
    read_dialogues,
    read_object,
    speaker_of,
    text_of,
    turn_at,
)
from mtl_core.data.formats.rows import read_rows
from mtl_core.data.formats.text_files import cut_words
from mtl_core.data.messages import WRITES, Message
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError
from mtl_core.files import hash_files
from mtl_core.section import DataPath

_NAME, _REPLIES, _FACTS, _ACTS, _SPANS = "dialogue", "replies", "facts", "acts", "spans"
_OFFERED: Mapping[str, Mapping[str, ColumnKind]] = {
    "dialogues": {
        _NAME: LabelColumn.kind, _REPLIES: TargetColumn.kind, _FACTS: TargetColumn.kind,
    },
    "turns": {_NAME: LabelColumn.kind, _ACTS: LabelSetColumn.kind, _SPANS: TagsColumn.kind},
}  # fmt: skip
"""What the rows are -> their columns."""
_OF_ROWS = {"dialogues": ("delexicalised", "goals"), "turns": ("speaker", "history")}
"""What the rows are -> the settings that say something of these alone."""
_NOTHING = "-"
"""The history of a turn that has none: pairs of texts need a second one in every row."""


class MultiWoz(TextRowsSection, FilesBase):
    """Dialogues of MultiWOZ 2.1 (JSON lines) or 2.2 (`dialogues_NNN.json`, `dialog_acts.json`).

    Rows are `dialogues`, whose column is `replies` (what the system says), or `turns`, whose
    columns are `acts` (a set of labels such as Hotel-Inform) and `spans` (values of slots, as
    tags). A share of train that becomes dev or test is one of dialogues, the same for both.
    """

    kind: Literal["multiwoz"] = "multiwoz"
    group: str | None = "dialogue"
    """Column of what rows are pieces of: a share of train has whole dialogues."""
    rows: Literal["dialogues", "turns"] = "dialogues"
    """What a row is."""
    delexicalised: bool = True
    """Whether replies, in lower case, have [name], [phone] and the like in place of values."""
    goals: DataPath | None = None
    """JSON file {dialogue: goal}, such as `data.json` of 2.1; null = the dialogues have theirs."""
    speaker: Literal["user", "system", "both"] = "both"
    """Whose turns are rows."""
    history: int = Field(default=1, ge=0)
    """Turns before each turn that are its second text."""
    acts: DataPath | None = None
    """The file `dialog_acts.json` of 2.2; null = beside its dialogues, or a folder above."""

    @model_validator(mode="after")
    def _check_used(self) -> "MultiWoz":
        for rows, settings in _OF_ROWS.items():
            for setting in settings:
                # Against the default: a section that was written out has them all.
                is_given = getattr(self, setting) != type(self).model_fields[setting].default
                if self.rows != rows and is_given:
                    raise ValueError(f"{setting}: only rows: {rows} have a use for it")
        return self

    def check_files(self, where: str) -> None:
        """Refuses files that are not there; see `DatasetBase.check_files`."""
        super().check_files(where)
        for setting, path in (("goals", self.goals), ("acts", self.acts)):
            if path is not None and not path.is_file():
                raise DataError(f"{where}.{setting}: {path}: there is no such file")

    def fingerprint(self) -> str:
        """Returns a hash of the content of all files."""
        beside = sorted({*self._acts_files(), *([] if self.goals is None else [self.goals])})
        content = super().fingerprint() + hash_files(beside)
        return hashlib.sha256(content.encode()).hexdigest()

    def read_split(self, split: str, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads the files of a split; see `DatasetBase.read_split`."""
        rows = super().read_split(split, columns, notes)
        read_object.cache_clear()
        return rows

    def read_file(self, path: Path, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file; see `FilesBase.read_file`."""
        check_columns(f"{path}: rows: {self.rows}", columns, _OFFERED[self.rows])
        rows = read_dialogues(path)
        acts = acts_for(path, rows, self.acts)
        if self.rows == "dialogues":
            goals = {} if self.goals is None else read_object(self.goals)
            return read_rows(
                rows,
                lambda row, where: dialogue_example(
                    row, where, acts, goals, columns, delexicalised=self.delexicalised
                ),
                on_empty=self.on_empty,
                notes=notes,
            )
        turns = [
            (f"{where}: turns[{number}]", (row, number))
            for where, row in rows
            for number, turn in enumerate(row["turns"])
            if self.speaker in ("both", speaker_of(turn, where))
        ]
        return read_rows(
            turns,
            lambda one, where: turn_example(*one, where, acts, columns, history=self.history),
            on_empty=self.on_empty,
            notes=notes,
        )

    def _acts_files(self) -> list[Path]:
        """Returns the files that acts come from, where dialogues do not have them."""
        if self.acts is not None:
            return [self.acts]
        paths = [path for split in self.splits.given() for path in self.splits.files(split)]
        return [found for path in paths if (found := acts_beside(path)) is not None]


def dialogue_example(
    row: Any,
    where: str,
    acts: Acts,
    goals: Mapping[str, Any],
    columns: Columns,
    *,
    delexicalised: bool,
) -> Example:
    """Returns a dialogue as an example: its turns as messages, those of the system as replies.

    Args:
        row: The dialogue.
        where: What errors begin with.
        acts: See `acts_for`.
        goals: Dialogue -> its goal, or an object with the goal at `goal`; those that are missing
            stand in the dialogue itself.
        columns: The columns to read.
        delexicalised: Whether replies have placeholders in place of values.

    Raises:
        DataError: The dialogue cannot be read, or the system says nothing in it.
    """
    turns = (
        turn_at(row, number, acts, f"{where}: turns[{number}]")
        for number in range(len(row["turns"]))
    )
    said = tuple(_message(turn, delexicalised=delexicalised) for turn in turns)
    replies = tuple(message.text for message in said if message.role == WRITES)
    if not replies:
        raise DataError(f"{where}: expected turns of the system, found none")
    name = name_of(row) or where
    other = goals.get(name) or goals.get(f"{name}.json")
    facts = facts_of(row, find(other, "goal") or other or find(row, "goal"), acts, where)
    found: dict[str, LabelValue] = {_NAME: name, _REPLIES: replies}
    if facts is not None:
        found[_FACTS] = facts.to_json()
    labels = {column: value for column, value in found.items() if column in columns}
    text = "\n".join(message.text for message in said)
    return Example(cut_words(text, where), labels, text=text, messages=said)


def _message(turn: WozTurn, *, delexicalised: bool) -> Message:
    if turn.speaker == "user":
        return Message("user", turn.text)
    return Message(WRITES, delexicalise(turn) if delexicalised else turn.text)


def delexicalise(turn: WozTurn) -> str:
    """Returns what is said at a turn in lower case, with [slot] in place of each value."""
    text, place, parts = turn.text, 0, []
    for start, end, slot in turn.spans:
        parts += [text[place:start].lower(), f"[{slot}]"]
        place = end
    return "".join([*parts, text[place:].lower()])


def turn_example(
    row: Any, number: int, where: str, acts: Acts, columns: Columns, *, history: int
) -> Example:
    """Returns a turn as an example, with what was said before it as the second text.

    Args:
        row: The dialogue.
        number: The number of the turn.
        where: What errors begin with.
        acts: See `acts_for`.
        columns: The columns to read.
        history: Turns before it that the second text has.

    Raises:
        DataError: The turn cannot be read.
    """
    turn = turn_at(row, number, acts, where)
    before = [
        f"{speaker_of(one, where)}: {text_of(one, where)}"
        for one in row["turns"][max(0, number - history) : number]
    ]
    found: dict[str, LabelValue] = {_NAME: name_of(row) or where.partition(": turns[")[0]}
    if turn.acts:
        found[_ACTS] = turn.acts
    # What nobody has annotated has no spans either.
    spans = {_SPANS: turn.spans} if turn.acts and _SPANS in columns else {}
    return Example(
        cut_words(turn.text, where),
        {column: value for column, value in found.items() if column in columns},
        second="" if history == 0 else " ".join(before) or _NOTHING,
        text=turn.text,
        spans=spans,
    )
