"""The progress of a run within an epoch, which the training loop tells between its reports."""

import time
from collections.abc import Callable
from dataclasses import dataclass
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
        seconds: Since the first step of this epoch began; evaluation is not part of it.
    """

    phase: Phase
    epoch: int
    epochs: int
    step: int
    steps: int
    sentences: int
    seconds: float

    @property
    def share(self) -> float:
        """The part of the whole run that is done, in [0, 1]."""
        return (self.epoch - 1 + self.step / self.steps) / self.epochs

    @property
    def sentences_per_second(self) -> float | None:
        """Training speed in this epoch; None before its first step."""
        return self.sentences / self.seconds if self.step and self.seconds > 0 else None

    @property
    def epoch_seconds(self) -> float | None:
        """What the training of an epoch takes at this speed; None before its first step."""
        return self.seconds / self.step * self.steps if self.step else None


Listener = Callable[[Progress], object]
"""Called by the loop with each `Progress`; it has to be quick, training waits for it."""


class EpochProgress:
    """Counts the steps of an epoch and tells a listener of each, when there is one.

    The order of calls: `train`, `step` after every step, `score`.
    """

    def __init__(self, listener: Listener | None, *, epoch: int, epochs: int, steps: int) -> None:
        """Begins with the phase `preparing`; see `Progress` for the arguments."""
        self._listener = listener
        self._epoch, self._epochs, self._steps = epoch, epochs, steps
        self._step = self._sentences = 0
        self._begin = time.perf_counter()
        self._tell("preparing")

    def train(self) -> None:
        """Starts the clock: the first step comes next."""
        # Anew: hidden states may have been computed until now, which says nothing of the speed.
        self._begin = time.perf_counter()
        self._tell("training")

    def step(self, sentences: int) -> None:
        """Counts a step on so many sentences."""
        self._step += 1
        self._sentences += sentences
        self._tell("training")

    def score(self) -> None:
        """Tells that the training of this epoch is over and its evaluation begins."""
        self._tell("scoring")

    def _tell(self, phase: Phase) -> None:
        if self._listener is not None:
            seconds = time.perf_counter() - self._begin
            self._listener(
                Progress(
                    phase, self._epoch, self._epochs, self._step, self._steps, self._sentences,
                    seconds,
                )
            )  # fmt: skip
