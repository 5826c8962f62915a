"""The final stage of a study: what its file says of it, and what `result.json` holds of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field

from mtl_core.number_types import KEPT
from mtl_core.scores import ScoreTree, flatten
from mtl_core.section import Section
from tuning.records import DECODED, DEFAULT_ID, Value
from tuning.statistics.estimates import Difference, Estimate


class FinalsSection(Section):
    """The final stage: the best recipes and the default are trained anew, with other seeds."""

    recipes: int = Field(default=3, ge=1)
    """How many of the best recipes by dev take part; the study file's own one always does."""
    seeds: int = Field(default=5, ge=2)
    """Runs of each, on the full budget, with the seeds that follow `run.seed`."""


@dataclass(frozen=True, slots=True)
class SeedScores:
    """The scores of one run of a recipe.

    Attributes:
        seed: What it was trained with.
        run: Run id, for instance "final/0007/seed-1"; names its folder.
        dev: Scores on dev, at the best report.
        test: Scores on test; None when the run was not scored on it.
    """

    __pydantic_config__ = KEPT

    seed: int
    run: str
    dev: ScoreTree
    test: ScoreTree | None = None


@dataclass(frozen=True, slots=True)
class FinalRecipe:
    """A recipe of the final stage, and what its runs reached.

    Attributes:
        trial: Id of the trial that found it.
        parameters: Dotted key of `run` -> value in effect.
        seeds: Its runs with a score, by their seeds.
        dev: Flat name of a score, "combined" or "intent/accuracy" -> mean over the runs.
        test: The same on test; None when it was not scored on it.
        is_decoded: Whether each run is decoded with settings that were found on its model; else
            with the recipe's own.
        failed: Run id of a run without a score -> why.
    """

    __pydantic_config__ = KEPT

    trial: str
    parameters: Mapping[str, Value]
    seeds: tuple[SeedScores, ...]
    dev: Mapping[str, Estimate]
    test: Mapping[str, Estimate] | None = None
    is_decoded: bool = False
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What it is known by: the id of its trial, with a word where settings were found."""
        return f"{self.trial}{DECODED}" if self.is_decoded else self.trial

    @property
    def mean_dev(self) -> ScoreTree:
        """The means on dev as scores of a run are: {"combined": x, "intent": {"accuracy": y}}."""
        return _means(self.dev)

    @property
    def mean_test(self) -> ScoreTree | None:
        """The same on test; None when it was not scored on it."""
        return None if self.test is None else _means(self.test)


def _means(estimates: Mapping[str, Estimate]) -> ScoreTree:
    found: dict[str, float | dict[str, float]] = {}
    for name, estimate in estimates.items():
        task, _, score = name.partition("/")
        scores = found.setdefault(task, {}) if score else None
        if isinstance(scores, dict):
            scores[score] = estimate.mean
        else:
            found[task] = estimate.mean
    return found


@dataclass(frozen=True, slots=True)
class Finals:
    """What the final stage found.

    Attributes:
        recipes: The best first, by the mean over their runs on dev; at least one.
        chosen: Id of the best; its model is in best/.
        differences: The best against the default, and against the second, on test where there is
            one; of each score that both have.
    """

    __pydantic_config__ = KEPT

    recipes: tuple[FinalRecipe, ...]
    chosen: str
    differences: tuple[Difference, ...] = ()

    @property
    def best(self) -> FinalRecipe:
        """The recipe that was chosen."""
        return next(recipe for recipe in self.recipes if recipe.id == self.chosen)

    @property
    def model(self) -> str:
        """Id of the run whose model is in best/: of the best recipe the best on dev."""
        return max(self.best.seeds, key=lambda one: flatten(one.dev)["combined"]).run

    @property
    def second(self) -> FinalRecipe | None:
        """The best of the others; None when there is no other."""
        return next((recipe for recipe in self.recipes if recipe.id != self.chosen), None)

    @property
    def default(self) -> FinalRecipe | None:
        """The study file's own recipe, decoded as that says; None when it has no score."""
        return next((recipe for recipe in self.recipes if recipe.id == DEFAULT_ID), None)


def final_run_id(trial: str, seed: int | str) -> str:
    """Returns the id of the run of a trial's recipe with a seed; "*" stands for any."""
    return f"final/{trial}/seed-{seed}"
