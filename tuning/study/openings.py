"""When test was opened: for what a study chose, and for trials beside that."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import Field

from mtl_core.files import write_json
from mtl_core.kept import read_kept
from mtl_core.number_types import KEPT
from mtl_core.scores import ScoreTree
from tuning.study.folder import StudyFolder

Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
"""A day, as "2026-01-31"."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One time that test was opened for what dev had chosen.

    Attributes:
        date: The day.
        chosen: Id of the recipe that is the best on dev.
        scored: Ids of the runs that were to be scored.
    """

    __pydantic_config__ = KEPT

    date: Day
    chosen: str
    scored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """One time that trials were scored on test.

    Attributes:
        date: The day.
        scores: Run id -> its scores, as `result.json` has them.
    """

    __pydantic_config__ = KEPT

    date: Day
    scores: Mapping[str, ScoreTree]


def read_openings(folder: StudyFolder) -> tuple[Opening, ...]:
    """Returns the openings, the oldest first.

    Raises:
        BrokenError: The file is broken.
    """
    remedy = (
        "it keeps when test was opened: put it back from a copy, or remove it and keep in mind "
        "that the report says nothing of it any more"
    )
    return read_kept(folder.openings, tuple[Opening, ...], remedy=remedy) or ()


def add_opening(folder: StudyFolder, opening: Opening) -> None:
    """Writes down an opening behind those before it.

    Raises:
        OSError: The folder cannot be written.
    """
    write_json(folder.openings, [asdict(one) for one in (*read_openings(folder), opening)])
