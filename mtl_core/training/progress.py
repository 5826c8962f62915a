"""The progress of a run within an epoch, which the training loop tells between its reports."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

Phase = Literal["preparing", "training", "scoring"]
"""`preparing` = computing what frozen layers make of the data; `scoring` = evaluating on dev."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands; cheap to make, so that the loop can tell it after every step.

    Attributes:
        phase: What the run is doing.
        epoch: The epoch that it is in, from 1.
        epochs: Epochs of the whole run.
        step: Optimiser steps done of this epoch.
        steps: Optimiser steps of an epoch.
        sentences: Training sentences done of this epoch.
        seconds: What the training of this epoch took so far, evaluation left out.
        skipped: Steps of this epoch that an earlier process made: sentences and seconds are
            without them.
    """

    phase: Phase
    epoch: int
    epochs: int
    step: int
    steps: int
    sentences: int
    seconds: float
    skipped: int = 0

    @property
    def share(self) -> float:
        """The part of the whole run that is done, in [0, 1]."""
        return (self.epoch - 1 + self.step / self.steps) / self.epochs

    @property
    def sentences_per_second(self) -> float | None:
        """Training speed in this epoch; None before its first step."""
        return self.sentences / self.seconds if self._timed and self.seconds > 0 else None

    @property
    def epoch_seconds(self) -> float | None:
        """What the training of an epoch takes at this speed; None before its first step."""
        return self.seconds / self._timed * self.steps if self._timed else None

    @property
    def _timed(self) -> int:
        return self.step - self.skipped


Listener = Callable[[Progress], object]
"""Called by the loop with each `Progress`; it has to be quick, training waits for it."""


class EpochProgress:
    """Counts the steps of an epoch and tells a listener of each, when there is one.

    The order of calls: for each report of the epoch `train`, `step` after every step, `score`.
    """

    def __init__(
        self, listener: Listener | None, *, epoch: int, epochs: int, steps: int, skipped: int = 0
    ) -> None:
        """Begins with the phase `preparing`; see `Progress` for the arguments."""
        self._listener = listener
        self._now = Progress("preparing", epoch, epochs, skipped, steps, 0, 0.0, skipped)
        self._begin = 0.0
        self._tell()

    def train(self) -> None:
        """Starts the clock: the first step, or the first after a report, comes next."""
        # Hidden states may have been computed until now, which says nothing of the speed; nor does
        # the evaluation of a report.
        self._begin = time.perf_counter() - self._now.seconds
        self._now = replace(self._now, phase="training")
        self._tell()

    def step(self, sentences: int) -> None:
        """Counts a step on so many sentences."""
        now = self._now
        self._now = replace(
            now,
            step=now.step + 1,
            sentences=now.sentences + sentences,
            seconds=time.perf_counter() - self._begin,
        )
        self._tell()

    def score(self) -> None:
        """Tells that it is trained up to a report, and its evaluation begins."""
        self._now = replace(self._now, phase="scoring")
        self._tell()

    def _tell(self) -> None:
        if self._listener is not None:
            self._listener(self._now)
