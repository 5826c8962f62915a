"""What tasks gain by being trained together: each beside the same task alone, as kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mtl_core.number_types import KEPT
from tuning.statistics.estimates import Difference, Estimate

Verdict = Literal["gained", "lost", "cannot be told"]
"""What a task has of being trained together with the others."""

_VERDICTS: Mapping[str, Verdict] = {"better": "gained", "worse": "lost"}


@dataclass(frozen=True, slots=True)
class Sides:
    """A score of a task alone and of the same task in the study, over their runs."""

    __pydantic_config__ = KEPT

    alone: Estimate
    together: Estimate


@dataclass(frozen=True, slots=True)
class Baseline:
    """A task alone, beside the same task in the study.

    Attributes:
        folder: The folder of its study, below the storage: "alone/intent-0123456789ab".
        trial: Id of its recipe there; None where no trial reached a score.
        together: Id of the recipe of the study that it is compared with.
        score: Flat name of the task's main score, "intent/accuracy" for instance; None likewise.
        dev: That score on dev.
        test: The same on test, or on the rows of test that do not stand in train; None where it
            was not scored on it.
        difference: Together minus alone, on test; None where it cannot be judged.
        verdict: What that says of the task.
    """

    __pydantic_config__ = KEPT

    folder: str
    trial: str | None = None
    together: str | None = None
    score: str | None = None
    dev: Sides | None = None
    test: Sides | None = None
    difference: Difference | None = None
    verdict: Verdict = "cannot be told"


Baselines = Mapping[str, Baseline]
"""Task -> the task alone, of each task that counts."""


def verdict_of(difference: Difference | None) -> Verdict:
    """Returns what a difference on test, together minus alone, says of a task."""
    return _VERDICTS.get(difference.claim if difference is not None else "", "cannot be told")


def differences_of(baselines: Baselines | None) -> dict[str, Difference]:
    """Returns task -> together minus alone, of those where it can be judged."""
    found = {task: one.difference for task, one in (baselines or {}).items()}
    return {task: difference for task, difference in found.items() if difference is not None}
