"""The result of a study: result.json, report.md and what a notebook gets back."""

import shlex
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState

from mtl_core.errors import ConfigError
from mtl_core.files import telling_what_is_broken, write_text
from mtl_core.study_file import as_assignment
from mtl_core.tasks.kinds import outside_kinds
from tuning.cli.status import StudyStatus, read_status
from tuning.records import TrialRecord
from tuning.report.render import render_report
from tuning.report.summary import FinalScores, StudySummary, Unfinished
from tuning.study.config import StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.history import best_record, best_so_far, read_records
from tuning.study.journal import read_optuna

if TYPE_CHECKING:
    import pandas

    from mtl_core.predictor import Predictor


_LEAST_TRIALS = 20
"""Complete trials under which the importance of parameters is anybody's guess.

Simulated with five parameters of which one matters: with 8 trials another one comes first in a
third of the studies, with 24 in one of a hundred.
"""


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a study found.

    Attributes:
        folder: The study folder.
        status: "complete", or "failed" when no trial reached a score.
        best: The best recipe; its test scores are None when there is no test split.
        default: The study file's own recipe.
        trials: One row a trial.
        seconds: Wall time, over all sessions of the study.
        replay: The command that trains the best recipe again.
    """

    folder: Path
    status: str
    best: FinalScores | None
    default: FinalScores | None
    trials: "pandas.DataFrame"
    seconds: float
    replay: str

    def predictor(self) -> "Predictor":
        """Loads the best model."""
        from mtl_core.predictor import Predictor

        return Predictor.load(self.folder / "best", trust_code=True)


def write_report(path: Path) -> str:
    """Writes report.md of a study folder anew from what is in the folder; returns its text.

    Raises:
        ConfigError: It is no study folder, its files are broken, or it cannot be written.
    """
    folder = StudyFolder(path)
    study = folder.read_study()
    with telling_what_is_broken(path):
        text = _report(folder, study)
    try:
        write_text(folder.report, text)
    except OSError as error:
        raise ConfigError(f"{folder.report}: cannot be written: {error.strerror}") from error
    return text


def _report(folder: StudyFolder, study: StudyFile) -> str:
    optuna_study = read_optuna(folder.journal)
    with outside_kinds("leave"):
        records = read_records(folder, optuna_study, study.default_parameters)
    summary = summarise(study, folder, optuna_study, records, folder.read_result())
    status = read_status(folder.path)
    if status.state in ("running", "interrupted"):
        summary = _so_far(study, summary, status, records)
    return render_report(summary)


def _so_far(
    study: StudyFile,
    summary: StudySummary,
    status: StudyStatus,
    records: Mapping[int, TrialRecord],
) -> StudySummary:
    """Returns what a report shows of a study that is not finished."""
    best = best_so_far(records)
    if status.state == "interrupted":
        # The journal calls them running until the study goes on.
        records = {
            number: replace(record, status="interrupted") if record.status == "running" else record
            for number, record in records.items()
        }
    return replace(
        summary,
        records=[records[number] for number in sorted(records)],
        best=final_scores(best, {}),
        default=final_scores(records.get(0), {}),
        replay=replay_command(Path(summary.folder), replay_overrides(study, best)),
        unfinished=Unfinished(status.ended, status.trials, status.state, status.go_on),
    )


def replay_overrides(study: StudyFile, best: TrialRecord | None) -> dict[str, object]:
    """Returns what trains the recipe of a trial again, in its own precision."""
    overrides = dict(best.overrides) if best is not None else {}
    precision = best.reports[-1].precision if best is not None and best.reports else ""
    if precision and study.run.training.precision == "auto":
        # On another machine `auto` may be another one.
        overrides.setdefault("training.precision", precision)
    return overrides


def replay_command(folder: Path, overrides: Mapping[str, object]) -> str:
    """Returns the command that trains a recipe again."""
    words = ["mtl", "train", str(folder / "study.yaml")]
    for key, value in overrides.items():
        words += ["--set", as_assignment(key, value)]
    return shlex.join(words)


def dev_scores(record: TrialRecord) -> dict[str, float | Mapping[str, float]]:
    """Returns the dev scores of a trial at its best epoch, as `result.json` holds them."""
    report = record.best
    assert report is not None
    return {
        "combined": report.combined,
        "joint_accuracy": report.joint_accuracy,
        **report.dev,
    }


def final_scores(record: TrialRecord | None, tests: Mapping[str, Any]) -> FinalScores | None:
    """Returns the scores of a trial, with its test scores when they are known."""
    if record is None or record.best is None:
        return None
    return FinalScores(
        record.id,
        record.parameters,
        dev_scores(record),
        tests.get(record.id),
        record.best.precision,
    )


def known_tests(result: Mapping[str, Any]) -> dict[str, Any]:
    """Returns trial id -> test scores that an earlier session wrote down."""
    return dict(result.get("tests", {}))


def as_json(final: FinalScores | None) -> dict[str, object] | None:
    """Returns what `result.json` holds of a trial."""
    if final is None:
        return None
    return {
        "trial": final.trial,
        "parameters": dict(final.parameters),
        "precision": final.precision,
        "dev": final.dev,
        "test": final.test,
    }


def summarise(
    study: StudyFile,
    folder: StudyFolder,
    optuna_study: optuna.Study,
    records: Mapping[int, TrialRecord],
    result: Mapping[str, Any],
) -> StudySummary:
    """Gathers what the report shows."""
    tests = known_tests(result)
    best = best_record(records)
    return StudySummary(
        name=study.study.name,
        objective=study.study.objective.kind,
        folder=_short(folder.path),
        records=[records[number] for number in sorted(records)],
        best=final_scores(best, tests),
        default=final_scores(records.get(0), tests),
        # The journal has those of a session that ended before it wrote a result.
        seconds=max(source.get("seconds", 0.0) for source in (result, optuna_study.user_attrs)),
        replay=replay_command(Path(_short(folder.path)), replay_overrides(study, best)),
        num_test_rows=result.get("test_rows"),
        importances=_importances(optuna_study),
    )


def _importances(optuna_study: optuna.Study) -> dict[str, float]:
    """Returns parameter -> importance; nothing while there are too few trials to tell."""
    complete = optuna_study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < _LEAST_TRIALS:
        return {}
    try:
        with warnings.catch_warnings():
            # PED-ANOVA warns when the few trials are all alike; the report then says little.
            warnings.simplefilter("ignore", UserWarning)
            return dict(optuna.importance.get_param_importances(optuna_study))
    except (ValueError, RuntimeError):
        return {}


def _short(path: Path) -> str:
    """Returns the path as a user would type it from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
