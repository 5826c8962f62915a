"""Splits: reads each from where it comes, filters rows, cuts dev and test off train, limits."""

from collections.abc import Callable, Collection, Mapping, MutableSequence, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mtl_core.data.columns.cells import whole_number
from mtl_core.data.columns.kinds import COLUMNS
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.example import Example, LabelValue
from mtl_core.data.formats.base import Columns, DatasetBase, Limits, SplitName
from mtl_core.data.formats.label_rules import LabelRules
from mtl_core.data.notes import DataNote, SplitNotes
from mtl_core.errors import DataError, did_you_mean

_ORDER: tuple[SplitName, ...] = ("train", "dev", "test")
Splits = dict[str, list[Example]]
"""Split name -> its examples; `train` and `dev` are always there, `test` may be missing."""


def read_splits(
    section: DatasetBase, columns: Columns, notes: MutableSequence[DataNote] | None = None
) -> Splits:
    """Reads all splits of a data set: filters their rows, cuts dev and test off train, limits.

    Cuts and limits are stratified by the first column that holds one label per row: each label
    keeps its share.

    Args:
        section: The data set.
        columns: The columns to read.
        notes: What readers have to say is added here; None = nobody listens.

    Raises:
        DataError: A file cannot be used, or a column is not there or does not fit.
    """
    wanted = _with_group(section, _with_filters(section, columns))
    stratum = next((column for column, kind in columns.items() if COLUMNS[kind].is_group), None)
    found: Splits = {}
    for split in section.splits.given():
        said = SplitNotes(split)
        found[split] = section.read_split(split, wanted, said)
        if notes is not None:
            notes.extend(said.found)
    _check_filters(section.where, found)
    found = {split: _filtered(rows, section.where) for split, rows in found.items()}
    _check_features(found)
    _rename(section.labels, columns, found)
    # Filter, cut, limit, in this order: a cut counts the rows that are left, and the same rows are
    # dev and test whatever the limit of train.
    fractions = section.splits.fractions()
    found |= _cut(found["train"], fractions, stratum, section.split_seed, section.group)
    looked_at = wanted.keys() - columns.keys()
    splits: Splits = {}
    for split in (name for name in _ORDER if name in found):
        rows, most = found[split], _limit(section, split)
        if most is not None and most < len(rows):
            rows = _cut(rows, {"kept": most / len(rows)}, stratum, section.split_seed)["kept"]
        splits[split] = [_without(row, looked_at) for row in rows] if looked_at else list(rows)
    return splits


def read_file(
    section: DatasetBase, columns: Columns, path: Path, *, split: SplitName
) -> list[Example]:
    """Reads another file as a split of a data set: by its settings, filters included, whole.

    Raises:
        DataError: The format has no files, the file cannot be used, or it lacks a column.
    """
    other = section.on_file(path, split)
    rows = other.read_split(split, _with_filters(other, columns), SplitNotes(split))
    rows = _filtered(rows, other.where)
    _rename_rows(section.labels.apply, columns, rows)
    return [_without(row, section.where.keys() - columns.keys()) for row in rows]


def cut_rows(
    strata: Sequence[str], fractions: Mapping[str, float], *, seed: int
) -> dict[str, list[int]]:
    """Cuts rows into `train` and others.

    Args:
        strata: The stratum of each row; each gives its share to every split, up to rounding.
        fractions: Split -> share of all rows.
        seed: Seed of the choice.

    Returns:
        Split -> row numbers in ascending order; every row is in exactly one split.
    """
    shuffled = np.random.default_rng(seed).permutation(len(strata))
    # Rows of a stratum stand together; every 1/f-th row then takes f of each. The sort is stable,
    # so that within a stratum the order stays random.
    left = sorted(shuffled.tolist(), key=lambda row: strata[row])
    whole = len(left)
    parts: dict[str, list[int]] = {}
    for split, fraction in fractions.items():
        # Fractions are of all rows, and `left` are those that earlier splits have not taken.
        share = fraction * whole / max(1, len(left))
        # A row is cut where floor(k * share) rises; 1e-9 lifts products that rounding has left
        # just below a whole number.
        is_cut = np.diff(np.floor(np.arange(len(left) + 1) * share + 1e-9)) > 0
        parts[split] = sorted(row for row, cut in zip(left, is_cut, strict=True) if cut)
        left = [row for row, cut in zip(left, is_cut, strict=True) if not cut]
    return {"train": sorted(left), **parts}


def _with_filters(section: DatasetBase, columns: Columns) -> Columns:
    """Returns the columns with those that only filters look at, and that are taken out again."""
    wanted = dict(columns)
    for column in section.where:
        if not COLUMNS[wanted.setdefault(column, LabelColumn.kind)].is_filter:
            raise DataError(f"where: column '{column}' does not hold one label per row")
    return wanted


def _with_group(section: DatasetBase, columns: Columns) -> Columns:
    """Returns the columns with that of the groups which cuts keep whole, where something is cut."""
    if section.group is None or not section.splits.fractions():
        return columns
    return {section.group: LabelColumn.kind, **columns}


def _check_filters(where: Mapping[str, str | tuple[str, ...]], splits: Splits) -> None:
    """Refuses filters for a value that no row has: it is misspelt, and would drop rows silently."""
    for column, given in where.items():
        found = {row.labels.get(column) for rows in splits.values() for row in rows}
        known = sorted(str(value) for value in found - {None})
        for value in (given,) if isinstance(given, str) else given:
            if value not in known and whole_number(value) not in known:
                shown = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
                raise DataError(
                    f"where: no row has '{value}' in column '{column}'; found {shown or 'nothing'}."
                    f"{did_you_mean(value, known)}"
                )


def _filtered(rows: Sequence[Example], where: Mapping[str, str | tuple[str, ...]]) -> list[Example]:
    return [row for row in rows if _is_kept(row, where)]


def _check_features(splits: Splits) -> None:
    """Refuses rows whose number of features is not that of the first row of all files.

    Raises:
        DataError: There are such rows.
    """
    wanted = next((len(row.features) for rows in splits.values() for row in rows), 0)
    for split, rows in splits.items():
        for row in rows:
            if len(row.features) != wanted:
                raise DataError(
                    f"features: expected {wanted} numbers in every row, as in the first one of "
                    f"{next(iter(splits))}, found a row of {split} with {len(row.features)}"
                )


def _rename(rules: LabelRules, columns: Columns, splits: Splits) -> None:
    """Gives the labels of all rows the names that the rules make of them.

    Raises:
        DataError: The rules name a label that no row has, or there are no labels.
    """
    if rules == LabelRules():
        return
    found: set[str] = set()

    def rename(label: str) -> str:
        found.add(label)
        return rules.apply(label)

    for rows in splits.values():
        _rename_rows(rename, columns, rows)
    if not found:
        raise DataError("labels: no task on this data set has labels with names to change")
    if unused := rules.unused(found):
        known = sorted({rules.clean(label) for label in found})
        shown = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        raise DataError(
            f"labels.map: no row has the label '{unused[0]}'; labels found: {shown}."
            f"{did_you_mean(unused[0], known)}"
        )


def _rename_rows(
    rename: Callable[[str], str], columns: Columns, rows: MutableSequence[Example]
) -> None:
    for number, row in enumerate(rows):
        renamed = {
            column: COLUMNS[columns[column]].rename(value, rename) if column in columns else value
            for column, value in row.labels.items()
        }
        spans = {
            column: tuple(span._replace(label=rename(span.label)) for span in found)
            for column, found in row.spans.items()
        }
        rows[number] = replace(row, labels=renamed, spans=spans)


def _cut(
    rows: Sequence[Example],
    fractions: Mapping[str, float],
    stratum: str | None,
    seed: int,
    group: str | None = None,
) -> dict[str, list[Example]]:
    # Groups stay whole. Data sets with the same groups are cut alike, whatever their rows are.
    units: dict[LabelValue | int, list[Example]] = {}
    for number, row in enumerate(rows):
        units.setdefault(row.labels.get(group, number) if group else number, []).append(row)
    whole = list(units.values())
    strata = [str(unit[0].labels.get(stratum, "")) if stratum else "" for unit in whole]
    cut = cut_rows(strata, fractions, seed=seed)
    return {split: [row for unit in numbers for row in whole[unit]]
            for split, numbers in cut.items()}  # fmt: skip


def _is_kept(row: Example, where: Mapping[str, str | tuple[str, ...]]) -> bool:
    # A row that lacks the column has None there, which no filter allows. CSV has 1 for 1.0.
    return all(
        row.labels.get(column) in {*allowed, *map(whole_number, allowed)}
        for column, found in where.items()
        for allowed in ((found,) if isinstance(found, str) else found,)
    )


def _without(row: Example, columns: Collection[str]) -> Example:
    labels = {name: value for name, value in row.labels.items() if name not in columns}
    return replace(row, labels=labels)


def _limit(section: DatasetBase, split: SplitName) -> int | None:
    limit = section.limit
    return getattr(limit, split) if isinstance(limit, Limits) else limit
