"""The benchmark of faults: what it looks for is found, and a short version of it finds nothing."""

import importlib
import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from local_trainers import trainers_here

from tuning import tune
from tuning.search.samplers.kinds import SamplerSection
from tuning.search.schedulers.kinds import SchedulerSection
from tuning.study.load import load_study

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def chaos(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("chaos")


@pytest.fixture
def study(chaos: ModuleType) -> ModuleType:
    return importlib.import_module("_chaos_study")


@pytest.fixture
def plan(chaos: ModuleType) -> ModuleType:
    return importlib.import_module("_chaos_plan")


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder with a short path: sockets of Ray lie below it."""
    folder = Path(tempfile.mkdtemp(prefix="ch", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def write_journal(folder: Path, *records: dict[str, object]) -> None:
    lines = [json.dumps(record) + "\n" for record in records]
    (folder / "optuna.journal").write_text("".join(lines), encoding="utf-8")


def ended(trial: int, state: int) -> dict[str, object]:
    return {"op_code": 6, "trial_id": trial, "state": state}


def test_a_trial_that_is_told_twice_is_found(study: ModuleType, tmp_path: Path) -> None:
    write_journal(tmp_path, ended(0, 0), ended(0, 1), ended(1, 0), ended(1, 2))
    assert study.told_twice(tmp_path) == []
    write_journal(tmp_path, ended(0, 0), ended(0, 1), ended(0, 1))
    assert study.told_twice(tmp_path) == ["trial 0, end"]


def test_a_report_that_is_there_twice_or_missing_is_found(
    study: ModuleType, tmp_path: Path
) -> None:
    reports = tmp_path / "trials/0000/reports.jsonl"
    reports.parent.mkdir(parents=True)
    for numbers, is_wrong in (([1, 2, 3], False), ([1, 2, 2], True), ([1, 3], True), ([2], True)):
        reports.write_text("".join(f'{{"number": {number}}}\n' for number in numbers))
        assert bool(study.told_twice(tmp_path)) == is_wrong


def test_what_is_half_written_is_found(study: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"a": 1}')
    assert study.half_written(tmp_path) == []
    (tmp_path / "result.json").write_text('{"a": ')
    (tmp_path / ".report.md.part").touch()
    (tmp_path / "infinite.json").write_text('{"a": Infinity}')
    (tmp_path / ".scratch").mkdir()
    found = sorted(study.half_written(tmp_path))
    assert found == [".report.md.part", ".scratch", "infinite.json", "result.json"]


def test_studies_that_differ_and_lost_trials_are_found(study: ModuleType) -> None:
    wanted = {"ended": {"0000": "complete", "0001": "stopped", "0002": "failed"}}
    assert study.lost(wanted, wanted) == []
    assert study.lost({"ended": {"0000": "failed", "0002": "failed"}}, wanted) == ["0000", "0001"]
    first = {"reports": {"0000": [0.5, float("nan")]}, "weights": {}}
    assert study.differences(first, {"reports": {"0000": [0.5, float("nan")]}, "weights": {}}) == []
    other = {"reports": {"0000": [0.5000001, float("nan")]}, "weights": {"a": "b"}}
    assert study.differences(first, other) == ["/reports/0000", "/weights/a"]


def test_every_kind_of_fault_is_drawn_before_one_comes_again(plan: ModuleType) -> None:
    names = {fault.name for fault in plan.FAULTS}
    assert {fault.name for fault in plan.drawn(len(names), 3, can_mount=True)} == names
    faults = plan.drawn(60, 3, can_mount=False)
    assert "disk full" not in {fault.name for fault in faults}
    dealt = list(plan.studies_of(faults, random.Random(0)))
    assert sorted(f.name for _, taken in dealt for f in taken) == sorted(f.name for f in faults)
    assert all(setup in fault.setups for setup, taken in dealt for fault in taken)
    assert len(plan.short()) == 10


def test_a_study_that_is_stuck_without_a_fault_is_said(
    chaos: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stuck(*_: object, **__: object) -> None:
        raise chaos.StuckError("5 starts without progress")

    monkeypatch.setattr(chaos, "run", stuck)
    monkeypatch.setattr("sys.argv", ["chaos.py", "--short"])
    with pytest.raises(SystemExit) as ended:
        chaos.main()
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "without a fault: stuck: 5 starts without progress" in said
    assert "\nstuck: 1\n" in said


def test_every_sampler_and_every_scheduler_is_searched_with(
    study: ModuleType, tmp_path: Path
) -> None:
    def kinds(section: object) -> set[str]:
        union, _ = get_args(section)
        return {kind for one in get_args(union) for kind in get_args(one.__annotations__["kind"])}

    inputs = study.Inputs(tmp_path, sentences=8)
    found = [load_study(str(inputs.write(tmp_path, name))).study for name in study.SEARCHES]
    samplers, schedulers = kinds(SamplerSection), kinds(SchedulerSection)
    assert {one.sampler.kind for one in found} == samplers
    assert {one.scheduler.kind for one in found} == schedulers
    assert len(found) == max(len(samplers), len(schedulers))


def test_a_checkpoint_that_is_taken_over_twice_is_found(study: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"seconds": 1.0}')
    found = []
    for told in (["a"], ["a", "a"]):
        write_journal(tmp_path, {"op_code": 8, "trial_id": 1, "user_attr": {"taken_over": told}})
        found.append(study.essence_of(tmp_path))
    assert study.differences(*found) == ["/taken_over/0001"]


def test_only_the_reports_that_were_taken_away_are_not_compared(study: ModuleType) -> None:
    def essence(reports: dict[str, list[int]], precision: str | None) -> dict[str, object]:
        best = {"trial": "0001", "precision": precision, "dev": 0.5}
        return {"reports": reports, "result": {"best": best, "default": {"trial": "0000"}}}

    def places(found: dict[str, object], run_ids: set[str]) -> list[str]:
        wanted = essence({"0000": [1], "0001": [1, 2]}, "fp32")
        return study.differences(*(study.without_reports(one, run_ids) for one in (found, wanted)))

    lost = essence({"0000": [1]}, None)
    assert places(lost, {"0001"}) == []
    assert places(lost, set()) == ["/reports/0001", "/result/best/precision"]
    assert places(essence({"0000": [3]}, None), {"0001"}) == ["/reports/0000"]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_ten_faults_leave_no_trace(
    chaos: ModuleType, study: ModuleType, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def undisturbed(place: Any, setup: str, rng: random.Random) -> dict[str, object]:
        """The study that the others have to equal, in this process: no Ray is started for it."""
        with ExitStack() as stack:
            attack = place.study(setup, rng, stack, mount=False)
            stack.enter_context(trainers_here())
            tune(attack.study)
            return study.essence_of(attack.folder)

    monkeypatch.setattr(chaos, "undisturbed", undisturbed)
    ledger = chaos.Ledger()
    chaos.run(root, chaos.short(), ledger, 0, can_mount=False, keep=False)
    assert len(ledger.faults) == 10
    wrong = [entry for entry in (*ledger.faults, *ledger.studies) if entry.faults]
    assert wrong == []
