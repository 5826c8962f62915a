"""What reports need to know of a study file, kept as JSON: reading the file would import torch."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mtl_core.files import write_json
from tuning.records import Value
from tuning.study.data_facts import DataFacts
from tuning.study.folder import StudyFolder

if TYPE_CHECKING:
    from tuning.study.config import StudyFile


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """A few facts of a study file; `facts.json` holds them under the same names.

    Attributes:
        name: Name of the study.
        objective: Kind of the objective that `combined` stands for.
        precision: What the study file says of it, "auto" for instance.
        default_parameters: Parameters of the study file's own recipe, in effect.
        data: What is known of its data; None in studies from before it was kept.
    """

    name: str
    objective: str
    precision: str
    default_parameters: dict[str, Value]
    data: DataFacts | None = None


def facts_of(study: "StudyFile", data: DataFacts | None = None) -> StudyFacts:
    """Returns the facts of a study, and of its data where that was read."""
    return StudyFacts(
        name=study.study.name,
        objective=study.study.objective.kind,
        precision=study.run.training.precision,
        default_parameters=study.default_parameters,
        data=data,
    )


def write_facts(folder: StudyFolder, facts: StudyFacts) -> None:
    """Keeps the facts in the study folder."""
    write_json(folder.facts, asdict(facts))


def read_facts(folder: StudyFolder) -> StudyFacts:
    """Returns the facts of the study in a folder; of an old one by way of the schema.

    Raises:
        ConfigError: It is no study folder.
        LookupError, TypeError, ValueError: The file is broken.
    """
    folder.check_is_study()
    # Studies from before `facts.json` go the slow way, over the schema.
    if not folder.facts.is_file():
        from mtl_core.tasks.kinds import outside_kinds

        # The kinds of tasks are left as plain data: a folder's own code is not run for a report.
        study = folder.read_study()
        with outside_kinds("leave"):
            return facts_of(study)
    raw = json.loads(folder.facts.read_text(encoding="utf-8"))
    data = raw.pop("data", None)
    return StudyFacts(**raw, data=DataFacts.from_json(data) if data is not None else None)
