"""The studies of tasks alone that belong to a study, with all that is needed to run them."""

from collections.abc import Mapping
from dataclasses import dataclass

from mtl_core.assets import inputs_of, load_data
from tuning.study.alone import FOLDER, alone_studies, kept_study
from tuning.study.config import StudyFile
from tuning.study.data_facts import DataFacts, data_facts
from tuning.study.knowing import known_of
from tuning.study.known import KnownFacts


@dataclass(frozen=True, slots=True)
class AloneStudy:
    """The study of a task alone, ready to be run.

    Attributes:
        task: The task.
        study: The study, with the folder in which all studies look for it.
        inputs: What else its results hang on -> a hash of it.
        facts: What is known of its data.
        known: What is known before its first trial.
    """

    task: str
    study: StudyFile
    inputs: Mapping[str, str]
    facts: DataFacts
    known: KnownFacts

    @property
    def name(self) -> str:
        """What it is known by among all studies that share the trainers."""
        return f"{FOLDER}/{self.task}"

    @property
    def place(self) -> str:
        """Its folder, below the storage of the study that it belongs to."""
        return f"{FOLDER}/{self.study.folder.name}"


def companions(study: StudyFile) -> tuple[AloneStudy, ...]:
    """Reads the data of each task alone, and finds the folders of their studies.

    Raises:
        MtlError: A task alone cannot be trained, or its data cannot be read.
    """
    return tuple(_ready(task, alone) for task, alone in alone_studies(study).items())


def _ready(task: str, study: StudyFile) -> AloneStudy:
    data = load_data(study.run)
    inputs = inputs_of(study.run, data.datasets)
    kept, facts = kept_study(study, inputs), data_facts(study.run, data)
    return AloneStudy(task, kept, inputs, facts, known_of(kept, facts))
