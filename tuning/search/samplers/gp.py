"""A Gaussian process."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveInt

from tuning.search.samplers.base import SamplerBase
from tuning.search.samplers.doubts import conditional_doubts, startup_doubts
from tuning.space.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from tuning.search.samplers.seeded import Draw


class GpSection(SamplerBase):
    """Gaussian process with a Matern kernel, by expected improvement (Ament et al. 2023).

    https://arxiv.org/abs/2310.20708, as `optuna.samplers.GPSampler` has it. Trials that run count
    in expectation, so that trials side by side do not try the same. Keys inside of a choice of
    sections are drawn at random: there is one model, of the keys that every trial has. Its time
    grows with the third power of the number of trials; see docs/studies.md.
    """

    uses_priors: ClassVar[bool] = True
    kind: Literal["gp"] = "gp"
    startup_trials: PositiveInt = 10
    """Trials before the model is used, drawn at random; failed ones do not count."""

    def doubts(self, space: Space, trials: int) -> Iterator[str]:
        """Says what is drawn at random."""
        yield from startup_doubts(self.kind, self.startup_trials, trials)
        yield from conditional_doubts(self.kind, space)

    def of_trial(self, draw: "Draw") -> "BaseSampler":
        """Returns Optuna's sampler."""
        # It wants another package, with which it would be faster, and says so when it is imported.
        logging.getLogger("optuna._gp.batched_lbfgsb").setLevel(logging.ERROR)
        from optuna.samplers import GPSampler

        return GPSampler(
            n_startup_trials=self.startup_trials, warn_independent_sampling=False, seed=draw.seed
        )
