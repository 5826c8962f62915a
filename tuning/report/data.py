"""The section "Data" of a report: rows, labels, lengths, and what a user should know of them."""

from collections.abc import Sequence

from mtl_core.data.notes import DataNote, Lengths, shortened
from mtl_core.markdown import code, plain
from tuning.report.markdown import table
from tuning.study.data_facts import DataFacts, SplitFacts, TaskFacts


def data_section(data: DataFacts) -> list[str]:
    """Returns the parts of the section: the notes, a row per split, a row per task."""
    return [
        _notes(data.notes),
        table(
            ["data set", "split", "rows", "with labels", "median", "95 %", "longest", "cut, %"],
            [_split_cells(split) for split in data.splits],
        ),
        "Lengths are in sub-words, of rows as the encoder takes them but before they are cut; a "
        "row that is cut loses what stands behind.",
        table(
            ["task", "kind", "rows of train", "labels", "most frequent", "not in train"],
            [_task_cells(task) for task in data.tasks],
        ),
    ]


def _notes(notes: Sequence[DataNote]) -> str:
    if not notes:
        return "Nothing stands out."
    return "\n".join(
        f"- {note.level}, {code(note.dataset)}{' ' * bool(note.split)}{note.split}: "
        f"{plain(note.text)}"
        for note in notes
    )


def _split_cells(facts: SplitFacts) -> list[str]:
    lengths = facts.lengths
    labelled = ", ".join(f"{code(task)} {count:,}" for task, count in facts.labelled.items())
    return [
        code(facts.dataset),
        facts.split,
        rows_of(lengths),
        labelled or "-",
        *(f"{length:,}" for length in (lengths.median, lengths.high, lengths.longest)),
        f"{100 * lengths.cut / lengths.rows:.1f}",
    ]


def rows_of(lengths: Lengths) -> str:
    """Returns how many texts a split has, and how many rows were made of them if not as many."""
    if lengths.rows == lengths.examples:
        return f"{lengths.rows:,}"
    return f"{lengths.examples:,} in {lengths.rows:,} pieces"


def _task_cells(facts: TaskFacts) -> list[str]:
    frequent = [f"{_name(name)} {count:,}" for name, count in facts.frequent.items()]
    unseen = [_name(name) for name in facts.unseen]
    if facts.num_unseen > len(unseen):
        unseen.append(f"and {facts.num_unseen - len(unseen):,} more")
    return [
        code(facts.task),
        plain(facts.kind),
        f"{facts.rows:,}",
        str(facts.labels or "-"),
        ", ".join(frequent) or "-",
        ", ".join(unseen) or "-",
    ]


def _name(name: str) -> str:
    return code(shortened(name))
