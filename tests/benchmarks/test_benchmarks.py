"""Benchmarks that train do what they say; the measurements themselves are no tests."""

import importlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from mtl_core.assets import build_tasks
from mtl_core.model import multitask
from mtl_core.model.attention import fast_attention
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.training import precision

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

Load = Callable[[str], ModuleType]
RowsOf = Callable[..., list[Any]]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Imports a benchmark; what it changes of this process is put back."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    threads = torch.get_num_threads()
    yield importlib.import_module
    torch.set_num_threads(threads)


@pytest.fixture
def small(load: Load, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports a benchmark that trains, with 40 sentences a split."""

    def import_small(name: str) -> ModuleType:
        benchmark = load(name)
        monkeypatch.setattr(benchmark, "SENTENCES", 40)
        monkeypatch.setattr(benchmark, "DEV", 40)
        return benchmark

    return import_small


@pytest.fixture
def rows_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RowsOf:
    """Runs a benchmark's main with options and returns the rows that it writes."""

    def run(benchmark: ModuleType, *options: str) -> list[Any]:
        path = tmp_path / "out.json"
        monkeypatch.setattr("sys.argv", ["benchmark.py", "--json", str(path), *options])
        benchmark.main()
        rows: list[Any] = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return rows

    return run


@pytest.mark.parametrize(("share", "expected"), [(0.4, "bf16"), (5.0, "fp32")])
def test_the_precision_is_resolved_once(
    load: Load, monkeypatch: pytest.MonkeyPatch, share: float, expected: str
) -> None:
    """Contenders are told it; where it is fp32, none is left that stands for half precision."""
    monkeypatch.setattr(precision, "bf16_instructions", lambda: "AVX512 bf16")
    monkeypatch.setattr(precision, "product_share", lambda *_: share)
    monkeypatch.setattr("sys.argv", ["full_step.py"])
    assert load("_harness").with_precision().precision == expected
    benchmark, told = load("full_step"), []
    found = {"speed": 2.0, "score": 0.9, "peak": 100.0, "gflops": 1.0}
    shares = dict.fromkeys([*benchmark.GROUPS, "all else"], 0.1)

    def measure(contender: str, precision: str) -> dict[str, Any]:
        told.append((contender, precision))
        return found | {"shares": shares}

    monkeypatch.setattr(benchmark, "measure", measure)
    rows = list(benchmark.rows(1, expected))
    assert {precision for _, precision in told} == {expected}
    assert ("trainer_half" in dict(told)) == (expected == "bf16")
    whats = [row.what.partition(" (dev")[0] for row in rows]
    assert whats[0] == "a Transformers Trainer, its defaults (fp32)"
    assert rows[0].target == 3.0
    assert ("a Transformers Trainer, bf16" in whats) == (expected == "bf16")
    assert f"a plain loop, {expected}, similar lengths" in whats


@pytest.mark.parametrize(
    ("contender", "precision"),
    [("ours", "fp32"), ("trainer", "bf16"), ("trainer_half", "bf16"), ("plain", "bf16")],
)
def test_contenders_of_the_full_step_train(
    small: Load, contender: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 40 sentences: each says how fast it was and what it reached."""
    benchmark = small("full_step")
    monkeypatch.setattr(benchmark, "EPOCHS", 2)
    found = benchmark.CONTENDERS[contender](precision)
    assert found["speed"] > 0
    assert 0 <= found["score"] <= 1


def test_ours_without_its_levers_computes_as_torch_does(
    small: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = small("full_step")
    models: list[MultiTaskModel] = []

    def run_ours(precision: str) -> dict[str, Any]:
        config = benchmark.configure(precision)
        assets = benchmark.load(config)
        models.append(assets.new_model(config, build_tasks(config, assets.data.datasets)))
        return {}

    monkeypatch.setattr(benchmark, "run_ours", run_ours)
    for _, function in benchmark.LEVERS.values():
        # Put back after this test, as each contender has a process of its own otherwise.
        monkeypatch.setattr(multitask, function, getattr(multitask, function))
    for lever in benchmark.LEVERS:
        benchmark.CONTENDERS[lever]("fp32")
    last = models[-1]  # By now all of them are taken away.
    assert last.encoder.config._attn_implementation == "sdpa"
    assert last.row_embedding is None
    names = {type(module).__name__ for module in last.modules()}
    assert "Dropout" in names
    assert not any(name != "Dropout" and "Dropout" in name for name in names)


def test_others_train_with_torchs_own_parts(small: Load) -> None:
    benchmark = small("full_step")
    model = benchmark.make_peer(benchmark.configure("fp32")).model
    assert model.encoder.config._attn_implementation == "sdpa"
    dropouts = {
        type(module).__name__ for module in model.modules() if "dropout" in str(type(module))
    }
    assert dropouts == {"Dropout"}


def test_attention_is_measured_against_torchs(
    load: Load, rows_of: RowsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = load("attention")
    monkeypatch.setattr(benchmark, "LENGTHS", [5, 20])
    monkeypatch.setattr(benchmark, "ROUNDS", 2)

    def slow(*parts: Any, **settings: Any) -> Any:
        time.sleep(0.01)
        return fast_attention(*parts, **settings)

    monkeypatch.setattr(benchmark, "fast_attention", slow)
    rows = rows_of(benchmark, "--precision", "bf16")
    assert all(row["ratio"] < 1 for row in rows)
    assert [row["what"].partition(" (")[0] for row in rows] == ["rows of 5", "rows of 20"]
    for row in rows:
        differ = float(re.findall(r"0\.\d+", row["what"])[0])
        assert 0 < differ < 0.05


def test_most_of_a_step_are_products_of_matrices(small: Load) -> None:
    benchmark = small("full_step")
    shares = benchmark.run_profile("fp32")["shares"]
    assert max(shares, key=shares.get) == "products of matrices"
    assert all(0 < share < 1 for share in shares.values())


def test_weightings_are_measured_by_their_steps(
    load: Load, rows_of: RowsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = load("weighting_cost")
    monkeypatch.setattr(benchmark, "ROUNDS", 1)
    monkeypatch.setattr(benchmark, "LOSSES", ["famo"])
    monkeypatch.setattr(benchmark, "GRADIENTS", ["pcgrad"])
    rows = rows_of(benchmark, "--precision", "fp32")
    assert [row["what"] for row in rows] == [
        "step, famo against fixed",
        "step, pcgrad against fixed",
    ]
    assert all(row["ours"] > 0 for row in rows)


def test_looks_are_measured_against_steps(
    load: Load, rows_of: RowsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = load("look_cost")
    monkeypatch.setattr(benchmark, "LOOKS", 1)
    monkeypatch.setattr(benchmark, "STEPS_BETWEEN", 1)
    name, tasks = next(iter(benchmark.CASES.items()))
    monkeypatch.setattr(benchmark, "CASES", {name: tasks})
    [row] = rows_of(benchmark, "--precision", "fp32")
    assert row["what"] == "look against step, two tasks on one data set"
    # Three forward passes and two backward passes against one of each.
    assert row["ours"] > 1.5 * row["theirs"] > 0


def test_twins_have_rows_of_their_own_and_mixed_labels_are_exchanged(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    benchmark = load("twin_tasks")
    monkeypatch.setattr(benchmark, "ROWS", 150)
    first, second, third = benchmark.parts().values()
    assert len(first) == len(second) == len(third) == 150
    before = benchmark.generate_sample()["train"]
    plain = [row for row in before if len(row.labels) == 2][:450]
    assert [*first, *second] == plain[:300]
    assert [row.words for row in third] == [row.words for row in plain[300:]]
    intents = [[row.labels["intent"] for row in rows] for rows in (third, plain[300:])]
    assert sorted(intents[0]) == sorted(intents[1])
    right = sum(one == other for one, other in zip(*intents, strict=True))
    assert right < 50  # By chance alone.
    config = benchmark.config_of(tmp_path)
    assert config.tasks["twin"].datasets != config.tasks["intent"].datasets


def test_heads_are_trained_side_by_side(
    small: Load, load: Load, rows_of: RowsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    small("prefix_cache")
    benchmark = load("heads_together")
    monkeypatch.setattr(benchmark, "ROUNDS", 1)
    monkeypatch.setattr(benchmark, "RATES", (1e-3, 1e-2))
    (row,) = rows_of(benchmark, "--precision", "fp32")
    assert row["ours"] > 0 < row["theirs"]
    assert all(0 < float(score) <= 1 for score in re.findall(r"0\.\d+", row["what"]))


def test_the_prefix_cache_is_measured(
    small: Load, rows_of: RowsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 40 sentences: with the cache and without it, a run reaches the same dev score."""
    benchmark = small("prefix_cache")
    monkeypatch.setattr(benchmark, "ROUNDS", 1)
    monkeypatch.setattr(benchmark, "CASES", benchmark.CASES[-1:])
    (row,) = rows_of(benchmark)
    with_cache, without = re.findall(r"0\.\d+", row["what"])
    assert with_cache == without
    assert row["ours"] > 0 < row["theirs"]


def test_studies_are_compared_at_the_score_that_both_reach(load: Load) -> None:
    """Ours is at 0.90 after 50 of 90 seconds, theirs, which ends there, after 250 of 300."""
    benchmark = load("study_time")
    ours = [(30.0, 0.8), (50.0, 0.92), (90.0, 0.95)]
    theirs = [(100.0, 0.7), (250.0, 0.9), (300.0, 0.85)]
    shared, whole = benchmark.compare(7, ours, theirs)
    assert (shared.ours, shared.theirs, shared.ratio) == (50, 250, 5)
    assert "seed 7, dev score 0.9000 (best 0.9500, 0.9000)" in shared.what
    assert not shared.met
    assert (whole.ours, whole.theirs) == (90, 300)
    other, _ = benchmark.compare(8, theirs, ours)
    both = benchmark.median("median", (shared, other))
    assert (both.ours, both.theirs, both.target) == (150, 150, 8)
    assert both.ratio == pytest.approx((5 + 0.2) / 2)
