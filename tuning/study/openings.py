"""When test was opened for trials beside the study's own final scores, kept in its folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtl_core.files import write_json
from mtl_core.scores import ScoreTree
from tuning.study.folder import StudyFolder


@dataclass(frozen=True, slots=True)
class Opening:
    """One time that trials were scored on test.

    Attributes:
        date: The day, as "2026-01-31".
        scores: Run id -> its scores, as `result.json` has them.
    """

    date: str
    scores: Mapping[str, ScoreTree]


def read_openings(folder: StudyFolder) -> tuple[Opening, ...]:
    """Returns the openings, the oldest first.

    Raises:
        LookupError, TypeError, ValueError: The file is broken.
    """
    if not folder.openings.is_file():
        return ()
    found: Sequence[Mapping[str, Any]] = json.loads(folder.openings.read_text(encoding="utf-8"))
    return tuple(Opening(str(one["date"]), dict(one["scores"])) for one in found)


def add_opening(folder: StudyFolder, opening: Opening) -> None:
    """Writes down an opening behind those before it.

    Raises:
        OSError: The folder cannot be written.
    """
    plain = [{"date": one.date, "scores": one.scores} for one in (*read_openings(folder), opening)]
    write_json(folder.openings, plain)
