"""Converts the facts of a trial to the dicts that Ray Tune carries, and back.

No other file knows the keys of these dicts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtl_core.training.report import Report
from tuning.records import TakenOver, Value
from tuning.trainers.messages import PoolAddress, Reported, TrialSpec

METRIC = "combined"
"""The key of a Tune result that is maximised."""

TIME = "progress"
"""The key of a Tune result that says how far a trial is, in epochs and fractions of them."""

_VALUE = "trial"
"""The key under which the typed value stands, among those that Tune itself reads."""

# Tune copies and pickles configurations and results, and looks at the numbers among their values;
# anything else passes through it as it is.


@dataclass(frozen=True, slots=True)
class TrialConfig:
    """What Tune configures a trial with.

    Attributes:
        spec: What is trained.
        parameters: What was drawn: dotted key of `run` -> value.
        delivered: Reports that are known already, of a trial that goes on.
        pool: The pool that hands the trial to a trainer.
        taken_over: From which trials it took over a checkpoint.
    """

    spec: TrialSpec
    parameters: dict[str, Value]
    delivered: int
    pool: PoolAddress
    taken_over: tuple[TakenOver, ...] = ()

    def for_tune(self) -> dict[str, Any]:
        """Returns the `config` of a Tune trial."""
        return {_VALUE: self}

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "TrialConfig":
        """Reads what `for_tune` returned."""
        found: TrialConfig = config[_VALUE]
        return found


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a trial hands to Tune at a report.

    Attributes:
        report: The report.
        is_last: Whether it ran all its epochs.
    """

    report: Report
    is_last: bool

    @classmethod
    def of_message(cls, message: Reported) -> "TrialResult":
        """Returns what a trainer reported."""
        return cls(message.report, message.is_last)

    def for_tune(self) -> dict[str, Any]:
        """Returns the result as Tune, its schedulers and its stopping want it."""
        return {
            METRIC: self.report.combined,
            TIME: self.report.progress,
            "done": self.is_last,
            _VALUE: self,
        }

    @classmethod
    def of(cls, result: Mapping[str, Any] | None) -> "TrialResult | None":
        """Reads what `for_tune` returned; None where Tune has no report of the trial."""
        found = (result or {}).get(_VALUE)
        return found if isinstance(found, cls) else None


@dataclass(frozen=True, slots=True)
class TrialFailure:
    """What a trial that failed hands to Tune as its last result.

    Attributes:
        reason: The trainer's traceback, or a sentence.
    """

    reason: str

    def for_tune(self) -> dict[str, Any]:
        """Returns the result that ends a trial; Tune asks for a number in each."""
        return {METRIC: math.nan, "done": True, _VALUE: self}

    @classmethod
    def of(cls, result: Mapping[str, Any] | None) -> "TrialFailure | None":
        """Reads what `for_tune` returned; None of any other result."""
        found = (result or {}).get(_VALUE)
        return found if isinstance(found, cls) else None
