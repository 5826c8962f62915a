"""What reports need to know of a study file, kept as JSON: reading the file would import torch."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from mtl_core.data.notes import DataNote
from mtl_core.files import write_json
from mtl_core.kept import BrokenError, read_kept
from mtl_core.number_types import KEPT
from tuning.goals import Goal
from tuning.records import Value
from tuning.study.data_facts import DataFacts
from tuning.study.folder import StudyFolder

if TYPE_CHECKING:
    from tuning.study.config import StudyFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """A few facts of a study file; `facts.json` holds them under the same names.

    Attributes:
        name: Name of the study.
        objective: Kind of the objective that `combined` stands for.
        precision: What the study file says of it, "auto" for instance.
        default_parameters: Parameters of the study file's own recipe, in effect.
        data: What is known of its data; None in studies from before it was kept.
        goal: By what its trials are compared.
    """

    __pydantic_config__ = KEPT

    name: str
    objective: str
    precision: str
    default_parameters: dict[str, Value]
    data: DataFacts | None = None
    goal: Goal = field(default_factory=Goal)

    @property
    def notes(self) -> Sequence[DataNote]:
        """What a user should know of the data, the most important first."""
        return self.data.notes if self.data is not None else ()


def facts_of(study: "StudyFile", data: DataFacts | None = None) -> StudyFacts:
    """Returns the facts of a study, and of its data where that was read."""
    return StudyFacts(
        name=study.study.name,
        objective=study.study.objective.kind,
        precision=study.run.training.precision,
        default_parameters=study.default_parameters,
        data=data,
        goal=study.goal,
    )


def write_facts(folder: StudyFolder, facts: StudyFacts) -> None:
    """Keeps the facts in the study folder."""
    write_json(folder.facts, asdict(facts))


def read_facts(folder: StudyFolder) -> StudyFacts:
    """Returns the facts of the study in a folder; where they are missing, those of its study file.

    Raises:
        ConfigError: It is no study folder.
    """
    folder.check_is_study()
    remedy = f"its facts are taken from {folder.study.name}, and those of the data are missing"
    try:
        facts = read_kept(folder.facts, StudyFacts, remedy=remedy)
    except BrokenError as error:
        logger.warning("%s", error)
        facts = None
    if facts is not None:
        return facts
    from mtl_core.tasks.kinds import outside_kinds

    # The slow way, over the schema, which studies from before `facts.json` go as well. The kinds of
    # tasks are left as plain data: a folder's own code is not run for a report.
    study = folder.read_study()
    with outside_kinds("leave"):
        return facts_of(study)
