"""Scores all trials of a study that still have a checkpoint; test is opened for each of them."""

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import date
from pathlib import Path

import torch

from mtl_core.assets import Assets, assets_key
from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError, DataError, NotReadyError
from mtl_core.files import InUseError, hold
from mtl_core.scores import ScoreTree
from mtl_core.study_file import read_document
from mtl_core.tasks.kinds import outside_kinds
from mtl_core.training.best import has_best
from mtl_core.training.distributed import Place, find_device
from mtl_core.training.objectives.kinds import ObjectiveSection
from mtl_core.validation import validate
from tuning.records import DEFAULT_ID, order_of
from tuning.study.folder import StudyFolder
from tuning.study.measured import read_measured
from tuning.study.openings import Opening, add_opening, read_openings
from tuning.trainers.scoring import score_best


def score_trials(
    path: Path, *, split: str, device: str | None = None, trust_code: bool = False
) -> dict[str, ScoreTree]:
    """Scores the best epoch of every trial that has a checkpoint.

    Each computes in the precision that its run had, so that the best and the default have the
    scores that stand in `result.json`.

    Args:
        path: The study folder; of test it is written down there that it was opened.
        split: "dev" or "test".
        device: Where to compute; None = on a GPU when there is one.
        trust_code: Whether code of the study's own kinds of tasks may run.

    Returns:
        Run id -> scores, as `result.json` has them, in the order of the trials.

    Raises:
        ConfigError: It is no study folder, or none of its trials has a checkpoint.
        NotReadyError: It is in use.
        DataError: The data cannot be read, or has no such split.
    """
    folder, place = StudyFolder(path), find_device(device)
    objective = folder.read_study().study.objective.over(read_measured(folder))
    try:
        # A driver might take a checkpoint away, or write its own result meanwhile.
        lock = hold(path)
    except InUseError as error:
        text = f"{path}: another process is running this study; wait for it"
        raise NotReadyError(text) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot write to the folder: {error.strerror}") from error
    try:
        read_openings(folder)  # Before test is opened: what cannot be written down is not done.
        found = _scores(folder, objective, split, place, trust_code=trust_code)
        if split == "test":
            add_opening(folder, Opening(date.today().isoformat(), found))
    finally:
        lock.release()
    return found


def _scores(
    folder: StudyFolder,
    objective: ObjectiveSection,
    split: str,
    device: torch.device,
    *,
    trust_code: bool,
) -> dict[str, ScoreTree]:
    assets: Assets | None = None
    found: dict[str, ScoreTree] = {}
    for run_id, config in _kept(folder, trust_code=trust_code).items():
        # Trials that differ in optimiser or weighting share encoder and data.
        if assets is None or assets.key != assets_key(config):
            assets = Assets.load(config, device=device)
        scores = score_best(
            folder.checkpoint(run_id),
            config,
            assets,
            objective,
            place=Place(0, 1, device),
            split=split,
            decoding=_found_for(folder, run_id),
        )
        if scores is None:
            known = {name: None for one in assets.data.datasets.values() for name in one.splits}
            raise DataError(f"--split: the data has no '{split}'; there are {', '.join(known)}")
        found[run_id] = scores
    return found


def _found_for(folder: StudyFolder, run_id: str) -> Mapping[str, object]:
    """Returns the settings of decoding that were found for a trial; none for the default recipe."""
    reports = folder.read_reports(run_id) if run_id != DEFAULT_ID else ()
    decoded = reports[-1].decoded if reports else None
    return decoded.taken.settings if decoded is not None and decoded.taken is not None else {}


def _kept(folder: StudyFolder, *, trust_code: bool) -> Mapping[str, RunConfig]:
    """Returns run id -> recipe of the trials that have a checkpoint."""
    names = [entry.name for entry in folder.trials.iterdir()] if folder.trials.is_dir() else []
    kept = [name for name in sorted(names, key=order_of) if has_best(folder.checkpoint(name))]
    if not kept:
        raise ConfigError(
            f"{folder.path}: none of its {len(names)} trials has a checkpoint; a study keeps "
            "those of the best (study.keep_checkpoints) and of trial 0"
        )
    with nullcontext() if trust_code else outside_kinds("refuse"):
        return {
            name: validate(read_document(folder.run(name) / "config.yaml"), RunConfig)
            for name in kept
        }
