"""A sampler whose draws depend on the trials before and on nothing else."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from mtl_core.errors import MtlError, TrainingError
from mtl_core.printable import one_line
from tuning.search.knowledge.known import NOTHING, Known
from tuning.search.samplers.past import Look, Past
from tuning.search.samplers.sketch import Sketch
from tuning.space.space import Space

_MOST_TRIES = 100
"""How often a point is drawn anew that was tried before; of a small space all may have been."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What the sampler of one trial is made of.

    Attributes:
        seed: Seed of the trial, below 2 ** 32; another one for every trial of a study.
        study_seed: Seed of the study, at least 0; for what all its trials share.
        space: What is sampled.
        known: Priors, also those of the space, and earlier studies to learn from.
    """

    seed: int
    study_seed: int
    space: Space
    known: Known = NOTHING


class TrialSeeded(BaseSampler):
    """Draws every trial from a fresh sampler, seeded by the study's seed and the trial's number.

    What a trial draws hence depends on the journal and on nothing else: a study that was
    interrupted goes on with the points it would have tried anyway. A point is drawn whole before
    any of it is written. One that a trial of the study has already is replaced by one drawn at
    random, since it would train the same recipe once more.
    """

    def __init__(
        self,
        make: Callable[[Draw], BaseSampler],
        look: Look,
        *,
        seed: int,
        space: Space,
        known: Known = NOTHING,
    ) -> None:
        """Wraps the samplers that `make` returns.

        Args:
            make: Returns the sampler of one trial.
            look: What samplers are shown of the trials so far.
            seed: Seed of the study, at least 0.
            space: What is sampled.
            known: Priors, also those of the space, and earlier studies to learn from.
        """
        self._make = make
        self._look = look
        self._seed = seed
        self._space = space
        self._known = known
        self._sampler = self._fresh(0)
        self._point: dict[str, Any] = {}

    def _fresh(self, number: int) -> BaseSampler:
        return self._make(Draw(self._seed_of(number), self._seed, self._space, self._known))

    def _seed_of(self, *numbers: int) -> int:
        # Not `seed + number`: studies with neighbouring seeds would then draw the same trials.
        return int(np.random.SeedSequence([self._seed, *numbers]).generate_state(1)[0])

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Starts the sampler of this trial."""
        # Optuna calls this first for each trial that it asks for or goes on with.
        self._sampler = self._fresh(trial.number)
        with _told_in_a_line(trial):
            self._sampler.before_trial(Past(study, self._look), trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Draws the point; returns all its parameters."""
        # Optuna calls this, and then `sample_relative`, when the first value of a trial is asked
        # for that it does not have yet: a trial that goes on with its point draws nothing.
        past = Past(study, self._look)
        sketch = self._drawn(self._sampler, past, trial)
        tried = [
            one.params for one in study.get_trials(deepcopy=False) if one.number != trial.number
        ]
        tries = 0
        while sketch.drawn in tried and tries < _MOST_TRIES:
            tries += 1
            again = RandomSampler(seed=self._seed_of(trial.number, tries))
            sketch = self._drawn(again, past, trial)
        self._point = sketch.drawn
        return sketch.drawn_from

    def _drawn(self, sampler: BaseSampler, past: Past, trial: FrozenTrial) -> Sketch:
        with _told_in_a_line(trial):
            sketch = Sketch(sampler, past, trial)
            self._space.sample(sketch)
        return sketch

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns the point."""
        return self._point

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draws a parameter that the space does not have."""
        past = Past(study, self._look)
        return self._sampler.sample_independent(past, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Tells the sampler that a trial has ended."""
        with _told_in_a_line(trial):
            self._sampler.after_trial(Past(study, self._look), trial, state, values)


@contextmanager
def _told_in_a_line(trial: FrozenTrial) -> Iterator[None]:
    """Makes of whatever a sampler raises, which may be a user's own, an error that ends the study.

    Raises:
        TrainingError: The block raised an error.
    """
    try:
        yield
    except (MtlError, OSError):  # The journal is broken, or the disk is full.
        raise
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise TrainingError(
            f"study.sampler: failed at trial {trial.number}: {reason}; the trials are kept"
        ) from error
