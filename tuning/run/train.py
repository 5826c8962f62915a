"""`mtl train`: one run in this process, without Ray, with its checkpoint and model in a folder."""

import logging
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch

from mtl_core.assets import Assets, build_tasks
from mtl_core.errors import ConfigError, NotReadyError, TrainingError
from mtl_core.export import export_best
from mtl_core.files import InUseError, hold
from mtl_core.leftovers import remove_parts
from mtl_core.model.starting import StartingWeights
from mtl_core.model.trained import describe_trained
from mtl_core.saved_model import load_model
from mtl_core.scores import main_scores
from mtl_core.training.checkpoint import finish_checkpoint
from mtl_core.training.distributed import Place
from mtl_core.training.loop import train
from mtl_core.training.report import Report, best_report, epochs_text, why_no_number
from tuning.study.config import StudyFile
from tuning.watch.run_display import RunDisplay

logger = logging.getLogger(__name__)


def train_study(
    study: StudyFile, output: Path, display: RunDisplay, *, start: StartingWeights | None = None
) -> Path:
    """Trains the recipe of a study file; goes on when the folder holds a checkpoint of it.

    Args:
        study: The study; its `search` is passed over.
        output: Folder for checkpoint/ and model/; no other process may train in it meanwhile.
        display: Shows epochs and steps.
        start: Weights to begin with; None = the pretrained encoder, and new heads.

    Returns:
        The folder of the model at its best report.

    Raises:
        ConfigError: The folder cannot be written or holds another recipe; `start` has another
            encoder.
        NotReadyError: The folder is in use.
        TrainingError: The loss is not finite, or the objective is no number in any epoch.
    """
    _check_objective(study)
    is_new = not output.exists()
    try:
        output.mkdir(parents=True, exist_ok=True)
        lock = hold(output)
    except InUseError as error:
        raise NotReadyError(
            f"--output: another process trains in {output}; wait for it, or choose another folder"
        ) from error
    except OSError as error:
        raise ConfigError(f"--output: cannot write to {output}: {error.strerror}") from error
    try:
        remove_parts(output)
        return _train_in(study, output, display, start)
    finally:
        lock.release()
        if is_new:
            _remove_unused(output)


def _check_objective(study: StudyFile) -> None:
    """Refuses an objective that is relative to scores which `mtl tune` would measure first."""
    objective = study.study.objective
    if unknown := objective.unmeasured(study.counted_tasks):
        given = " ".join(f"--set study.objective.baselines.{name}=SCORE" for name in unknown)
        raise ConfigError(
            f"study.objective: {objective.kind} does not know the score of {', '.join(unknown)} "
            f"alone, which `mtl tune` measures; give it: {given}"
        )


def _remove_unused(folder: Path) -> None:
    """Removes a folder in which nothing was written but its lock: what it is for was refused."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] in ([], [".lock"]):
            shutil.rmtree(folder)


def starting_weights(folder: Path, *, trust_code: bool = False) -> StartingWeights:
    """Returns the weights of a saved model, for a run to begin with.

    Args:
        folder: The folder of the model.
        trust_code: Whether code of the model's own kinds of tasks may run.

    Raises:
        ConfigError: The folder holds no model, or one that names code that is not trusted.
    """
    saved = load_model(folder, trust_code=trust_code)
    return StartingWeights(f"--init-from {folder}", saved.model, saved.tasks)


def _train_in(
    study: StudyFile, output: Path, display: RunDisplay, start: StartingWeights | None
) -> Path:
    """Trains in a folder that this process holds; see `train_study`."""
    # As many threads as a trainer has: the numbers of a replayed trial depend on it.
    torch.set_num_threads(study.study.resources.cpus)
    display.stage("loading the encoder")
    # Loaded here and not inside of `train`, since the export needs tokenizer and labels as well.
    assets = Assets.load(study.run, device=Place.current().device, start=start)
    if start is not None:
        display.line(_what_starts(start, assets, study))
    checkpoint = output / "checkpoint"
    reports = _train(study, assets, checkpoint, display)
    best = _best(reports)
    display.stage("saving the model")
    export_best(
        checkpoint,
        output / "model",
        config=study.run,
        assets=assets,
        dev={"combined": best.combined, "joint_accuracy": best.joint_accuracy, **best.dev},
        test=None,  # Scored when the user asks for it, with `mtl evaluate`.
        about=study.study.card,
    )
    finish_checkpoint(checkpoint)
    where = epochs_text(best.progress)
    display.result(f"best epoch {where}: combined {best.combined:.4f}; {output / 'model'}")
    return output / "model"


def _best(reports: Sequence[Report]) -> Report:
    """Returns the best report; a warning names those without a number.

    Raises:
        TrainingError: None has one.
    """
    whole = [report for report in reports if not report.is_sample]
    reasons = [reason for report in whole if (reason := why_no_number(report)) is not None]
    best = best_report(reports)
    if best is None:
        raise TrainingError(f"{reasons[-1]}; so in all reports, {len(whole)}: no model is saved")
    if reasons:
        logger.warning(
            "%s; so in %d of %d reports, the model is that of epoch %s",
            reasons[-1], len(reasons), len(whole), epochs_text(best.progress),
        )  # fmt: skip
    return best


def _what_starts(start: StartingWeights, assets: Assets, study: StudyFile) -> str:
    """Returns the line that says what the run begins with."""
    tasks = build_tasks(study.run, assets.data.datasets)
    kept = start.kept(assets.new_model(study.run, tasks), tasks)
    new = [name for name in tasks if name not in kept]
    heads = f"; heads of {', '.join(kept)}" if kept else ""
    others = f"; new heads for {', '.join(new)}, whose labels or layers are others" if new else ""
    return f"begins with {start.name.removeprefix('--init-from ')}: its encoder{heads}{others}"


def _train(study: StudyFile, assets: Assets, checkpoint: Path, display: RunDisplay) -> list[Report]:
    """Trains, and shows every epoch and what comes to train in it; returns all reports."""
    reports: list[Report] = []
    for report in train(
        study.run,
        objective=study.study.objective,
        checkpoint=checkpoint,
        assets=assets,
        on_progress=display.step,
    ):
        # Gradual unfreezing changes what trains from epoch to epoch; a line only when it does.
        if not reports or report.trained != reports[-1].trained:
            display.line(f"trains: {describe_trained(report.trained)}")
        display.line(_line(report, study.run.training.epochs))
        reports.append(report)
    return reports


def _line(report: Report, epochs: int) -> str:
    """Returns the line of a report: main scores on dev, mean losses on train, speed."""
    scores = "  ".join(
        f"{task} {value:.4f}" for task, (_, value) in main_scores(report.dev).items()
    )
    losses = "  ".join(f"{task} {loss:.3f}" for task, loss in report.losses.items())
    dev = "sample of dev" if report.is_sample else "dev"
    return (
        f"epoch {epochs_text(report.progress)}/{epochs}  {dev}: combined {report.combined:.4f}  "
        f"{scores}  joint {report.joint_accuracy:.4f}  loss: {losses}  "
        f"{report.sentences_per_second:.0f} sentences/s  {report.seconds:.1f} s"
    )
