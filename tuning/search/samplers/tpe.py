"""Tree-structured Parzen estimator."""

import warnings
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeInt

from tuning.search.samplers.base import SamplerBase
from tuning.space.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from tuning.search.samplers.past import Look
    from tuning.search.samplers.seeded import Draw


class TpeSection(SamplerBase):
    """Tree-structured Parzen estimator: learns from the trials so far (Bergstra et al. 2011).

    https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization
    Of earlier studies it learns as `MetaTpe` says.
    """

    uses_priors: ClassVar[bool] = True
    uses_earlier: ClassVar[bool] = True

    kind: Literal["tpe"] = "tpe"
    startup_trials: NonNegativeInt = 10
    """Trials drawn at random before the estimator is used; failed ones do not count."""

    def look(self, space: Space) -> "Look":
        """Returns what the estimator is shown: stopped trials as such, since it ranks them."""
        del space
        from tuning.search.samplers.past import with_stopped

        return with_stopped

    def of_trial(self, draw: "Draw") -> "BaseSampler":
        """Returns Optuna's sampler, or one that also knows earlier studies."""
        from tuning.search.knowledge.meta_tpe import MetaTpe

        alone = self._alone(draw.seed)
        if not draw.known.earlier:
            return alone
        startup, seed = self.startup_trials, draw.seed
        return MetaTpe(alone, draw.space, draw.known.earlier, startup_trials=startup, seed=seed)

    def _alone(self, seed: int) -> "BaseSampler":
        """Returns Optuna's sampler, whose parameters depend on each other."""
        import optuna

        with warnings.catch_warnings():
            # `group` models every combination of parameters that occurs by itself; without it all
            # that some trial lacks (conditional ones, and those whose default lies outside of their
            # range, which trial 0 lacks) are drawn independently of all others.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # `constant_liar`: trials that still run count as bad ones, so that trials side by side
            # do not try the same point.
            return optuna.samplers.TPESampler(
                n_startup_trials=self.startup_trials,
                multivariate=True,
                group=True,
                constant_liar=True,
                seed=seed,
            )
