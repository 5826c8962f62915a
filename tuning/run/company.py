"""With whom a study shares trainers: the studies of its tasks alone, which belong to it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from tuning.run.terms import terms_of
from tuning.study.companions import AloneStudy, companions
from tuning.study.config import StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.folder_check import check_folder
from tuning.trainers.messages import OWN_STUDY, StudyRef
from tuning.trainers.trainers import Trainers, start_trainers
from tuning.trainers.worker import StudyTerms, WorkerSettings


@dataclass(frozen=True, slots=True)
class Company:
    """With whom a study shares trainers.

    Attributes:
        ref: What its own runs are known by among those of all.
        alone: The studies of its tasks alone; () of a study without baselines.
    """

    ref: StudyRef = OWN_STUDY
    alone: tuple[AloneStudy, ...] = ()

    @property
    def terms(self) -> dict[str, StudyTerms]:
        """What trainers are told of the studies of tasks alone, by their names."""
        return {one.name: terms_of(one.study) for one in self.alone}

    @property
    def most_at_a_time(self) -> int:
        """How many of their runs there may be at a time; 0 = there are none."""
        return max((one.study.most_at_a_time for one in self.alone), default=0)

    def most(self, study: StudyFile) -> int:
        """Returns how many runs of the study and of these there may be at a time."""
        return max(study.most_at_a_time, self.most_at_a_time)


ALONE = Company()


def company_of(study: StudyFile) -> Company:
    """Reads the data of the tasks alone whose studies belong to a study.

    Raises:
        MtlError: A task alone cannot be trained, its data cannot be read, or a file in the folder
            of its study is broken.
    """
    alone = companions(study)
    for one in alone:
        check_folder(StudyFolder(one.study.folder))
    return Company(alone=alone)


def aimed(company: Company, study: StudyFile, measured: Mapping[str, float]) -> Company:
    """Returns the company of a study whose objective is known by now, where it was not before.

    Args:
        company: With whom the study shares trainers.
        study: The study.
        measured: Task -> main score on dev of the task alone; {} = not measured.
    """
    objective = study.study.objective
    if not measured or not objective.unmeasured(study.counted_tasks):
        return company
    plain = objective.over(measured).model_dump(mode="json")
    return replace(company, ref=replace(company.ref, objective=plain))


def start_for(
    study: StudyFile, company: Company, count: int, scratch: Path
) -> AbstractContextManager[Trainers]:
    """Starts the trainers of a study, which may work for those that it shares them with.

    Args:
        study: The study.
        company: With whom it shares them.
        count: Trainers side by side.
        scratch: Folder for what Ray Train writes; the checkpoints of trials lie in their own.
    """
    section = study.study
    settings = WorkerSettings(
        studies={company.ref.name: terms_of(study), **company.terms},
        threads=section.resources.cpus,
        memory_growth_bytes=section.memory_growth_gib * 2**30,
        is_fresh=section.isolation == "fresh",
        trial_timeout_s=section.trial_timeout_s,
    )
    return start_trainers(
        settings,
        section.resources,
        max_attempts=section.max_attempts,
        report_timeout_s=section.report_timeout_s,
        count=count,
        scratch=scratch,
    )
