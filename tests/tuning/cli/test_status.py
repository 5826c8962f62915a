"""`mtl status`: where a study stands, from its folder alone."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import optuna
import psutil
import pytest
from conftest import Mtl
from trials import at_work, record, report

from tuning.study.journal import open_optuna
from tuning.watch.state import StudyState
from tuning.watch.status_file import StatusFile, read_driver


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of 4 trials: one complete, one running after an epoch."""
    folder = tmp_path / "runs" / "tiny"
    (folder / "trials" / "0000").mkdir(parents=True)
    (folder / "trials" / "0001").mkdir()
    (folder / "study.yaml").write_text(
        f"run: {{}}\nsearch: {{seed: {{choice: [0, 1]}}}}\n"
        f"study: {{name: tiny, storage: {tmp_path / 'runs'}, trials: 4}}\n"
    )
    study = open_optuna(
        folder / "optuna.journal", name="tiny", sampler=optuna.samplers.RandomSampler()
    )
    study.tell(study.ask({"seed": optuna.distributions.IntDistribution(0, 0)}), 0.5)
    study.ask({"seed": optuna.distributions.IntDistribution(1, 1)})
    write_reports(folder, 0, 0.4, 0.5)
    write_reports(folder, 1, 0.6)
    return folder


def write_reports(folder: Path, trial: int, *scores: float) -> None:
    lines = "".join(report(epoch, one).to_json() + "\n" for epoch, one in enumerate(scores, 1))
    (folder / "trials" / f"{trial:04d}" / "reports.jsonl").write_text(lines)


def write_driver(folder: Path, **changes: object) -> None:
    """What this process would have written as the driver."""
    process = psutil.Process()
    content = {
        "pid": process.pid, "process_started": process.create_time(),
        "host": socket.gethostname(), "updated": time.time(), "stage": "searching",
        "seconds": 75.0, "trials": 4, "ended": 1, "running": {"0001": "epoch 2/3 step 5/20"},
        "seconds_left": 130.0, "is_bound": False, "is_over": False,
    }  # fmt: skip
    (folder / "status.json").write_text(json.dumps(content | changes))


def test_a_running_study(folder: Path, mtl: Mtl) -> None:
    write_driver(folder)
    outcome = mtl("status", str(folder))
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "tiny: running, 1 of 4 trials ended",
        f"process {os.getpid()} on {socket.gethostname()} for 1:15: searching, about 2:10 left",
        "  0001 epoch 2/3 step 5/20",
        "best so far: 0001 combined 0.6000  intent 0.600  seed=1",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"is_over": True},
        {"pid": 2**22 + 1},  # beyond the largest process id
        {"process_started": 1.0},  # the id was given to another process since
        {"host": "elsewhere", "updated": 1.0},
        {"pid": "nonsense"},
        None,  # no status.json at all, as of a driver that died early
    ],
)
def test_a_study_whose_driver_is_gone_says_how_to_go_on(
    folder: Path, mtl: Mtl, changes: dict[str, object] | None
) -> None:
    if changes is not None:
        write_driver(folder, **changes)
    outcome = mtl("status", str(folder))
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "tiny: interrupted, 1 of 4 trials ended",
        "best so far: 0001 combined 0.6000  intent 0.600  seed=1",
        f"no driver runs; go on with: mtl tune {folder}/study.yaml",
    ]


@pytest.mark.parametrize("words", [("predict", "a text"), ("evaluate",)])
def test_the_model_of_a_study_that_runs_is_asked_for_later(
    folder: Path, mtl: Mtl, words: tuple[str, ...]
) -> None:
    command, *more = words
    write_driver(folder)
    runs = mtl(command, str(folder), *more)
    assert runs.code == 75
    assert runs.err == (
        f"error: {folder}: this study still runs, and its model comes at its end; "
        f"`mtl status {folder}` says how far it is\n"
    )
    write_driver(folder, is_over=True)
    over = mtl(command, str(folder), *more)
    assert over.code == 2
    assert over.err == (
        f"error: {folder}: this study has no model yet, since it did not end; "
        f"go on with it: mtl tune {folder}/study.yaml\n"
    )


def test_a_driver_on_another_machine_lives_as_long_as_it_writes(folder: Path, mtl: Mtl) -> None:
    write_driver(folder, host="elsewhere", updated=time.time() - 40)
    out = mtl("status", str(folder)).out
    assert "tiny: running" in out
    assert re.search(r"on elsewhere .*, silent for 0:4\d", out)


def test_a_folder_that_was_moved_goes_on_where_it_is(folder: Path, mtl: Mtl) -> None:
    moved = folder.parents[1] / "kept" / "other"
    moved.parent.mkdir()
    folder.rename(moved)
    expected = (
        f"mtl tune {moved}/study.yaml --set study.storage={moved.parent} --set study.name=other"
    )
    assert expected in mtl("status", str(moved)).out


def test_a_finished_study(folder: Path, mtl: Mtl) -> None:
    text = (folder / "study.yaml").read_text().replace("trials: 4", "trials: 1")
    (folder / "study.yaml").write_text(text)
    best = {"trial": "0000", "parameters": {}, "dev": {"combined": 0.5}, "test": None}
    result = {"status": "complete", "trials": {"complete": 1}, "best": best}
    (folder / "result.json").write_text(json.dumps(result))
    assert mtl("status", str(folder)).out.startswith("tiny: complete, 1 of 1 trials ended\n")


def test_the_result_of_fewer_trials_finishes_no_study(folder: Path, mtl: Mtl) -> None:
    text = (folder / "study.yaml").read_text().replace("trials: 4", "trials: 1")
    (folder / "study.yaml").write_text(text)
    result = {"status": "failed", "trials": {"complete": 0}, "best": None}
    (folder / "result.json").write_text(json.dumps(result))
    assert mtl("status", str(folder)).out.startswith("tiny: interrupted, 1 of 1 trials ended\n")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("study.yaml", "search: {a: 1}\nstudy: {trials: abc}"),
        ("optuna.journal", "no journal\nat all\n"),
        ("optuna.journal", "[]\n"),
        ("result.json", "[1"),
        ("trials/0000/reports.jsonl", "{}\n"),
    ],
)
def test_a_broken_file_is_one_line(folder: Path, mtl: Mtl, name: str, content: str) -> None:
    if name == "result.json":  # read once all trials have ended
        (folder / "study.yaml").write_text("study: {trials: 1}")
    (folder / name).write_text(content)
    outcome = mtl("status", str(folder))
    assert (outcome.code, outcome.out) == (2, "")
    assert re.fullmatch(
        rf"error: .*{name}:?\d*: (a file of the study is broken|study.trials): .*\n", outcome.err
    )


@pytest.mark.parametrize("changes", [{"seconds": float("inf")}, {"seconds_left": "soon"}])
def test_a_broken_status_file_is_none(folder: Path, mtl: Mtl, changes: dict[str, object]) -> None:
    write_driver(folder, **changes)
    assert mtl("status", str(folder)).out.startswith("tiny: interrupted")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_driver_that_ends_by_an_error_is_gone(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "status.json"
    with pytest.raises(error), closing(StatusFile(path, StudyState("tiny"))):
        raise error
    driver = read_driver(path)
    assert driver is not None
    assert not driver.is_alive


def test_status_as_json(folder: Path, mtl: Mtl) -> None:
    write_driver(folder)
    found = json.loads(mtl("status", str(folder), "--json").out)
    assert found["state"] == "running"
    assert (found["ended"], found["trials"]) == (1, 4)
    assert found["running"] == {"0001": "epoch 2/3 step 5/20"}
    assert found["seconds_left"] == 130.0
    assert found["best"] == {"trial": "0001", "combined": 0.6, "parameters": {"seed": 1}}


def test_another_folder_is_refused(tmp_path: Path, mtl: Mtl) -> None:
    outcome = mtl("status", str(tmp_path))
    assert outcome.code == 2
    assert re.fullmatch(r"error: .*not a study folder, .*study\.yaml.*\n", outcome.err)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mtl.json").touch()
    outcome = mtl("status", str(tmp_path))
    assert outcome.code == 2
    assert f"{tmp_path}: a run of `mtl train`, not a study folder; `mtl evaluate" in outcome.err


def test_watching_ends_with_the_driver(folder: Path, mtl: Mtl) -> None:
    write_driver(folder, is_over=True)
    assert mtl("status", str(folder), "--watch").code == 0


def test_a_report_of_an_unfinished_study_says_just_that(folder: Path) -> None:
    from tuning.report.render import render_report
    from tuning.report.summary import StudySummary, Unfinished
    from tuning.study.final_scores import FinalScores
    from tuning.study.reached import Reached
    from tuning.study.result import Result

    best = FinalScores("0001", {"seed": 1}, {"combined": 0.6, "intent": {"accuracy": 0.6}})
    text = render_report(
        StudySummary(
            name="tiny", folder="runs/tiny",
            records=[record(0, "complete", 0.5), record(1, "interrupted", 0.6)],
            result=Result(goal=Reached(objective="mean"), best=best, seconds=75.0),
            replay="mtl train x", unfinished=Unfinished(1, 4, "interrupted", "mtl tune runs/x"),
        )
    )  # fmt: skip
    assert "**This study is not finished: 1 of 4 trials have ended, and no driver runs.**" in text
    assert "mtl tune runs/x" in text
    assert "The best so far is trial 0001 with 60.00 on dev" in text
    assert "| interrupted | 1 |" in text
    assert "beats" not in text
    assert "No trial reached a score" not in text


def test_the_driver_s_file_follows_the_study(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    state = StudyState("tiny")
    state.planned(trials=4, ended=[], epochs=3, trainers=1)
    state.began(record(0, "running"))
    state.progressed([at_work(0, epoch=2, step=5, seconds=0.5)])
    with closing(StatusFile(path, state)):
        driver = read_driver(path)
        assert driver is not None
        assert driver.is_alive
        assert driver.pid == os.getpid()
        assert driver.running == {"0000": "epoch 2/3 step 5/20 100 sentences/s"}
    driver = read_driver(path)
    assert driver is not None
    assert not driver.is_alive


def test_a_look_at_a_folder_imports_neither_ray_nor_torch(folder: Path) -> None:
    code = (
        "import sys; sys.argv = ['mtl', 'status', sys.argv[1]]\n"
        "from tuning.cli.app import main\n"
        "try: main()\n"
        "finally: print([name for name in ('ray', 'torch', 'transformers') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
