"""The benchmark for a machine with a GPU: what of it runs without one."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tuning.study.load import load_study

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["gpu.py"])
    return importlib.import_module("gpu")


def test_without_a_gpu_one_line_says_so(
    gpu: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        gpu.main()
    assert exit_.value.code == 2
    assert capsys.readouterr().err == (
        "gpu: torch finds no CUDA device; run this on a machine with an NVIDIA GPU\n"
    )


def test_a_step_is_compared_with_a_trainer_in_the_same_precision(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def measure(contender: str, precision: str) -> dict[str, float]:
        told.append((contender, precision))
        return {"speed": 300.0 if contender == "ours" else 100.0, "score": 0.9}

    monkeypatch.setattr(gpu.full_step, "measure", measure)
    row = gpu.step("bf16", 2)
    assert told == [("ours", "bf16"), ("trainer_half", "bf16")] * 2
    assert (row.ours, row.theirs, row.ratio) == (300, 100, 3)


@pytest.mark.parametrize(("share", "trainers"), [(0.5, 2), (1.0, 1)])
def test_the_studies_share_a_card_or_do_not(gpu: ModuleType, share: float, trainers: int) -> None:
    study = load_study("demo", gpu.study("bf16", share))
    assert (study.study.resources.gpus, study.study.resources.trainers) == (share, trainers)
    assert study.study.scheduler.kind == "none"
    assert study.max_epochs == gpu.EPOCHS


def test_trials_are_counted_by_their_reports(gpu: ModuleType) -> None:
    """Four trials of three epochs: eleven reports in the 110 seconds after the first."""
    curve = [(60.0 + 10 * number, 0.5) for number in range(12)]
    assert gpu.speed_of(curve) == pytest.approx(11 / 3 / (110 / 60))


def test_the_frozen_encoder_is_measured(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu.prefix_cache, "SENTENCES", 40)
    monkeypatch.setattr(gpu.prefix_cache, "DEV", 40)
    monkeypatch.setattr(gpu.prefix_cache, "ROUNDS", 1)
    row = gpu.frozen("fp32")
    assert row.ours > 0 < row.theirs
    assert row.what.startswith("encoder frozen (dev ")
