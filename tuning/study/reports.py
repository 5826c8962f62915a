"""The reports of a trial as `reports.jsonl` holds them: a line for each, in their order."""

import math
from pathlib import Path

from mtl_core.kept import BrokenError, as_kept, read_bytes
from mtl_core.training.report import Report

REMEDY = (
    "put it back from a copy, or remove it: the scores of a trial that has ended are then those of "
    "optuna.journal, and one that has not ended reports again"
)
"""What to do about a broken file."""
_REPORT = b'{"epoch"'
"""How a line begins. It stands nowhere else in one: in a text its quotes would be escaped."""


def read_reports(path: Path) -> tuple[Report, ...]:
    """Returns the reports of a file, without a last one that a killed driver left unfinished.

    Raises:
        BrokenError: The file cannot be read, or a line of it is not the report of its number.
    """
    *lines, end = (read_bytes(path, remedy=REMEDY) or b"").split(b"\n")
    if end.count(_REPORT) > 1:
        raise BrokenError(
            f"{path}:{len(lines) + 1}: a file of the study is broken: reports without line ends; "
            f"{REMEDY}"
        )
    reports = []
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        report = as_kept(line, Report, where=where, remedy=REMEDY)
        if wrong := _wrong(report, number):
            raise BrokenError(f"{where}: a file of the study is broken: {wrong}; {REMEDY}")
        reports.append(report)
    return tuple(reports)


def whole_lines(path: Path) -> str:
    """Returns the content up to its last line break: what a driver had finished writing."""
    content = path.read_text(encoding="utf-8")
    return content[: content.rfind("\n") + 1]


def _wrong(report: Report, number: int) -> str:
    """Returns what cannot be in the report of a number, or ""."""
    if report.number != number:
        return f"expected report {number}, found report {report.number}"
    if not report.epoch - 1 < report.progress <= report.epoch:
        return f"progress: {report.progress} does not lie in epoch {report.epoch}"
    if report.best_number > report.number:
        return f"best_number: {report.best_number} was not made yet"
    # A number that is none is never greater, and takes its place only as long as there is no other.
    combined, best = report.combined, report.best_combined
    is_other = combined != best and not (math.isnan(combined) and math.isnan(best))
    if is_other and (report.number == report.best_number or combined > best):
        return f"combined: {combined} does not go with {best}, the best so far"
    return ""
