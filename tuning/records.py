"""What is known of one trial; tables, TensorBoard and reports show it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mtl_core.training.report import EpochReport

Value = str | int | float | bool | None
"""A sampled scalar."""

Status = Literal["running", "complete", "stopped", "failed", "interrupted"]
"""`stopped` = ended early by the scheduler; `complete` = ran all its epochs; `interrupted` = its
driver is gone, and the study goes on with it."""


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial of a study.

    Attributes:
        number: Position in the study, from 0; trial 0 is the study file's own recipe.
        status: Where the trial stands.
        parameters: Dotted key of `run` -> value in effect. A key of a section that this trial did
            not choose (conditional space) is absent.
        overrides: What replays the trial: dotted key -> value, sections as {"kind": ..., ...}.
        reports: One per epoch, oldest first.
        seconds: Wall time of its epochs.
        error: Last line of the traceback of a failed trial.
    """

    number: int
    status: Status
    parameters: dict[str, Value]
    overrides: dict[str, object]
    reports: tuple[EpochReport, ...] = ()
    seconds: float = 0.0
    error: str | None = None

    @property
    def id(self) -> str:
        """The name of the trial's folder, for instance "0007"."""
        return f"{self.number:04d}"

    @property
    def num_epochs(self) -> int:
        """Epochs that it has run."""
        return self.reports[-1].epoch if self.reports else 0

    @property
    def best(self) -> EpochReport | None:
        """The report with the highest `combined` dev score; the first one among equals."""
        return max(self.reports, key=lambda report: report.combined, default=None)


def rank(record: TrialRecord) -> tuple[bool, float, int]:
    """Returns a key that sorts trials, the best first, failed ones last, the earlier of equals."""
    score = record.best.combined if record.best is not None else math.nan
    is_failed = record.status == "failed"
    return is_failed, -score if math.isfinite(score) else math.inf, record.number


def keys_of_all(mappings: Iterable[Mapping[str, object]]) -> list[str]:
    """Returns the keys of all mappings, each once, in order of first appearance."""
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))
