"""Precision: what `auto` is on which device, who says so, and that a run keeps it."""

import json
import logging
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import RunConfigFactory
from short_runs import assert_same, run

from mtl_core.assets import Assets
from mtl_core.export import export_best
from mtl_core.model.autocast import DTYPES, Precision, autocast
from mtl_core.training import precision
from mtl_core.training.best import load_best, read_best
from mtl_core.training.loop import train
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.precision import Choice, advise, agreed, choose, describe
from mtl_core.training.run import Run

CPU, GPU = torch.device("cpu"), torch.device("cuda")
ENCODER = SimpleNamespace(hidden_size=64, intermediate_size=256)
SetProcessor = Callable[[str, float | None], None]


@pytest.fixture(autouse=True)
def nothing_measured() -> None:
    """Forgets what was measured and said in this process."""
    precision.product_share.cache_clear()
    precision.warn_once.cache_clear()


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> SetProcessor:
    """Makes this one look like another: what it says of itself, and the share that is measured."""

    def set_to(instructions: str, share: float | None) -> None:
        def measure(*_: object) -> float:
            assert share is not None, "nothing was to be timed"
            return share

        monkeypatch.setattr(precision, "bf16_instructions", lambda: instructions)
        monkeypatch.setattr(precision, "product_share", measure)

    return set_to


@pytest.mark.parametrize(
    ("instructions", "share", "expected", "reason"),
    [
        ("AMX", 0.2, "bf16", "a product in bf16 takes 0.20 of its time in fp32 (AMX)"),
        ("AVX512 bf16", 0.45, "bf16", "a product in bf16 takes 0.45 of its time in fp32"),
        ("AVX512 bf16", 0.95, "fp32", "a product in bf16 takes 0.95 of its time in fp32"),
        ("AVX512 bf16", 5.55, "fp32", "a product in bf16 takes 5.5 times its time in fp32"),
        ("", None, "fp32", "this processor has no bf16 instructions"),
        ("aarch64", 0.6, "bf16", "a product in bf16 takes 0.60 of its time in fp32 (aarch64)"),
        ("arm64", 1.3, "fp32", "a product in bf16 takes 1.3 times its time in fp32 (arm64)"),
    ],
)
def test_auto_on_processors(
    processor: SetProcessor,
    instructions: str,
    share: float | None,
    expected: str,
    reason: str,
) -> None:
    processor(instructions, share)
    choice = choose("auto", CPU, ENCODER)
    assert (choice.precision, choice.advice) == (expected, "")
    assert choice.reason.startswith(reason)
    line = f"precision: auto = {expected} on this machine: {choice.reason}"
    assert describe("auto", choice) == line


@pytest.mark.parametrize(
    ("capability", "expected", "advice"),
    [
        ((9, 0), "bf16", ""),
        ((8, 0), "bf16", ""),
        ((7, 5), "fp32", "its fast format is fp16: training.precision=fp16"),
        ((7, 0), "fp32", "its fast format is fp16: training.precision=fp16"),
        ((6, 1), "fp32", ""),
    ],
)
def test_auto_on_gpus(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: str, advice: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    choice = choose("auto", GPU, ENCODER)
    assert (choice.precision, choice.advice) == (expected, advice)
    assert f"compute capability {capability[0]}.{capability[1]}" in describe("auto", choice)


@pytest.mark.parametrize(
    ("wanted", "capability", "advice"),
    [
        ("bf16", (8, 0), ""),
        ("bf16", (7, 5), "bf16 is slow on this GPU (compute capability 7.5), which has no units"),
        ("fp16", (7, 5), ""),
        ("fp16", (6, 1), "fp16 is slow on this GPU (compute capability 6.1), which has no units"),
        ("fp32", (6, 1), ""),
    ],
)
def test_what_is_named_is_kept_on_gpus(
    monkeypatch: pytest.MonkeyPatch,
    wanted: precision.Wanted,
    capability: tuple[int, int],
    advice: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    choice = choose(wanted, GPU, ENCODER)
    assert choice.precision == wanted
    assert choice.advice.startswith(advice)
    assert bool(choice.advice) == bool(advice)


def test_what_is_named_and_slow_is_said_once(
    processor: SetProcessor, caplog: pytest.LogCaptureFixture
) -> None:
    processor("", 7.3)
    for _ in range(2):
        choice = choose("bf16", CPU, ENCODER)
        assert choice.precision == "bf16"
        advise(choice)
    [record] = caplog.records
    text = "bf16 is 7.3 times slower than fp32 on this processor; auto would choose fp32"
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"training.precision: {text}"
    assert describe("bf16", choice) == f"precision: {text}"


def test_what_is_named_and_fast_is_not_talked_of(
    processor: SetProcessor, caplog: pytest.LogCaptureFixture
) -> None:
    processor("AMX", 0.2)
    choice = choose("bf16", CPU, ENCODER)
    advise(choice)
    assert choice == Choice("bf16")
    assert not caplog.records
    assert describe("bf16", choice) == "precision: bf16"


def test_fp16_is_measured_against_what_auto_would_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = {"fp16": 8.0, "bf16": 0.5}
    monkeypatch.setattr(precision, "bf16_instructions", lambda: "AMX")
    monkeypatch.setattr(precision, "product_share", lambda name, *_: shares[name])
    advice = "fp16 is 8.0 times slower than fp32 on this processor; auto would choose bf16"
    assert choose("fp16", CPU, ENCODER) == Choice("fp16", advice=advice)


def test_workers_that_differ_compute_in_fp32() -> None:
    assert agreed(["bf16"]) == "bf16"
    assert agreed(["bf16", "bf16"]) == "bf16"
    assert agreed(["bf16", "fp32", "bf16"]) == "fp32"
    assert agreed(["fp16", "fp16"]) == "fp16"


@pytest.mark.parametrize("slowed", ["bf16", "fp32"])
def test_the_least_of_several_times_counts(monkeypatch: pytest.MonkeyPatch, slowed: str) -> None:
    """One has a product of 1 ms, one of 5 ms; all others that run here add up to 50 ms to some."""
    dtype, calls = DTYPES[slowed], [0]

    def seconds(rows: torch.Tensor, weight: torch.Tensor) -> float:
        calls[0] += 1
        noise = 0.05 if calls[0] % 3 else 0.0
        return (0.005 if rows.dtype == dtype else 0.001) + noise

    monkeypatch.setattr(precision, "seconds_of_product", seconds)
    share = precision.product_share("bf16", 8, 16)
    assert share == pytest.approx(5 if slowed == "bf16" else 0.2)
    assert precision.product_share("bf16", 8, 16) == share
    assert calls == [12]  # once a process: a product to warm up and five, of each


def test_slow_bf16_is_not_chosen_though_the_flags_say_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "bf16_instructions", lambda: "AVX512 bf16")
    seconds = {torch.bfloat16: 0.005, torch.float32: 0.001}
    monkeypatch.setattr(precision, "seconds_of_product", lambda rows, _: seconds[rows.dtype])
    assert choose("auto", CPU, ENCODER).precision == "fp32"


def test_measuring_leaves_random_numbers_and_threads_alone() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        precision.product_share("bf16", 8, 16)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="the masks are those of x86"
)
def test_a_masked_processor_computes_in_fp32() -> None:
    """Its flags still tell of bf16, where it has it; only the time does not."""
    masks = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"}
    code = (
        "import torch; from types import SimpleNamespace;"
        "from mtl_core.training.precision import choose;"
        "encoder = SimpleNamespace(hidden_size=384, intermediate_size=1536);"
        "print(choose('auto', torch.device('cpu'), encoder).precision)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | masks,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "fp32", done.stderr


@pytest.mark.parametrize("name", ["bf16", "fp16", "fp32"])
def test_autocast_multiplies_in_the_precision(name: Precision) -> None:
    left = torch.ones(2, 2)
    with autocast(CPU, name):
        assert (left @ left).dtype == DTYPES[name]


def test_every_report_names_the_precision(
    run_config: RunConfigFactory, processor: SetProcessor
) -> None:
    for share, expected in ((0.4, "bf16"), (5.0, "fp32")):
        processor("AVX512 bf16", share)
        reports = list(train(run_config({"training.precision": "auto"})))
        assert [report.precision for report in reports] == [expected] * 2
        assert json.loads(reports[0].to_json())["precision"] == expected


def test_auto_gives_the_numbers_of_what_it_chose(
    run_config: RunConfigFactory, processor: SetProcessor, tmp_path: Path
) -> None:
    processor("AMX", 0.4)
    _, chosen = run(run_config({"training.precision": "auto"}), tmp_path / "auto")
    _, named = run(run_config({"training.precision": "bf16"}), tmp_path / "bf16")
    assert_same(chosen, named)


def test_a_resumed_run_keeps_its_precision(
    run_config: RunConfigFactory, processor: SetProcessor, tmp_path: Path
) -> None:
    """Begun where bf16 is fast, it goes on in it where bf16 is slow, bit by bit."""
    config = run_config({"training.precision": "auto"})
    processor("AMX", 0.4)
    _, whole = run(config, tmp_path / "whole")
    list(islice(train(config, checkpoint=tmp_path / "parts"), 1))
    processor("", None)
    reports, parts = run(config, tmp_path / "parts")
    assert [report.precision for report in reports] == ["bf16", "bf16"]
    assert read_best(tmp_path / "parts").precision == "bf16"
    assert_same(parts, whole)


def test_a_saved_model_tells_its_precision(
    run_config: RunConfigFactory, processor: SetProcessor, tmp_path: Path
) -> None:
    """What the run computed in, not what `auto` would be where the model is saved."""
    config = run_config({"training.precision": "auto", "training.epochs": 1})
    assets = Assets.load(config, device=CPU)
    processor("AMX", 0.4)
    list(train(config, checkpoint=tmp_path / "checkpoint", assets=assets))
    processor("", None)
    export_best(
        tmp_path / "checkpoint", tmp_path / "model", config=config, assets=assets, dev={}, test=None
    )
    assert json.loads((tmp_path / "model" / "mtl.json").read_text())["precision"] == "bf16"
    assert "Trained in bf16, " in (tmp_path / "model" / "README.md").read_text()
    assert "precision: auto" in (tmp_path / "model" / "run.yaml").read_text()
    model = Run(config, Mean(), assets=assets).state.model
    assert load_best(tmp_path / "checkpoint", model) == "bf16"
