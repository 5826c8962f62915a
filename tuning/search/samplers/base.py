"""The contract of samplers: sections of a study file; Optuna is imported when one is built."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from mtl_core.section import Section

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class SamplerBase(Section):
    """A way to choose points; `build` makes what a study uses of it."""

    uses_priors: ClassVar[bool] = False
    """Whether it draws with the priors of parameters; else a study file with priors is refused."""

    @abstractmethod
    def of_trial(self, seed: int) -> "BaseSampler":
        """Returns Optuna's sampler for one trial, which draws from `seed`."""

    def build(self, seed: int) -> "BaseSampler":
        """Returns the sampler of a study, given the study's seed, at least 0."""
        # Imported here: study files are also read where no study is run.
        from tuning.search.samplers.seeded import TrialSeeded

        return TrialSeeded(self.of_trial, seed)
