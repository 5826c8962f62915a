"""The column of tasks that write: a text per row, or the replies of a dialogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from mtl_core.data.arrays import NO_LABEL, BoolArray, Int64Array, Ragged
from mtl_core.data.columns.base import Column, Gold
from mtl_core.data.columns.cells import Cell, short_of
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.example import ColumnKind, Example
from mtl_core.data.messages import WRITES, messages_in
from mtl_core.data.notes import SplitNotes, percent
from mtl_core.data.source import Source
from mtl_core.errors import DataError


@dataclass(frozen=True, slots=True)
class TargetColumn(Column[NoLabels, Ragged]):
    """Texts to write, as token ids, `Ragged`; `NO_LABEL` where nothing is learnt.

    Only a layout can make the ids, as it has the tokenizer. Where source and targets stand in one
    row, each of its labels belongs to the token at the same place; see `Writer.reads_targets`.

    Attributes:
        sources: Other columns that are read: those that the prompt is made of, beside those of the
            text, and what scores know of a row.
        longest: Sub-words that a text is cut at; 0 = none is.
    """

    sources: tuple[str, ...] = ()
    longest: int = 0

    kind: ClassVar = "target"
    holds: ClassVar = "a text, or a dialogue"
    label_type: ClassVar = NoLabels
    # Texts are nearly all different: they can be filtered by, and make no groups.
    is_filter: ClassVar = True
    takes_features: ClassVar = False

    @property
    def reads(self) -> Mapping[str, ColumnKind]:
        """The columns of a file that it is read from; none where the text itself is written."""
        return dict.fromkeys([self.column, *self.sources], self.kind) if self.column else {}

    @classmethod
    def from_cell(cls, cell: Cell) -> str | tuple[str, ...]:
        """Returns a text as it stands; of a dialogue the turns that a model writes.

        Raises:
            DataError: It is a list or an object and no dialogue, or a dialogue without such turns.
        """
        turns = messages_in(cell.value, cell.where)
        if turns is None and isinstance(cell.value, list | tuple | dict):
            raise DataError(
                f"{cell.where}: expected a text, or a dialogue as a list of objects with role and "
                f"content; found {short_of(cell.value)}"
            )
        if turns is None:
            return cell.value if isinstance(cell.value, str) else cell.label(cell.value)
        found = tuple(turn.text for turn in turns if turn.role == WRITES)
        if not found:
            roles = ", ".join(dict.fromkeys(turn.role for turn in turns))
            raise DataError(
                f"{cell.where}: expected a dialogue with turns of the role {WRITES}, which are "
                f"what is learnt; found {roles}"
            )
        return found

    def collect(self, splits: Mapping[str, Sequence[Example]], *, where: str) -> NoLabels:
        """Returns no labels: texts are not numbered."""
        if self.column:
            self.check_labelled(splits, where)
        return NoLabels()

    def encode(
        self, examples: Sequence[Example], labels: NoLabels, source: Source | None
    ) -> Ragged:
        """Returns rows without anything to write: the layout has the token ids."""
        return Ragged.from_rows([[NO_LABEL]] * (len(examples) if source is None else len(source)))

    def renumber(self, values: Ragged, old: NoLabels, new: NoLabels) -> Ragged:
        """Returns the token ids as they are."""
        return values

    def pad(self, values: Ragged, rows: Int64Array, is_word: BoolArray) -> Int64Array:
        """Returns the labels of a batch, (batch, longest)."""
        return values.padded(rows, NO_LABEL)[0]

    def missing(self, labels: Tensor) -> Tensor:
        """Returns `NO_LABEL` everywhere."""
        return torch.full_like(labels, NO_LABEL)

    def count(self, values: Ragged, word_starts: Ragged) -> Int64Array:
        """Returns 1 for every row with something to write, else 0, (rows,).

        The loss of a row is the mean over its tokens: so each weighs the same, however long.
        """
        return (np.diff(_totals(values)[values.offsets]) > 0).astype(np.int64)

    def num_labelled(self, values: Ragged) -> int:
        """Returns the number of rows with something to write."""
        return int(self.count(values, values).sum())

    def num_scored(self, values: Ragged, source: Source | None) -> int:
        """Returns the number of texts to write, of which a dialogue has several."""
        return len(run_lengths(values))

    def gold(self, values: Ragged) -> list[Gold]:
        """Returns the token ids to write of every row, all its texts together, int64."""
        rows = (values.row(number) for number in range(len(values)))
        return [np.array(row[row != NO_LABEL], dtype=np.int64) for row in rows]

    def texts(self, example: Example) -> Sequence[str]:
        """Returns the text to write, or the replies of a dialogue."""
        found = self.value(example) if self.column else None
        return (found,) if isinstance(found, str) else found or ()  # type: ignore[return-value]

    def inspect(self, values: Ragged, labels: NoLabels, notes: SplitNotes) -> None:
        """Notes rows without a text, where they are fewer than half, and texts that are cut."""
        whole, missing = len(values), len(values) - self.num_labelled(values)
        if 0 < 2 * missing < whole:
            notes.add(
                "empty_target",
                f"task '{self.task_name}': {missing:,} of {whole:,} rows "
                f"({percent(missing, whole)}) have no text to write; they are neither learnt nor "
                "scored",
                task=self.task_name,
                count=missing,
                of=whole,
            )
        lengths = run_lengths(values)
        cut = int((lengths >= self.longest).sum()) if self.longest else 0
        if cut:
            notes.add(
                "cut_target",
                f"task '{self.task_name}': {cut:,} of {len(lengths):,} texts to write "
                f"({percent(cut, len(lengths))}) reach {self.longest} sub-words, where longer ones "
                f"are cut (run.tasks.{self.task_name}.target_length)",
                task=self.task_name,
                count=cut,
                of=len(lengths),
            )


def run_lengths(values: Ragged) -> Int64Array:
    """Returns the sub-words of each text to write, (texts,): runs of what is not `NO_LABEL`."""
    is_target = values.values != NO_LABEL
    is_first = is_target.copy()
    is_first[1:] &= ~is_target[:-1]
    # A run ends with its row, even where the next row begins with one.
    begins = values.offsets[:-1][values.lengths() > 0]
    is_first[begins] = is_target[begins]
    run = np.cumsum(is_first)[is_target] - 1  # of each target sub-word the number of its run
    return np.bincount(run, minlength=int(is_first.sum())).astype(np.int64)


def _totals(values: Ragged) -> Int64Array:
    """Returns how many targets stand before each place, and in all, (items + 1,)."""
    return np.concatenate([[0], np.cumsum(values.values != NO_LABEL)]).astype(np.int64)
