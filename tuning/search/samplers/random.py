"""Random search."""

from typing import TYPE_CHECKING, ClassVar, Literal

from tuning.search.samplers.base import SamplerBase

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from tuning.search.samplers.seeded import Draw


class RandomSection(SamplerBase):
    """Every trial independent of the others."""

    uses_priors: ClassVar[bool] = True
    kind: Literal["random"] = "random"

    def of_trial(self, draw: "Draw") -> "BaseSampler":
        """Returns Optuna's sampler."""
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=draw.seed)
