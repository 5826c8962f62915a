"""Notes on labels: made when all data sets of a task are known.

What one of them lacks another may have. They are counted from encoded labels, which takes
milliseconds, so they are not kept on disk.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.notes import DataNote, SplitNotes, by_importance, listed, percent
from mtl_core.data.store import EncodedDataset
from mtl_core.errors import DataError

_SMALL_DEV = 100
"""Scored rows of dev under which one row moves a score by more than a point."""


def with_label_notes(datasets: Mapping[str, EncodedDataset]) -> dict[str, EncodedDataset]:
    """Returns the data sets, whose labels are merged, with the notes on their labels."""
    found: dict[str, list[DataNote]] = {name: list(one.notes) for name, one in datasets.items()}
    for name, dataset in datasets.items():
        for split in dataset.splits:
            found[name] += [replace(note, dataset=name) for note in split_notes(dataset, split)]
    for task, carriers in _carriers(datasets).items():
        notes = SplitNotes("")
        _note_single(notes, task, carriers)
        _note_alike(notes, task, carriers[0].labels[task].all)
        _note_rare(notes, task, carriers[0].labels[task].frequencies)
        where = ", ".join(carrier.name for carrier in carriers)
        found[carriers[0].name] += [replace(note, dataset=where) for note in notes.found]
    for note in _small_dev(datasets):
        found[note.dataset.partition(", ")[0]].append(note)
    return {
        name: replace(dataset, notes=by_importance(found[name]))
        for name, dataset in datasets.items()
    }


def split_notes(dataset: EncodedDataset, split: str) -> list[DataNote]:
    """Returns the notes on the labels of one split: those that train lacks, rows without one."""
    notes = SplitNotes(split)
    for task in dataset.labels:
        _note_unseen(notes, dataset, task)
        _note_unlabelled(notes, dataset, task)
    return notes.found


def check_known_labels(datasets: Mapping[str, EncodedDataset], limited: Iterable[str]) -> None:
    """Refuses a dev split none of whose labels stands in train: whatever is learnt, it scores 0.

    Such a study would train for hours and choose among recipes by nothing. It is a mistake in the
    data (1.0 in one file and 1 in the other), so it is said before anything trains. A `limit` may
    leave so few rows of train that it is no mistake; the note on unseen labels tells of those.

    Args:
        datasets: The data sets, with merged labels.
        limited: Those that have a limit.

    Raises:
        DataError: Train has none of the labels of a task that dev has.
    """
    skipped = set(limited)
    for task, carriers in _carriers(datasets).items():
        labels, column = carriers[0].labels[task], _column(carriers[0], task)
        if not labels.unseen or any(carrier.name in skipped for carrier in carriers):
            continue
        in_dev = _names_in(carriers, task, "dev")
        if in_dev - column.blank and not in_dev & set(labels.trained) - column.blank:
            seen = [name for name in labels.trained if name not in column.blank]
            where = " and ".join(f"'{carrier.name}'" for carrier in carriers)
            raise DataError(
                f"data set {where}: task '{task}': train has none of the labels of dev, so every "
                f"score would be 0; dev has {listed(sorted(in_dev - column.blank))}, train has "
                f"{listed(seen) or 'none'}; `labels: {{map: ...}}` of a data set renames labels"
            )


def _note_unseen(notes: SplitNotes, dataset: EncodedDataset, task: str) -> None:
    labels, split = dataset.labels[task], dataset.splits[notes.split]
    count = _column(dataset, task).num_beyond(split.labels[task], len(labels.trained))
    # Ids from there on are those of labels that train lacks.
    if labels.unseen and count:
        rows = split.num_labelled(task)
        names = _names_in([dataset], task, notes.split) - set(labels.trained)
        notes.add(
            "unseen",
            f"task '{task}': {count:,} of {rows:,} rows ({percent(count, rows)}) have a label that "
            f"train lacks, and count as wrong: {listed(sorted(names))}",
            level="serious" if 2 * count > rows else "warning",
            task=task,
            count=count,
            of=rows,
        )


def _note_unlabelled(notes: SplitNotes, dataset: EncodedDataset, task: str) -> None:
    split = dataset.splits[notes.split]
    rows = len(split)
    missing = rows - split.num_labelled(task)
    if 2 * missing >= rows:
        notes.add(
            "unlabelled",
            f"task '{task}': {missing:,} of {rows:,} rows ({percent(missing, rows)}) have no label",
            task=task,
            count=missing,
            of=rows,
        )


def _note_single(notes: SplitNotes, task: str, carriers: Sequence[EncodedDataset]) -> None:
    column = _column(carriers[0], task)
    if not column.is_read:
        return
    if column.is_per_word or column.is_group:
        names = [name for name, count in carriers[0].labels[task].frequencies.items() if count]
        is_single, which = len(names) == 1, f", {listed(names)}"
    else:
        golds = (gold for carrier in carriers for gold in carrier.splits["train"].gold(task))
        is_single, which = len({gold.tobytes() for gold in golds if len(gold)}) == 1, ""
    if is_single:
        notes.add(
            "single",
            f"task '{task}': all of train has the same label{which}; there is nothing to learn",
            level="serious",
            task=task,
        )


def _note_alike(notes: SplitNotes, task: str, names: Sequence[str]) -> None:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[_folded(name)].append(name)
    alike = [group for group in groups.values() if len(group) > 1]
    if alike:
        shown = "; ".join(listed(group) for group in alike[:3])
        more = f"; and {len(alike) - 3:,} more" if len(alike) > 3 else ""
        notes.add(
            "alike",
            f"task '{task}': labels that differ only in how they are written count as different "
            f"ones: {shown}{more}; `labels:` of the data set joins them",
            task=task,
            count=sum(map(len, alike)),
            of=len(names),
        )


def _note_rare(notes: SplitNotes, task: str, frequencies: Mapping[str, int]) -> None:
    once = [name for name, count in frequencies.items() if count == 1]
    if once and len(frequencies) > 1:
        verb = "stands" if len(once) == 1 else "stand"
        notes.add(
            "once",
            f"task '{task}': {len(once):,} of {len(frequencies):,} labels {verb} once in train: "
            f"{listed(once)}",
            level="hint",
            task=task,
            count=len(once),
            of=len(frequencies),
        )


def _small_dev(datasets: Mapping[str, EncodedDataset]) -> Iterable[DataNote]:
    """Yields a note for each number of scored rows of dev that is small; tasks share it."""
    tasks: dict[tuple[str, int], list[str]] = defaultdict(list)
    for task, carriers in _carriers(datasets).items():
        rows = sum(carrier.splits["dev"].num_scored(task) for carrier in carriers)
        tasks[", ".join(carrier.name for carrier in carriers), rows].append(task)
    for (where, rows), names in tasks.items():
        if rows < _SMALL_DEV:
            of = f"task {listed(names)}: " if len(tasks) > 1 else ""
            text = f"{of}{rows:,} rows, so that one row is {100 / rows:.1f} points of a score"
            yield DataNote(split="dev", topic="small", text=text, level="hint", dataset=where,
                           count=rows)  # fmt: skip


def _carriers(datasets: Mapping[str, EncodedDataset]) -> dict[str, list[EncodedDataset]]:
    found: dict[str, list[EncodedDataset]] = defaultdict(list)
    for dataset in datasets.values():
        for task in dataset.labels:
            found[task].append(dataset)
    return found


def _column(dataset: EncodedDataset, task: str) -> AnyColumn:
    return next(iter(dataset.splits.values())).labels.columns[task]


def _names_in(carriers: Sequence[EncodedDataset], task: str, split: str) -> set[str]:
    """Returns the labels that a split of the data sets has."""
    names = carriers[0].labels[task].all
    counts = sum(
        _column(carrier, task).count_ids(carrier.splits[split].labels[task], len(names))
        for carrier in carriers
    )
    return {names[number] for number in np.flatnonzero(counts)}


def _folded(name: str) -> str:
    """Returns what labels have in common that differ only in how they are written."""
    text = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    # 1 and 1.0 are one number, as a table and its copy by pandas write it; 01 may be a code.
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text)
