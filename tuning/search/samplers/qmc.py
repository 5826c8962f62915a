"""Quasi-random points, which cover a space more evenly than random ones."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from tuning.records import Value
from tuning.search.samplers.base import SamplerBase
from tuning.space.space import Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from tuning.search.samplers.past import Look
    from tuning.search.samplers.seeded import Draw


class QmcSection(SamplerBase):
    """A scrambled Sobol or Halton sequence, as `even_point` draws it.

    Not Optuna's `QMCSampler`: that one knows no more parameters than trial 0 has, and
    counts points that a killed driver has lost.
    """

    kind: Literal["qmc"] = "qmc"
    sequence: Literal["sobol", "halton"] = "sobol"
    """`sobol` is most even after 16, 32, 64, ... trials, `halton` alike after any number."""
    uses_priors: ClassVar[bool] = True

    def look(self, space: Space) -> "Look":
        """Returns what is shown: all trials, since each had a point of the sequence."""
        del space
        return list

    def of_trial(self, draw: "Draw") -> "BaseSampler":
        """Returns the sampler."""
        from tuning.search.samplers.even import even_point
        from tuning.search.samplers.planned import PlannedSampler

        def plan(study: "Study", trial: "FrozenTrial") -> Mapping[str, Value]:
            # Trials that were given their points have none of the sequence.
            before = study.get_trials(deepcopy=False)[: trial.number]
            index = sum("fixed_params" not in one.system_attrs for one in before)
            return even_point(draw.space, index, seed=draw.study_seed, sequence=self.sequence)

        return PlannedSampler(plan, draw.seed)
