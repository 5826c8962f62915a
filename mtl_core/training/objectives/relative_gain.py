"""The objective that asks what sharing brings: the gain of each task over the same task alone."""

from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from mtl_core.errors import ConfigError
from mtl_core.training.objectives.base import KeyPath, Objective


class RelativeGain(Objective):
    """The mean over the tasks of (M_t - B_t) / B_t: their gain over the same task alone.

    The average per-task drop of Maninis et al. 2019, https://arxiv.org/abs/1904.08918, section 4,
    of main scores M, all of which are the better the higher. 0.01 = the tasks are one percent
    better together; a task of low scores counts as much as one of high scores. B are scores on dev,
    also where M are scores on test.
    """

    kind: Literal["relative_gain"] = "relative_gain"
    is_gain: ClassVar = True
    baselines: dict[str, Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=dict)
    """Task -> main score on dev of the task trained alone; default: `study.baselines` measures
    it."""

    @property
    def named(self) -> Mapping[KeyPath, str]:
        """The keys below `study.objective` at which a name of a task stands -> that name."""
        return {("baselines", name): name for name in self.baselines}

    def unmeasured(self, counted: Collection[str]) -> list[str]:
        """Returns the tasks whose scores alone it does not know."""
        return [name for name in counted if name not in self.baselines]

    def over(self, baselines: Mapping[str, float]) -> Self:
        """Returns it with scores of tasks alone; those that it has stay.

        Raises:
            ConfigError: Of a task that learnt nothing alone no gain can be told.
        """
        for name, score in baselines.items():
            if name not in self.baselines and not 0 < score <= 1:
                raise ConfigError(
                    f"study.objective: the task '{name}' alone has a main score of {score:.4g} on "
                    "dev; relative_gain needs one above 0, up to 1: give it by hand "
                    "(study.objective.baselines), or choose another objective"
                )
        return self.model_copy(update={"baselines": {**baselines, **self.baselines}})

    def combine(self, main_scores: Mapping[str, float], joint_accuracy: float) -> float:
        """Returns the objective; higher is better.

        Raises:
            ConfigError: The score of a task alone is not known.
        """
        if unknown := self.unmeasured(main_scores):
            raise ConfigError(
                f"study.objective: relative_gain does not know the score of {', '.join(unknown)} "
                "alone, which `mtl tune` measures (study.baselines); give it by hand: "
                "study.objective.baselines"
            )
        gains = [score / self.baselines[name] - 1 for name, score in main_scores.items()]
        return sum(gains) / len(gains)
