"""What was trained behind the search of a study: its final stage, and its baselines."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mtl_core.errors import MtlError
from mtl_core.training.report import Report
from tuning.study.finals import final_run_id
from tuning.study.folder import StudyFolder
from tuning.study.gains import Baselines


@dataclass(frozen=True, slots=True)
class Trained:
    """What was trained in a stage of a study.

    Attributes:
        runs: Runs that have reported.
        epochs: Their epochs, added up.
        seconds: How long trainers worked on them: training, and scoring on dev.
        task: The task that was trained alone; None = all of them.
    """

    runs: int
    epochs: float
    seconds: float
    task: str | None = None


def trained_behind(folder: StudyFolder, baselines: Baselines | None) -> tuple[Trained, ...]:
    """Returns the final stage and each task alone, as far as runs of them have reported.

    Args:
        folder: The study folder.
        baselines: Each task beside the same alone; None = there are none.
    """
    found = [trained(_final_reports(folder))]
    for task, one in (baselines or {}).items():
        # Below the storage, in which this study lies, too.
        alone = StudyFolder(folder.path.parent / one.folder)
        try:
            found.append(trained([*_trial_reports(alone), *_final_reports(alone)], task))
        except MtlError:
            continue  # The folder of another study is no matter of this one.
    return tuple(one for one in found if one.runs)


def trained(reports: Iterable[Sequence[Report]], task: str | None = None) -> Trained:
    """Returns what runs took, by the reports of each.

    Args:
        reports: Of each run, the oldest first.
        task: The task that they trained alone.
    """
    runs = [one for one in reports if one]
    epochs = sum(one[-1].progress for one in runs)
    return Trained(len(runs), epochs, sum(each.seconds for one in runs for each in one), task)


def _final_reports(folder: StudyFolder) -> Iterator[tuple[Report, ...]]:
    pattern = final_run_id("*", "*")
    for path in sorted(folder.path.glob(pattern)):
        yield folder.read_reports(path.relative_to(folder.path).as_posix())


def _trial_reports(folder: StudyFolder) -> Iterator[tuple[Report, ...]]:
    for path in sorted(folder.trials.glob("*")):
        yield folder.read_reports(path.name)
