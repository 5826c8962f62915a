"""What the objective of a study is relative to: scores of its tasks alone, kept once measured.

Measured once: an objective that changed while a study goes on would compare trials that cannot be
compared.
"""

from collections.abc import Mapping

from mtl_core.files import write_json
from mtl_core.kept import read_kept
from tuning.study.folder import StudyFolder


def read_measured(folder: StudyFolder) -> Mapping[str, float]:
    """Returns task -> main score on dev of the task alone; {} before it was measured.

    Raises:
        BrokenError: The file is broken.
    """
    remedy = "put it back from a copy: what trials of the study reached is relative to these scores"
    return read_kept(folder.measured, dict[str, float], remedy=remedy) or {}


def write_measured(folder: StudyFolder, scores: Mapping[str, float]) -> None:
    """Keeps them."""
    write_json(folder.measured, scores)
