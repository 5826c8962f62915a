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
    """A scrambled Sobol or Halton sequence (Owen 1998, https://doi.org/10.1145/285861.285863).

    Every parameter that can occur has a dimension of its own, also what stands inside of a choice
    of sections. Not Optuna's `QMCSampler`: that one knows no more parameters than trial 0 has, and
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
        from tuning.search.samplers.planned import PlannedSampler

        def plan(study: "Study", trial: "FrozenTrial") -> Mapping[str, Value]:
            # Trials that were given their points have none of the sequence.
            before = study.get_trials(deepcopy=False)[: trial.number]
            index = sum("fixed_params" not in one.system_attrs for one in before)
            return self._point(draw, index)

        return PlannedSampler(plan, draw.seed)

    def _point(self, draw: "Draw", index: int) -> dict[str, Value]:
        from scipy.stats import qmc

        parameters = draw.space.parameters
        sequences = {"sobol": qmc.Sobol, "halton": qmc.Halton}
        # The seed of the study: all its trials have points of one sequence.
        sequence = sequences[self.sequence](len(parameters), scramble=True, seed=draw.study_seed)
        if index:
            sequence.fast_forward(index)
        [shares] = sequence.random(1)
        return {
            one.name: one.domain.at(float(share))
            for one, share in zip(parameters, shares, strict=True)
        }
