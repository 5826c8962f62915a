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
    """Writes a page that compares studies; returns what it says as Markdown.

    Args:
        paths: Their folders.
        output: Where the page is written.

    Raises:
        ConfigError: One is no study folder, a file in one is broken, or the page cannot be written.
        NotReadyError: No trial was begun in one.
    """
    # One that is given twice is compared once.
    paths = list({path.resolve(): path for path in paths}.values())
    found = [read_whole(path) for path in paths]
    names = Counter(one.summary.name for one in found)
    studies = [
        _compared(one, str(path) if names[one.summary.name] > 1 else one.summary.name)
        for one, path in zip(found, paths, strict=True)
    ]
    try:
        write_text(output, comparison_page(studies))
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {error.strerror}") from error
    return text_of(comparison_sections(studies))


def _compared(read: ReadStudy, name: str) -> Compared:
    inputs, order = read.folder.read_inputs() or {}, read_order(read.folder.journal)
    result, is_finished = read.summary.result, read.summary.unfinished is None
    best = side_of(read.folder, result, is_default=False) if is_finished else None
    return Compared(name, read.summary, read.status.state, inputs, order, best)
