"""The benchmark of a real population: how it starts, and what it looks at; no study runs here."""

import importlib
import os
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from trials import report

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("pbt_study")


def test_both_studies_begin_with_the_same_trials_far_from_good(
    bench: ModuleType, tmp_path: Path
) -> None:
    pbt, none = (bench.study_file(kind, 3, tmp_path, None) for kind in ("pbt", "none"))
    assert pbt.run == none.run
    assert pbt.search == none.search
    assert pbt.study.scheduler != none.study.scheduler
    own, *others = bench.started(3)
    assert pbt.run.optimizer.encoder_lr == own["optimizer.encoder_lr"]
    assert len(others) == pbt.trials - 1
    for key, (low, high) in bench.RATES.items():
        rates = [one[key] for one in (own, *others)]
        assert len(set(rates)) == bench.TRIALS
        assert all(low < rate < (low * high) ** 0.5 for rate in rates)
    assert bench.started(4) != bench.started(3)


def test_a_file_with_two_names_takes_its_room_once(bench: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "state").write_bytes(bytes(1000))
    os.link(tmp_path / "inner" / "state", tmp_path / "donor")
    (tmp_path / "other").write_bytes(bytes(10))
    assert bench.bytes_of(tmp_path) == 1010


def test_a_peak_is_seen_that_is_gone_again(bench: ModuleType, tmp_path: Path) -> None:
    with bench.watched(tmp_path) as most:
        (tmp_path / "state").write_bytes(bytes(5000))
        while most[0] == 0:
            pass
        (tmp_path / "state").unlink()
    assert most == [5000]


def test_what_is_told_of_a_population(bench: ModuleType, tmp_path: Path) -> None:
    weights = tmp_path / "trials" / "0001" / "checkpoint" / "best.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(bytes(70))
    history = [
        SimpleNamespace(reports=[report(1, 0.1), report(2, 0.4)], taken_over=["0001"]),
        SimpleNamespace(reports=[report(1, 0.3), report(2, 0.9), report(3, 0.8)], taken_over=[]),
    ]
    found = bench.outcome(SimpleNamespace(history=history, folder=tmp_path), 100)
    assert (found.best, found.takeovers, found.peak, found.stayed) == (0.9, 1, 100, 70)
    assert (found.start, found.end) == (pytest.approx(0.2), pytest.approx(0.6))
    assert found.left == ["0001/checkpoint/best.safetensors"]
