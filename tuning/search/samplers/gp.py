"""A Gaussian process over recipes and progress."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveInt

from tuning.records import Value
from tuning.search.samplers.base import SamplerBase
from tuning.search.samplers.doubts import startup_doubts
from tuning.space.space import Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from tuning.search.samplers.past import Look
    from tuning.search.samplers.seeded import Draw

_LEAST = 2
"""Observations before the process is used."""


class GpSection(SamplerBase):
    """A Gaussian process over recipes and how far a run has come, by expected improvement.

    Unlike `optuna.samplers.GPSampler` it learns from every report: from runs that went on it knows
    what may become of those that were stopped. It also models what stands inside of a choice of
    sections. `tuning.search.samplers.proposal` says how, with the papers.
    """

    uses_priors: ClassVar[bool] = True
    mixes_priors: ClassVar[bool] = False
    kind: Literal["gp"] = "gp"
    startup_trials: PositiveInt = 5
    """Trials before the process is used, evenly over the space; failed ones do not count."""

    def look(self, space: Space) -> "Look":
        """Returns what is shown: all trials, with all of their reports."""
        del space
        return list

    def doubts(self, space: Space, trials: int) -> Iterator[str]:
        """Says what is drawn without the process."""
        del space
        yield from startup_doubts(self.kind, self.startup_trials, trials)

    def of_trial(self, draw: "Draw") -> "BaseSampler":
        """Returns the sampler."""
        from tuning.search.samplers.planned import PlannedSampler

        return PlannedSampler(partial(self._plan, draw), draw.seed)

    def _plan(self, draw: "Draw", study: "Study", trial: "FrozenTrial") -> Mapping[str, Value]:
        import numpy as np

        from tuning.search.samplers.even import even_point
        from tuning.search.samplers.evidence import Evidence
        from tuning.search.samplers.past import having
        from tuning.search.samplers.proposal import propose

        whole = having(list, draw.space.in_every_point)(study.get_trials(deepcopy=False))
        rng = np.random.default_rng(draw.seed)
        evidence = Evidence.of([one for one in whole if one.number != trial.number], rng)
        if evidence.trials < self.startup_trials or len(evidence.points) < _LEAST:
            return even_point(draw.space, trial.number, seed=draw.study_seed, sequence="sobol")
        # All candidates may have been tried, in a small space: then one is drawn at random.
        return propose(draw.space, evidence, draw.known.priors, rng) or {}
