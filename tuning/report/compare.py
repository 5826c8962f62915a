"""Writes the page that compares studies, from their folders; imports neither Ray nor torch."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mtl_core.errors import ConfigError
from mtl_core.files import write_text
from tuning.report.comparable import Compared
from tuning.report.comparison import comparison_sections
from tuning.report.html.comparison import comparison_page
from tuning.report.reading import ReadStudy, read_whole
from tuning.report.render import text_of
from tuning.study.compared import side_of
from tuning.study.journal import read_order


def compare_studies(paths: Sequence[Path], output: Path) -> str:
    """Writes what compares studies, as a page or as Markdown; returns it as Markdown.

    Args:
        paths: Their folders.
        output: Where it is written: a page where the name ends in .html, Markdown where in .md.

    Raises:
        ConfigError: One is no study folder, a file in one is broken, all are the same, or it cannot
            be written.
        NotReadyError: No trial was begun in one.
    """
    # One that is given twice is compared once.
    found_at: dict[Path, Path] = {}
    for path in paths:
        found_at.setdefault(path.resolve(), path)
    paths = list(found_at.values())
    if len(paths) < 2:
        raise ConfigError(f"{paths[0]}: expected two studies or more to compare, found one alone")
    if output.suffix not in (".html", ".md"):
        raise ConfigError(f"--output: expected a name that ends in .html or .md, found '{output}'")
    found = [read_whole(path) for path in paths]
    names = Counter(one.summary.name for one in found)
    studies = [
        _compared(one, str(path) if names[one.summary.name] > 1 else one.summary.name)
        for one, path in zip(found, paths, strict=True)
    ]
    text = text_of(comparison_sections(studies))
    try:
        write_text(output, text if output.suffix == ".md" else comparison_page(studies))
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {error.strerror}") from error
    return text


def _compared(read: ReadStudy, name: str) -> Compared:
    inputs, order = read.folder.read_inputs() or {}, read_order(read.folder.journal)
    result, is_finished = read.summary.result, read.summary.unfinished is None
    best = side_of(read.folder, result, is_default=False) if is_finished else None
    return Compared(name, read.summary, read.status.state, inputs, order, best)
