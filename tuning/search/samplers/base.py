"""The contract of samplers: sections of a study file; Optuna is imported when one is built."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from mtl_core.section import Section
from tuning.records import Value
from tuning.search.knowledge.known import NOTHING, Known
from tuning.space.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from tuning.search.samplers.past import Look
    from tuning.search.samplers.seeded import Draw


class SamplerBase(Section):
    """A way to choose points; `build` makes what a study uses of it."""

    uses_priors: ClassVar[bool] = False
    """Whether it draws with the priors of parameters; else a study file with priors is refused."""
    mixes_priors: ClassVar[bool] = True
    """Whether some of its points are drawn from priors in its stead; else it weighs them itself."""
    uses_earlier: ClassVar[bool] = False
    """Whether it learns from earlier studies; else a study file that names some is refused."""

    takes_several: ClassVar[bool] = True
    """Whether it draws for several objectives; else a study file with several is refused."""

    @abstractmethod
    def of_trial(self, draw: "Draw") -> "BaseSampler":
        """Returns Optuna's sampler for one trial."""

    def look(self, space: Space) -> "Look":
        """Returns what the sampler is shown: trials with a value that have all common keys."""
        from tuning.search.samplers.past import as_complete, having

        return having(as_complete, space.in_every_point)

    def check(self, space: Space) -> None:
        """Looks whether a space can be sampled.

        Raises:
            ConfigError: It cannot; the text says which key of the sampler or the space is at fault.
        """

    def doubts(self, space: Space, trials: int) -> Iterator[str]:
        """Yields a line for each thing that it could not do in a study of so many trials."""
        del space, trials
        return iter(())

    def every_point(self, space: Space) -> list[dict[str, Value]] | None:
        """Returns all points that it can draw, after which the study ends; None = without end."""
        del space
        return None

    def build(self, seed: int, space: Space, known: Known = NOTHING) -> "BaseSampler":
        """Returns the sampler of a study.

        Args:
            seed: Seed of the study, at least 0.
            space: What is sampled.
            known: What is known beforehand, beside the priors of the space.
        """
        # Imported here: study files are also read where no study is run.
        from tuning.search.samplers.mixed import with_priors
        from tuning.search.samplers.seeded import TrialSeeded

        own = {one.name: one.prior for one in space.parameters if one.prior is not None}
        known = replace(known, priors={**known.priors, **own})
        make = with_priors(self.of_trial, known.priors) if self.mixes_priors else self.of_trial
        return TrialSeeded(make, self.look(space), seed=seed, space=space, known=known)
