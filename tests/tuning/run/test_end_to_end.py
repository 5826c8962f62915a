"""Whole studies on a local Ray: results, TensorBoard, a full disk, ends from outside.

Processes that are killed: see `tests/benchmarks/test_chaos.py`.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from conftest import Mtl, RunConfigFactory

from mtl_core.study_file import dump
from mtl_core.training.report import Report

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1500)]

_EPOCHS = 6
_WAIT_SECONDS = 600
"""For what takes seconds: a machine that is busy with other work may take that long."""

_ENDLESS = ("--set", "training.epochs=100000", "--set", "study.scheduler={kind: none}")
"""A study that cannot end before it is disturbed, however slow the test is."""

_UMASK = 0o027
"""Of all studies here: the group may read what they write, and others may not."""

_LONG_EPOCHS = 16
"""Of runs that are disturbed in their middle, and still end."""


@pytest.fixture
def study_file(run_config: RunConfigFactory, tmp_path: Path) -> Path:
    """A study of 4 tiny trials on one trainer; numbers repeat exactly in fp32 on one thread."""
    run = dump(run_config({"training.epochs": _EPOCHS, "optimizer.head_lr": 1e-3}))
    indented = "".join(f"  {line}\n" for line in run.splitlines())
    path = tmp_path / "tiny.yaml"
    path.write_text(
        f"run:\n{indented}"
        "search:\n"
        "  optimizer.head_lr: {log_range: [1.0e-3, 1.0e-1]}\n"
        "  freezing:\n"
        "    choice:\n"
        "      - {kind: none}\n"
        "      - {kind: lower_layers, layers: {int_range: [1, 2]}}\n"
        f"study: {{storage: {tmp_path / 'runs'}, trials: 4, scheduler: {{kind: asha}},"
        " resources: {trainers: 1}}\n",
        encoding="utf-8",
    )
    return path


def start(study_file: Path, *words: str, stderr: int = subprocess.STDOUT) -> subprocess.Popen[str]:
    """Starts `mtl tune` as a user would, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tuning", "tune", str(study_file), *words],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[3],
        umask=_UMASK,
    )


def finish(process: subprocess.Popen[str], *, code: int) -> str:
    output, _ = process.communicate(timeout=_WAIT_SECONDS)
    assert process.returncode == code, output
    return output


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def reports_of(run: Path) -> list[Report]:
    """The reports of a run in its file."""
    path = run / "reports.jsonl"
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [Report.from_json(line) for line in lines]


def scores_of(run: Path) -> list[tuple[int, float, float]]:
    """(epoch, combined, loss) of every report of a run."""
    return [(r.epoch, r.combined, sum(r.losses.values())) for r in reports_of(run)]


def trials_of(folder: Path) -> list[Path]:
    return sorted((folder / "trials").iterdir())


def here(run_config: RunConfigFactory, **more: float | None) -> list[tuple[int, float, float]]:
    """The reports of the default recipe, trained in this process without Ray."""
    import torch

    from mtl_core.training.loop import train

    torch.set_num_threads(1)
    config = run_config({"training.epochs": _EPOCHS, "optimizer.head_lr": 1e-3} | more)
    return [(r.epoch, r.combined, sum(r.losses.values())) for r in train(config)]


def check_complete(folder: Path, *, trials: int, epochs: int = _EPOCHS) -> None:
    """Every trial is there once, with epochs 1, 2, ... once each, and the result is whole."""
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "complete"
    assert sum(result["trials"].values()) == len(trials_of(folder)) == trials
    assert result["trials"]["failed"] == 0
    for trial in trials_of(folder):
        numbers = [report.epoch for report in reports_of(trial)]
        assert numbers == list(range(1, len(numbers) + 1)), trial
    assert len(reports_of(folder / "trials/0000")) == epochs
    for name in ("best", "default"):
        keys = {"trial", "parameters", "precision", "dev", "test", "unseen", "decoding"}
        assert set(result[name]) == keys
        # With a final stage its runs are scored on test instead.
        assert (result[name]["test"] is None) == (result["finals"] is not None)
    assert (folder / "best" / "model.safetensors").is_file()
    check_modes(folder)
    # Nothing goes on with a trial that has ended.
    assert {path.name for path in folder.glob("trials/*/checkpoint/*")} == {"best.safetensors"}


def check_modes(folder: Path) -> None:
    """Everything has the mode that the umask leaves, whoever wrote it: driver, worker, library."""
    modes = {path: oct(path.stat().st_mode & 0o777) for path in (folder, *folder.rglob("*"))}
    assert modes == {p: oct((0o777 if p.is_dir() else 0o666) & ~_UMASK) for p in modes}


def ray_processes(session: int | str) -> list[psutil.Process]:
    """The living Ray processes whose raylet was started by the driver of a session."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ", "status"]):
        command = " ".join(process.info["cmdline"] or ())
        if ("raylet" in command or "gcs_server" in command or "ray::" in command) and (
            process.info["environ"] or {}
        ).get("MTL_TEST_SESSION") == str(session):
            found.append(process)
    return found


def test_study_from_start_to_end_and_again(study_file: Path, mtl: Mtl) -> None:
    folder = study_file.parent / "runs" / "tiny"
    output = finish(start(study_file), code=0)
    check_complete(folder, trials=4)
    result = json.loads((folder / "result.json").read_text())
    for name in ("best", "default"):
        assert set(result[name]["test"]) >= {"combined", "intent", "slots"}
    assert "trial 0000 complete" in output
    assert "Traceback" not in output
    check_tensorboard(folder)
    check_replay(folder, mtl)

    kept = [p for p in folder.rglob("*.json*") if p.name != "status.json"]  # of the last driver
    before = {p: p.read_bytes() for p in kept}
    finish(start(study_file), code=0)
    assert {p: p.read_bytes() for p in before} == before, "a finished study changes nothing"

    seconds = json.loads((folder / "result.json").read_text())["seconds"]
    told = start(study_file, "--set", "study.trials=5", "--json", stderr=subprocess.DEVNULL)
    events = [json.loads(line) for line in finish(told, code=0).splitlines()]
    assert len(trials_of(folder)) == 5
    assert [one["run"] for one in events if one["event"] == "ended"] == ["0004"]
    assert events[-1]["event"] == "result"
    assert events[-1]["result"] == json.loads((folder / "result.json").read_text())
    assert json.loads((folder / "result.json").read_text())["seconds"] > seconds


def check_tensorboard(folder: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for trial in trials_of(folder):
        events = EventAccumulator(str(folder / "tensorboard" / trial.name)).Reload()
        shown = [(event.step, event.value) for event in events.Scalars("dev/combined")]
        expected = [(epoch, pytest.approx(combined)) for epoch, combined, _ in scores_of(trial)]
        assert shown == expected


def check_replay(folder: Path, mtl: Mtl) -> None:
    """The command that the report names gives the best trial's numbers again."""
    report = (folder / "report.md").read_text()
    command = next(line for line in report.splitlines() if "mtl train" in line).strip("` ")
    outcome = mtl(*shlex.split(command)[1:], "--output", str(folder.parent / "replay"))
    assert outcome.code == 0, outcome.err
    best = json.loads((folder / "result.json").read_text())["best"]
    assert f"combined {best['dev']['combined']:.4f}; " in outcome.out


@pytest.mark.skipif(sys.platform != "linux", reason="others take no limits from outside")
def test_a_full_disk_and_a_driver_killed_in_the_final_stage_change_nothing(
    study_file: Path, run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both happen to one study, since every driver takes long to start."""
    folder = study_file.parent / "runs" / "tiny"
    settings = (f"training.epochs={_LONG_EPOCHS}", "search={}", "study.trials=1")
    words = [*(word for one in settings for word in ("--set", one)), "--seeds", "2"]
    default, first, second = "trials/0000", "final/0000/seed-1", "final/0000/seed-2"

    output = with_a_full_disk(lambda: start(study_file, *words), folder / default, monkeypatch)
    [line] = [line for line in output.splitlines() if line.startswith("error: ")]
    assert re.search(r"cannot write .*: File too large; .* the same command goes on$", line)
    assert "Traceback" not in output
    assert not [path for path in folder.rglob("*.part") if path.parent.name != ".scratch"]
    assert 0 < len(reports_of(folder / default)) < _LONG_EPOCHS

    driver = start(study_file, *words)
    wait_for(lambda: len(reports_of(folder / second)) >= _LONG_EPOCHS // 4, driver)
    with driver:  # Closes the pipe that nobody reads any more.
        driver.kill()
    assert len(reports_of(folder / first)) == _LONG_EPOCHS
    assert 0 < len(reports_of(folder / second)) < _LONG_EPOCHS
    assert not (folder / "result.json").exists()

    output = finish(start(study_file, *words), code=0)
    # What had ended is not trained again, and the other run goes on in its middle.
    assert "trial 0000 epoch" not in output
    assert first not in output
    for run, seed in ((default, 0), (first, 1), (second, 2)):
        undisturbed = here(run_config, **{"training.epochs": _LONG_EPOCHS, "seed": seed})
        assert scores_of(folder / run) == undisturbed, "as if nothing had happened"
    check_complete(folder, trials=1, epochs=_LONG_EPOCHS)
    check_finals(folder)


def with_a_full_disk(
    start: Callable[[], subprocess.Popen[str]], run: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Lets a driver work until a checkpoint of a run cannot be written; returns its output."""
    session = f"full-{os.getpid()}"
    monkeypatch.setenv("MTL_TEST_SESSION", session)
    driver = start()
    wait_for(lambda: len(reports_of(run)) >= 1, driver)
    found = ray_processes(session)
    [worker] = [one for one in found if "RayTrainWorker" in " ".join(one.cmdline())]
    wait_for(lambda: len(reports_of(run)) >= _LONG_EPOCHS // 4, driver)
    # None of its files may grow beyond a size from then on: it has a checkpoint to write.
    worker.rlimit(psutil.RLIMIT_FSIZE, (10_000, 10_000))
    return finish(driver, code=1)


def check_finals(folder: Path) -> None:
    """The final stage says what its runs have reported, and test was opened for them once."""
    result = json.loads((folder / "result.json").read_text())
    [recipe] = result["finals"]["recipes"]
    for run in recipe["seeds"]:
        best = max(score for _, score, _ in scores_of(folder / run["run"]))
        assert run["dev"]["combined"] == best
        assert run["test"]["combined"] == result["tests"][run["run"]]["combined"]
    assert len(result["choices"]) == 1
    card = (folder / "best" / "README.md").read_text(encoding="utf-8")
    assert "This model is the one of 2 runs with other seeds whose dev score is best." in card


def test_a_ray_whose_server_was_killed_ends_the_study_soon(
    study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = study_file.parent / "runs" / "tiny"
    session = f"server-{os.getpid()}"
    monkeypatch.setenv("MTL_TEST_SESSION", session)
    driver = start(study_file, *_ENDLESS)
    wait_for(lambda: len(reports_of(folder / "trials/0000")) >= 1, driver)
    [server] = [one for one in ray_processes(session) if one.name() == "gcs_server"]
    server.kill()
    start_of_end = time.monotonic()
    output = finish(driver, code=1)
    # Ray itself would end the driver after 60 s, as it stands.
    assert time.monotonic() - start_of_end < 50
    last = output.splitlines()[-1]
    assert last.startswith("error: the server of Ray that knows where everything is (gcs_server)")
    assert last.endswith("the trials that are not done are kept, and the same command goes on")
    assert "Traceback" not in output
    assert "trial 0000 epoch 1: " in (folder / "log.txt").read_text(encoding="utf-8")
    assert not (folder / ".scratch").exists()
    assert ray_processes(session) == []


def test_a_stopped_job_says_how_to_go_on(study_file: Path) -> None:
    folder = study_file.parent / "runs" / "tiny"
    driver = start(study_file, *_ENDLESS)
    wait_for(lambda: len(reports_of(folder / "trials/0000")) >= 1, driver)
    driver.send_signal(signal.SIGTERM)  # As `ray job stop`; Ctrl-C is one of the faults of chaos.
    output = finish(driver, code=130)
    assert (
        f"what was done is in {folder}. The same command goes on: mtl tune {study_file}" in output
    )
    assert "Traceback" not in output
    assert "SIGTERM" not in output


def test_two_workers_score_like_one_and_outlive_trials_that_fail(
    study_file: Path, run_config: RunConfigFactory
) -> None:
    # Workers draw their own dropout masks, so there is none here.
    fixed = {"tasks.intent.head.dropout": 0.0, "tasks.slots.head.dropout": 0.0}
    settings = [f"{key}=0" for key in fixed] + ["optimizer.clip_norm=null"]
    settings += ["search={optimizer.encoder_lr: {choice: [1.0e+30, 1.0e-4]}}"]
    settings += ["study.resources.workers=2"]
    output = finish(start(study_file, *(w for one in settings for w in ("--set", one))), code=0)
    folder = study_file.parent / "runs" / "tiny"
    one = here(run_config, **fixed, **{"optimizer.clip_norm": None})
    two = scores_of(folder / "trials/0000")
    for (_, first, loss), (_, second, other) in zip(one, two, strict=True):
        # fp32 sums in another order: 1e-4 in the losses, and at most a few labels apart.
        assert loss == pytest.approx(other, rel=1e-4)
        assert first == pytest.approx(second, abs=0.02)
    result = json.loads((folder / "result.json").read_text())
    assert sum(result["trials"].values()) == 4
    assert result["trials"]["complete"] >= 1
    assert result["trials"]["failed"] >= 1
    assert "TrainingError" in output
    assert "is nan" in output or "is inf" in output
