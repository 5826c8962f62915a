"""The format of MultiWOZ 2.1 and 2.2: task-oriented dialogues, or their single turns."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.labels import LabelSetColumn
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.columns.target import TargetColumn
from mtl_core.data.dialogue_facts import FACTS
from mtl_core.data.example import ColumnKind, Example, LabelValue
from mtl_core.data.formats.base import Columns, FilesBase, TextRowsSection, check_columns
from mtl_core.data.formats.json_files import find
from mtl_core.data.formats.multiwoz_databases import FILES, Databases, database_files
from mtl_core.data.formats.multiwoz_facts import facts_of
from mtl_core.data.formats.multiwoz_files import (
    Acts,
    Row,
    WozTurn,
    acts_beside,
    acts_for,
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

_NAME, _REPLIES, _ACTS, _SPANS = "dialogue", "replies", "acts", "spans"
_OFFERED: Mapping[str, Mapping[str, ColumnKind]] = {
    "dialogues": {
        _NAME: LabelColumn.kind, _REPLIES: TargetColumn.kind, FACTS: TargetColumn.kind,
    },
    "turns": {_NAME: LabelColumn.kind, _ACTS: LabelSetColumn.kind, _SPANS: TagsColumn.kind},
}  # fmt: skip
"""What the rows are -> their columns."""
_OF_ROWS = {
    "dialogues": ("delexicalised", "goals", "databases"),
    "turns": ("speaker", "history"),
}
"""What the rows are -> the settings that say something of these alone."""
_NOTHING = "-"
"""The history of a turn that has none: pairs of texts need a second one in every row."""


class MultiWoz(TextRowsSection, FilesBase):
    """Dialogues of MultiWOZ 2.1 (`data.json`, or JSON lines) or 2.2 (`dialogues_NNN.json`).

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
    databases: DataPath | None = None
    """Folder of the databases, four files such as `hotel_db.json` in `db/` of MultiWOZ, by which
    inform and success are scored."""
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
        lines = [
            f"{where}.{setting}: {path}: there is no such file"
            for setting, paths in self._other_files().items()
            for path in paths
            if not path.is_file()
        ]
        if lines:
            raise DataError(*lines)

    def fingerprint(self) -> str:
        """Returns a hash of the content of all files."""
        others = [path for paths in self._other_files().values() for path in paths]
        content = super().fingerprint() + hash_files(others)
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
            return self._dialogues(path, rows, acts, columns, notes)
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

    def _dialogues(
        self, path: Path, rows: Sequence[Row], acts: Acts, columns: Columns, notes: SplitNotes
    ) -> list[Example]:
        goals = {} if self.goals is None else read_object(self.goals)
        databases = self._read_databases(path, rows, goals) if FACTS in columns else None

        def make(row: Any, where: str) -> Example:
            example = dialogue_example(row, where, acts, delexicalised=self.delexicalised)
            found = dict(example.labels)
            goal = goal_of(row, goals)
            if databases is not None and goal is not None:
                found[FACTS] = facts_of(row, goal, acts, databases, where).to_json()
            kept = {column: value for column, value in found.items() if column in columns}
            return replace(example, labels=kept)

        return read_rows(rows, make, on_empty=self.on_empty, notes=notes)

    def _read_databases(
        self, path: Path, rows: Sequence[Row], goals: Mapping[str, Any]
    ) -> Databases:
        """Returns the databases, where dialogues are to be held against them.

        Raises:
            DataError: They are not given or cannot be read, or no dialogue has a goal.
        """
        if self.databases is None:
            raise DataError(
                f"{path}: inform and success need `databases: FOLDER`, with {FILES} as `db/` of "
                "MultiWOZ has them"
            )
        if all(goal_of(row, goals) is None for _, row in rows):
            raise DataError(
                f"{path}: inform and success need the goals of the dialogues, which have none; "
                "`goals: data.json` takes them from MultiWOZ 2.1"
            )
        return Databases.read(self.databases)

    def _other_files(self) -> dict[str, list[Path]]:
        """Returns setting -> the files that are read for it."""
        acts = [] if self.acts is None else [self.acts]
        if self.acts is None:
            paths = [path for split in self.splits.given() for path in self.splits.files(split)]
            acts = sorted({found for path in paths if (found := acts_beside(path)) is not None})
        databases = [] if self.databases is None else database_files(self.databases)
        return {
            "goals": [] if self.goals is None else [self.goals],
            "acts": acts,
            "databases": databases,
        }


def goal_of(row: Any, goals: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Returns what the user of a dialogue wants; None where it is not known.

    Args:
        row: The dialogue.
        goals: Dialogue -> its goal, or an object with the goal at `goal`; where it is missing, the
            dialogue may have it itself.
    """
    other = goals.get(name_of(row)) or goals.get(f"{name_of(row)}.json")
    goal = find(other, "goal") or other or find(row, "goal")
    return goal if isinstance(goal, Mapping) else None


def dialogue_example(row: Any, where: str, acts: Acts, *, delexicalised: bool) -> Example:
    """Returns a dialogue as an example: its turns as messages, those of the system as replies.

    Args:
        row: The dialogue.
        where: What errors begin with.
        acts: See `acts_for`.
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
    text = "\n".join(message.text for message in said)
    labels: dict[str, LabelValue] = {_NAME: name_of(row) or where, _REPLIES: replies}
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
