"""Samples of what a saved model writes, beside what is right; kept in its folder for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from mtl_core.files import write_json
from mtl_core.kept import read_kept
from mtl_core.markdown import code
from mtl_core.model_folder import SAMPLES
from mtl_core.number_types import KEPT
from mtl_core.printable import shortened

_LONGEST = 400
"""Characters of a text that are shown; of a source its end counts as much as its beginning."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A text that a model wrote.

    Attributes:
        source: What it read.
        written: What it wrote.
        gold: What is right.
    """

    __pydantic_config__ = KEPT

    source: str
    written: str
    gold: str


Samples = Mapping[str, tuple[Sample, ...]]
"""Task name -> samples of it; tasks that do not write are missing."""

NO_SAMPLES: Samples = MappingProxyType({})
"""Of a model that does not write."""


def samples_table(samples: Sequence[Sample]) -> str:
    """Returns samples as a table in Markdown, a row for each."""
    rows = [(one.written, one.gold, one.source) for one in samples]
    cells = [[_cell(text) for text in row] for row in rows]
    lines = [["written", "right", "read"], ["---"] * 3, *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    # A bar would end a cell even inside of code.
    return code(shortened(text, _LONGEST)).replace("|", r"\|")


def write_samples(folder: Path, samples: Samples) -> None:
    """Writes the file of a model folder; of a model that does not write there is none."""
    if samples:
        plain = {task: [asdict(one) for one in found] for task, found in samples.items()}
        write_json(folder / SAMPLES, plain)


def read_samples(folder: Path) -> Samples:
    """Returns the samples of a model; {} where it has none.

    Raises:
        BrokenError: The file is broken.
    """
    remedy = "it holds samples for people alone: remove it, and the report has none"
    return read_kept(folder / SAMPLES, dict[str, tuple[Sample, ...]], remedy=remedy) or {}
