"""`mtl clean` removes what can be had again, and nothing else; without `--yes` nothing at all."""

import re
from pathlib import Path

import pytest
from answers import Answer, answer_of, snapshot
from damage import FILES
from full_disks import Disk
from trials import report

from mtl_core.built import open_or_build
from mtl_core.files import hold, locked, remove
from tuning.cluster import socket_folder
from tuning.records import run_id_of
from tuning.search.points import Points
from tuning.study.clock import StudyClock
from tuning.study.config import StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.journal import open_optuna
from tuning.study.recorder import Recorder
from tuning.trainers.tune_values import TrialResult


@pytest.fixture(autouse=True)
def of_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that studies of this user left of Ray: here none, whatever there is."""
    found: list[Path] = []
    monkeypatch.setattr(socket_folder, "leftovers", lambda: found)
    return found


def clean(*words: str | Path) -> Answer:
    answer = answer_of(["clean", *map(str, words)])
    assert answer.trace == ""
    return answer


def left(folder: Path) -> set[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in files if path.suffix != ".lock"}


@pytest.fixture
def full_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one of everything, which takes 1,000 bytes and a few for `meta.json`."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("MTL_CACHE", str(cache))
    for name in (
        *(
            "encoded/a/train.arrow",
            "encoded/a/meta.json",
            "prefix/b/train.bin",
            "prefix/b/meta.json",
        ),
        *("encoded/.c.0123.part/train.arrow", "outlines/d.json", "outlines/.e.json.part"),
        *("fetched/snips/train.csv", "downloads/f/rows.csv", "datasets/g/cache.arrow"),
    ):
        path = cache / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
    return cache


FETCHED = {"fetched/snips/train.csv", "downloads/f/rows.csv", "datasets/g/cache.arrow"}


def test_the_cache_is_told_and_only_then_removed(full_cache: Path) -> None:
    before = snapshot([full_cache])
    told = clean()
    assert told.code == 0
    assert snapshot([full_cache]) == before
    lines = [
        re.sub(rf"{re.escape(str(full_cache))}/", "", line) for line in told.stdout.splitlines()
    ]
    assert lines == [
        "   2.0 KiB  encoded data: encoded/a",
        "   2.0 KiB  what frozen layers compute: prefix/b",
        "    1000 B  outlines of encoders: outlines/d.json",
        "    1000 B  data that `mtl fetch` fetched: fetched/snips; stays: fetched, so only with "
        "--fetched",
        "    1000 B  files behind addresses: downloads/f; stays: fetched, so only with --fetched",
        "    1000 B  data of the hub: datasets/g; stays: fetched, so only with --fetched",
        f"   2.0 KiB  halves that a kill left: 2 in {full_cache}",
        "   6.8 KiB  can go; the same with --yes removes it",
    ]
    done = clean("--yes")
    assert done.code == 0
    assert done.stdout.splitlines()[-1] == "   6.8 KiB  removed"
    assert left(full_cache) == FETCHED
    assert clean("--yes", "--fetched").code == 0
    assert left(full_cache) == set()


def test_what_processes_use_stays(full_cache: Path) -> None:
    def build(folder: Path) -> int:
        (folder / "train.arrow").write_bytes(b"x" * 1000)
        return 1

    open_or_build(full_cache / "encoded" / "mine", lambda folder, built: built, build)
    with locked(full_cache / "encoded" / "c"), locked(full_cache / "prefix" / "b"):
        # As one that builds `c`, and one that is about to open `b`.
        done = clean("--yes")
    assert done.code == 0
    assert "encoded/mine; stays: in use" in done.stdout
    assert left(full_cache) == FETCHED | {
        *("encoded/mine/train.arrow", "encoded/mine/meta.json"),
        *("encoded/.c.0123.part/train.arrow", "prefix/b/train.bin", "prefix/b/meta.json"),
    }


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(
    "name",
    ["encoded/a/meta.json", "outlines/d.json", "outlines/.e.json.part", "downloads/f/rows.csv"],
)
def test_what_is_damaged_goes_as_well(full_cache: Path, name: str, kind: str) -> None:
    FILES[kind](full_cache / name)
    assert clean().code == 0
    assert clean("--yes", "--fetched").code == 0
    entries = {path.relative_to(full_cache) for path in full_cache.rglob("*")}
    assert {str(path) for path in entries if path.suffix != ".lock"} == set(KINDS)


KINDS = ("encoded", "prefix", "outlines", "fetched", "downloads", "datasets")


def test_a_full_disk_is_cleaned_as_well(full_cache: Path) -> None:
    with Disk(full_cache).full_at(0):  # Not even an empty file can be made.
        assert clean("--yes").stdout.splitlines()[-1] == "   6.8 KiB  removed"
    assert left(full_cache) == FETCHED


def test_what_stands_in_the_place_of_folders_harms_nothing(full_cache: Path) -> None:
    for name in ("encoded/a", "prefix", "outlines/d.json", "downloads/f"):
        remove(full_cache / name)
        (full_cache / name).symlink_to(full_cache.parent)
    (full_cache.parent / "mine").touch()
    assert clean("--yes", "--fetched").code == 0
    assert (full_cache.parent / "mine").exists()


def test_what_a_killed_study_left_of_ray_goes(
    tmp_path: Path, of_ray: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    of_ray.append(tmp_path / "mtl-ray-1")
    (of_ray[0] / "session").mkdir(parents=True)
    (of_ray[0] / "session" / "log").write_text("x" * 10)
    assert clean().stdout.startswith(f"      10 B  files of Ray that a kill left: {of_ray[0]}\n")
    assert of_ray[0].is_dir()
    assert clean("--yes").code == 0
    assert not of_ray[0].exists()


def test_no_cache_is_no_error_and_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    assert clean("--yes").stdout == "       0 B  removed\n"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """The folder of a study of four trials: three have ended, the last one runs."""
    intent = {"kind": "classification", "dataset": "sample", "column": "intent"}
    study = StudyFile.model_validate(
        {
            "run": {"datasets": {"sample": {"kind": "sample"}}, "tasks": {"intent": intent}},
            "search": {"optimizer.head_lr": {"log_range": [1e-4, 1e-2]}},
            "study": {"name": "demo", "storage": str(tmp_path), "trials": 4},
        }
    )
    with StudyFolder.opened(study, {}) as folder:
        sampler = study.study.sampler.build(0, study.space)
        journal = open_optuna(folder.journal, name="demo", sampler=sampler)
        defaults = study.default_parameters
        points = Points(journal, study.space, total=4, default_parameters=defaults)
        run = study.run.model_dump(mode="json")
        recorder = Recorder(run, folder, History(), defaults=defaults, keep_checkpoints=1)
        for number, value in enumerate([0.25, 0.75, 0.5, 0.5]):
            point = points.draw()
            assert point is not None
            recorder.begin(point.id, point.overrides, point.parameters)
            recorder.report(point.id, report(1, value))
            point.observe(report(1, value))
            for name in ("state.pt", "best.safetensors", ".state.pt.part"):
                path = folder.checkpoint(point.id) / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(b"x" * 1000)
            if number < 3:
                point.end(TrialResult(report(1, value), is_last=True), has_failed=False)
        StudyClock(journal, start=0.0).stop()
    (folder.path / "best").mkdir()
    (folder.path / "best" / "model.safetensors").touch()
    (folder.path / ".best.0123.part").mkdir()
    (folder.scratch / "tune").mkdir(parents=True)
    return folder.path


def test_a_study_loses_what_no_trial_goes_on_with(study: Path) -> None:
    before = snapshot([study])
    told = clean(study)
    assert told.code == 0
    assert snapshot([study]) == before
    files = left(study)
    assert clean(study, "--yes").code == 0
    trials = {f"trials/{run_id_of(number)}/checkpoint" for number in range(4)}
    # The best and the default keep their weights, the one that runs all, the third nothing.
    assert files - left(study) == {
        *(f"{trial}/.state.pt.part" for trial in trials),
        *(f"trials/000{number}/checkpoint/state.pt" for number in (0, 1, 2)),
        "trials/0002/checkpoint/best.safetensors",
    }
    assert not (study / ".best.0123.part").exists()
    assert not (study / ".scratch").exists()
    # Of a study that goes on they stay, whatever is asked for.
    after = left(study)
    assert clean(study, "--yes", "--checkpoints").code == 0
    assert left(study) == after


def test_a_study_that_runs_is_left_alone(study: Path) -> None:
    lock = hold(study)
    before = snapshot([study])
    try:
        refused = clean(study, "--yes")
    finally:
        lock.release()
    assert refused.code == 2
    assert refused.stderr == f"error: {study}: another process works in it; wait for its end\n"
    assert snapshot([study]) == before


def test_other_folders_are_refused(tmp_path: Path) -> None:
    refused = clean(tmp_path, "--yes")
    assert refused.code == 2
    assert refused.stderr == (
        f"error: {tmp_path}: not a study folder, there is no study.yaml in it\n"
    )
    refused = clean(tmp_path / "none")
    assert refused.code == 2
    assert refused.stderr.startswith(f"error: {tmp_path}/none: there is no such folder;")


def test_a_run_loses_what_kills_left(tmp_path: Path) -> None:
    for name in ("model/mtl.json", "checkpoint/best.safetensors", "checkpoint/.state.pt.part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 10)
    (tmp_path / ".model.01.part").mkdir()
    assert clean(tmp_path, "--yes").stdout.splitlines()[-1] == "      10 B  removed"
    assert left(tmp_path) == {"model/mtl.json", "checkpoint/best.safetensors"}
    assert not (tmp_path / ".model.01.part").exists()
