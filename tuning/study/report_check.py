"""Whether the epochs of all recipes of a study have a step for each of their reports."""

from functools import cache

from mtl_core.assets import Data
from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError
from mtl_core.study_file import override
from mtl_core.training.plan import TrainingPlan, parts_of
from tuning.study.config import StudyFile


def check_reports(study: StudyFile, data: Data) -> None:
    """Counts the steps of the default recipe, and of every option of the search.

    Args:
        study: The study.
        data: The data of the default recipe; recipes with other data are left to their trials.

    Raises:
        ConfigError: There are more reports than steps: a line for each.
    """
    reports = study.run.training.reports_per_epoch
    if reports == 1:
        return

    @cache
    def steps(trained: frozenset[str], batch_size: int) -> int:
        plan = TrainingPlan(data.datasets, trained, batch_size=batch_size)
        return plan.steps_per_epoch

    raw = study.run.model_dump(mode="json")
    found: dict[str, str] = {}  # What is wrong -> the first recipe in which it is.
    corners = ((f"search.{key}", corner) for key, corner in study.space.corners())
    for where, overrides in [("run", {}), *corners]:
        config = RunConfig.model_validate(override(raw, overrides))
        trained = frozenset(name for name, task in config.tasks.items() if task.weight > 0)
        if config.datasets != study.run.datasets:
            continue
        try:
            parts_of(steps(trained, config.training.batch_size), reports)
        except ConfigError as error:
            found.setdefault(str(error).removeprefix("run."), where)
    if found:
        raise ConfigError("\n".join(f"{where}: {text}" for text, where in found.items()))
