"""The study file: `run` (one training run), `search` (what varies) and `study` (how to search)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mtl_core.card_data import About
from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError
from mtl_core.section import DataPath, Section
from mtl_core.study_file import override
from mtl_core.training.objectives.kinds import ObjectiveSection
from mtl_core.training.objectives.mean import Mean
from tuning.cluster.resources import Resources
from tuning.goals import Goal
from tuning.records import Value
from tuning.search.samplers.kinds import SamplerSection
from tuning.search.samplers.tpe import TpeSection
from tuning.search.schedulers.asha import AshaSection
from tuning.search.schedulers.kinds import SchedulerSection
from tuning.space.search import Search
from tuning.space.space import Entry, Space
from tuning.study.baselines import BaselinesSection, NoBaselines
from tuning.study.constraints import Constraints
from tuning.study.finals import FinalsSection
from tuning.watch.loggers.kinds import Loggers

LONGEST_NAME = 150
"""Characters; file systems take 255 bytes, and scratch folders beside it have longer names."""


def _check_name(name: str) -> str:
    # The name becomes a folder below `storage`: a "/" or a leading ".." would lead out of it.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError(
            f"expected the name of a folder, of letters, digits, '.', '_' and '-', found '{name}'"
        )
    if len(name) > LONGEST_NAME:
        raise ValueError(
            f"expected a name of at most {LONGEST_NAME} characters, found one of {len(name):,}"
        )
    return name


StudyName = Annotated[str, AfterValidator(_check_name)]


class Study(Section):
    """How the search is run."""

    name: StudyName
    """Name of the study's folder; default: the name of the study file."""
    storage: DataPath = Field(default=Path("runs"), validate_default=True)
    """Folder of the study folders; on a cluster one that all nodes share."""
    objective: ObjectiveSection = Mean()
    """The dev score that chooses epoch and recipe."""
    constraints: Constraints = Constraints()
    """What the best recipe has to keep within."""
    trials: int = Field(default=24, ge=1)
    """Recipes to try, the study file's own one included."""
    hours: float | None = Field(default=None, gt=0)
    """Wall time of the study over all its sessions, after which no trial begins, and those that run
    end with their next report. null = any time."""
    total_epochs: float | None = Field(default=None, gt=0)
    """Epochs of all trials together, after which the search ends as it does by `hours`. null = any
    number."""
    patience: int | None = Field(default=None, ge=1)
    """Trials in a row that are no better than the best one, after which none begins; those that run
    go on. null = any number."""
    scheduler: SchedulerSection = AshaSection()
    """What stops poor trials early."""
    sampler: SamplerSection = TpeSection()
    """What picks the next recipe."""
    prior: Literal["none", "shipped"] = "none"
    """What is believed of keys of `search` that have no prior of their own: nothing, or `shipped` =
    what is known to work for encoders of this size and runs of this length."""
    warm_start: tuple[DataPath, ...] = ()
    """Folders of earlier studies, whose trials tell where to search and are no results of this."""
    seed: int = Field(default=0, ge=0)
    """Seed of the search; `run.seed` is that of the training runs."""
    resources: Resources = Resources()
    """What a trainer takes."""
    isolation: Literal["warm", "fresh"] = "warm"
    """`warm` = trainers take trial after trial; `fresh` = new processes for every trial."""
    max_attempts: int = Field(default=3, ge=1)
    """How often a trial is started whose worker dies again and again, first start included."""
    report_timeout_s: float | None = Field(default=None, gt=0)
    """Seconds that a trial may take from report to report, to its first one with all that is loaded
    before, and for a score on test; then it has failed and its worker is replaced. null = any
    time."""
    trial_timeout_s: float | None = Field(default=None, gt=0)
    """Seconds that all epochs of a trial may take together, over all sessions; then it has failed.
    null = any time."""
    decoding_tries: int = Field(default=16, ge=1)
    """Settings of decoding that are tried on a trained model when its trial ends; fewer where they
    would take more than 5 % of its time. See `search`."""
    keep_checkpoints: int = Field(default=1, ge=1)
    """How many of the best trials keep their checkpoint; trial 0 keeps its own as well."""
    finals: FinalsSection | None = None
    """The stage after the search, on top of what bounds that: the best recipes and the default are
    trained anew with several seeds, the mean on dev chooses among them, and test is opened for
    these runs alone. null = the best trial of the search is the result."""
    loggers: Loggers = ()
    """Where all runs are logged beside the study folder: MLflow, Weights & Biases."""
    baselines: BaselinesSection = NoBaselines()
    """Each task that counts alone, to tell whether it gains by the others: `none`, `default` = the
    study file's own recipe, or `tuned` = the best of the same search. They lie in `alone/` of
    `storage`, and other studies that ask for the same find them there."""
    card: About = About()
    """What the card of the model tells that only you know."""
    memory_growth_gib: float = Field(default=2.0, gt=0)
    """GiB by which the workers of a trainer may grow after their first trial; then they restart."""


class StudyFile(Section):
    """A study file: one training run, what to vary in it, and how to search."""

    run: RunConfig
    """One training run: the default recipe."""
    search: Search = Search()
    """What varies; nothing = only the default recipe is run. What is read at decoding alone, such
    as `tasks.X.decoding` or thresholds, is no part of the trials' recipes: it is searched on the
    trained model when a trial ends."""
    study: Study
    """How the search is run."""

    @property
    def trials(self) -> int:
        """Trials of the study: with nothing to search just one, of the default recipe."""
        if not self.space:
            return 1
        points = self.study.sampler.every_point(self.space)
        if points is None:
            return self.study.trials
        given = sum(one not in points for one in self.given_points)
        return min(self.study.trials, len(points) + given)

    @property
    def final_runs(self) -> int:
        """Runs of the final stage at most; 0 without one."""
        finals = self.study.finals
        # The default may be one of the best, and comes on top when it is none.
        return 0 if finals is None else finals.seeds * min(finals.recipes + 1, self.trials)

    @property
    def most_at_a_time(self) -> int:
        """Runs of its longest stage: more trainers would have nothing to do."""
        return max(self.trials, self.final_runs)

    @property
    def knows_something(self) -> bool:
        """Whether it is to know anything beforehand, beside the priors of its entries."""
        section = self.study
        asked = section.prior != "none" or section.warm_start or self.search.tries_likely
        return bool(self.space and asked)

    @property
    def given_points(self) -> list[dict[str, Value]]:
        """What is not left to the sampler in the first trials, by names and values as it draws.

        The first is the study file's own recipe, as far as it lies in the space.
        """
        own = self.space.to_drawn(self.default_parameters)
        return [own, *(self.point_of(overrides) for overrides in self.search.listed)]

    def point_of(self, overrides: Mapping[str, object]) -> dict[str, Value]:
        """Returns what Optuna would have drawn for a point, or for a part of one.

        Args:
            overrides: Dotted key of `run` -> value, sections as far as they are not left open.

        Raises:
            ConfigError: It lies outside the space; the text begins with the key.
        """
        for key in filter(self.run.is_at_decoding, overrides):
            raise ConfigError(
                f"{key}: is searched without training, on the model of each trial; leave it out"
            )
        return self.space.point_of(overrides, self._resolve)

    @property
    def space(self) -> Space:
        """What trials differ in, built anew at each call."""
        return Space(self.search.split(self.run.is_at_decoding)[1])

    @property
    def decoding_entries(self) -> dict[str, Entry]:
        """What is searched on trained models, without training: key or name -> what to try."""
        return self.search.split(self.run.is_at_decoding)[0]

    @property
    def decoding_space(self) -> Space:
        """The space of `decoding_entries`, built anew at each call."""
        return Space(self.decoding_entries)

    @property
    def own_decoding(self) -> dict[str, Value]:
        """Parameter of `decoding_space` -> its value in the study file's own recipe."""
        run = self.run.model_dump(mode="json")
        return self.decoding_space.default_parameters(run, self._resolve)

    @property
    def counted_tasks(self) -> list[str]:
        """Names of the tasks that are not auxiliary."""
        return [name for name, task in self.run.tasks.items() if not task.auxiliary]

    @property
    def goal(self) -> Goal:
        """By what trials are compared."""
        objective = self.study.objective
        goals = objective.goals(self.counted_tasks)
        floors = {name: floor for name, floor in goals.items() if floor is not None}
        limits = self.study.constraints.limits
        return Goal(tuple(goals), floors, limits, is_gain=objective.is_gain)

    @property
    def default_parameters(self) -> dict[str, Value]:
        """Parameter of the space -> its value in the study file's own recipe (trial 0)."""
        return self.space.default_parameters(self.run.model_dump(mode="json"), self._resolve)

    def _resolve(self, overrides: Mapping[str, object]) -> dict[str, object]:
        """Returns the recipe with overrides, all defaults filled in."""
        # Plain data: the space looks values up by dotted key, and Optuna and JSON take no `Path`.
        run = self.run.model_dump(mode="json")
        return RunConfig.model_validate(override(run, overrides)).model_dump(mode="json")

    @property
    def max_epochs(self) -> int:
        """Epochs of the longest trial that the space allows, for the rungs of the scheduler."""
        # Whole recipes, since the epochs may lie inside a section that is searched as a whole. The
        # corners are enough: epochs are most at an end of their range.
        corners = [{}, *(corner for _, corner in self.space.corners())]
        return max(self.epochs_of(corner) for corner in corners)

    def epochs_of(self, overrides: Mapping[str, object]) -> int:
        """Returns the epochs of a recipe of the study."""
        run = self.run.model_dump(mode="json")
        return RunConfig.model_validate(override(run, overrides)).training.epochs

    @property
    def folder(self) -> Path:
        """The study folder."""
        return self.study.storage / self.study.name
