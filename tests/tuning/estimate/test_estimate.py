"""What a study will take: sizes against those of real runs, and what is told."""

from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory

from mtl_core.assets import load_data
from mtl_core.errors import ConfigError
from mtl_core.paths import cache_folder
from mtl_core.training.loop import train
from mtl_core.training.objectives.mean import Mean
from tuning.cli.show_estimate import estimate_lines
from tuning.estimate.estimate import estimate_study
from tuning.estimate.timing import Stopwatch
from tuning.study.companions import companions
from tuning.study.config import StudyFile
from tuning.study.final_scores import FinalScores
from tuning.study.folder import StudyFolder
from tuning.study.result import Result, write_result

FROZEN = {
    "freezing": {"kind": "lower_layers", "layers": 1},
    "training": {"epochs": 3, "batch_size": 4, "precision": "fp32"},
}

FINALS = {"recipes": 2, "seeds": 3}


def test_disk_and_states_are_those_of_a_real_run(
    run_config: RunConfigFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    config = run_config(FROZEN)
    found = Stopwatch(Mean(), torch.device("cpu")).time(config)
    # Nothing of it is left, neither states nor checkpoints.
    assert not (cache_folder() / "prefix").exists()
    assert cache_folder() == tmp_path / "cache"
    for report in train(config, checkpoint=tmp_path / "real"):
        if report.epoch == 1:
            break
    files = {file.name: file.stat().st_size for file in (tmp_path / "real").iterdir()}
    # But for the hashes of the data, and the digits of the numbers in a report.
    assert found.checkpoint_bytes == pytest.approx(sum(files.values()), rel=0.02)
    assert found.weights_bytes == pytest.approx(min(files.values()), rel=0.02)
    states = [file.stat().st_size for file in (cache_folder() / "prefix").glob("*/*.bin")]
    assert found.states_bytes == pytest.approx(sum(states), rel=0.3)
    assert found.epochs == 3
    assert min(found.setup, found.epoch, found.states) > 0


def test_an_epoch_takes_as_long_as_its_parts(run_config: RunConfigFactory) -> None:
    once = run_config(FROZEN)
    often = run_config({**FROZEN, "training": {**FROZEN["training"], "reports_per_epoch": 2}})
    rows = len(load_data(once).datasets["corpus"].splits["train"])
    assert rows >= 16
    watch = Stopwatch(Mean(), torch.device("cpu"))
    watch.time(once)
    plain, scored = watch.time(once), watch.time(often)
    # A second score on dev and a second checkpoint, and as many steps.
    assert scored.epoch > plain.epoch / 2
    assert scored.checkpoint_bytes == pytest.approx(plain.checkpoint_bytes, rel=0.02)


def test_a_study_is_estimated_and_told(run_config: RunConfigFactory) -> None:
    search = {
        "freezing": {"choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": 1}]},
        "training.epochs": {"int_range": [2, 4]},
    }
    run = run_config({"training": {"epochs": 4, "batch_size": 16}}).model_dump(mode="json")
    study = StudyFile.model_validate(
        {"run": run, "search": search, "study": {"name": "a", "trials": 6, "finals": FINALS}}
    )
    before = torch.get_num_threads()
    found = estimate_study(study)
    assert torch.get_num_threads() == before
    # Trial 0 has four epochs, every other one at least, and none more than four.
    assert 4 + 5 <= found.epochs.low <= found.epochs.high <= found.epochs.most <= 6 * 4
    assert 0 < found.seconds.low < found.seconds.high
    assert 0 < found.disk.stay < found.disk.most
    [finals] = found.stages
    # Three recipes with three seeds, none of which ends early.
    assert finals.runs == 9
    assert 9 * 2 <= finals.epochs <= 9 * 4
    assert 0 < finals.seconds < found.seconds.high
    head, epoch, trials, told, time, disk = estimate_lines(found, "asha")
    assert told.startswith("  finals    9 runs on the full budget, on top: ")
    assert "9 recipes" in head
    assert " with others" in epoch
    assert trials.startswith("  trials    6, ")
    assert "empty cache" in time
    assert disk.endswith(" stay, and the model")


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks what is said where there is no GPU")
def test_trainers_that_take_gpus_cannot_be_timed_without_one(run_config: RunConfigFactory) -> None:
    study = StudyFile.model_validate(
        {
            "run": run_config().model_dump(mode="json"),
            "study": {"name": "a", "trials": 1, "resources": {"gpus": 1}},
        }
    )
    with pytest.raises(ConfigError, match="GPU"):
        estimate_study(study)


def test_baselines_that_are_not_there_yet_come_on_top(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    run = run_config({"training": {"epochs": 2, "batch_size": 16}}).model_dump(mode="json")
    section = {
        "name": "a", "storage": str(tmp_path), "trials": 3, "baselines": "tuned",
        "objective": {"kind": "relative_gain"}, "scheduler": {"kind": "none"},
    }  # fmt: skip
    rate = {"optimizer.head_lr": {"log_range": [1e-4, 1e-2]}}
    study = StudyFile.model_validate({"run": run, "search": rate, "study": section})
    first, second = companions(study)
    best = FinalScores("0000", {}, {"combined": 0.5})
    first.study.folder.mkdir(parents=True)
    write_result(StudyFolder(first.study.folder), Result(best=best))
    [baselines] = estimate_study(study).stages
    assert (baselines.runs, baselines.epochs, baselines.is_whole) == (3, 6, False)
    assert baselines.seconds > 0
    assert {first.task, second.task} == set(study.run.tasks)
