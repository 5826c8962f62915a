"""Damaged study folders: one line says which file, which line and what to do, or what was lost."""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest.mock import patch

import pytest
from answers import snapshot
from conftest import Mtl, Outcome
from damaged_study_folders import NOTES, STARTS, cases, without_ray
from small_studies import small_studies

import tuning
from mtl_core.errors import ConfigError
from tuning.study.folder import StudyFolder
from tuning.study.history import read_history
from tuning.study.journal import read_optuna

FAILED = '{"status": "failed", "trials": {"complete": 0}, "best": null'
COMMANDS = {
    "status": ["status", "FOLDER"],
    "report": ["report", "FOLDER"],
    "tune": ["tune", "FOLDER/study.yaml"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Path, Path]]:
    """Name -> the folder of a study, and a copy of it."""
    folder = tmp_path_factory.mktemp("studies")
    return {
        name: (path, shutil.copytree(path, folder / "kept" / name))
        for name, path in small_studies(folder).items()
    }


@pytest.fixture
def finished(made: Mapping[str, tuple[Path, Path]]) -> Path:
    """A finished study of three trials, the second of which failed."""
    return renewed(*made["finished"])


@pytest.fixture
def interrupted(made: Mapping[str, tuple[Path, Path]]) -> Path:
    """A study of four trials: one is complete, one was running after an epoch."""
    return renewed(*made["interrupted"])


def renewed(folder: Path, kept: Path) -> Path:
    # In its place: a study knows where it lies.
    shutil.rmtree(folder)
    return shutil.copytree(kept, folder)


@pytest.fixture
def mtl(mtl: Mtl) -> Iterator[Mtl]:
    """Runs the command line up to where Ray would start, and has what is logged on its stderr."""

    def run(*words: str) -> Outcome:
        # Those of pytest would keep what is logged for themselves.
        with patch.object(logging.getLogger(), "handlers", []):
            return mtl(*words)

    with without_ray():
        yield run


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def refused(
    mtl: Mtl, folder: Path, message: str, commands: Mapping[str, list[str]] = COMMANDS
) -> None:
    """Asks that commands refuse a folder with a line of this beginning, and leave it as it is."""
    before = snapshot([folder])
    for words in commands.values():
        found = mtl(*(word.replace("FOLDER", str(folder)) for word in words))
        assert found.code == 2, found
        assert found.err.count("\n") == 1, found.err
        assert (
            found.err.removeprefix("error: ")
            .removeprefix("study.storage: ")
            .startswith(f"{folder}/{message}")
        )
        assert snapshot([folder]) == before


def goes_on(mtl: Mtl, folder: Path) -> list[str]:
    """Goes on with a study until its trainers would start; returns what was said before."""
    found = mtl("tune", f"{folder}/study.yaml")
    *said, last = found.err.splitlines()
    assert (found.code, last) == (1, f"error: {STARTS}")
    return [line for line in said if not line.startswith(NOTES)]


def status(mtl: Mtl, folder: Path) -> tuple[Mapping[str, object], str]:
    """Returns what is told of a study, and what was said beside it."""
    found = mtl("status", str(folder), "--json")
    assert found.code == 0, found.err
    return json.loads(found.out), found.err


def without_line_ends(content: bytes) -> bytes:
    return content.replace(b"\n", b"")


def with_the_first_line_alone(content: bytes) -> bytes:
    return content[: content.index(b"\n") + 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_line_ends, "optuna.journal:1: a file of the study is broken: lines without line"),
        (with_the_first_line_alone, "optuna.journal: a file of the study is broken: it knows of 0"),
        (lambda _: b"", "optuna.journal: a file of the study is broken: it knows of 0 trials, but"),
        (lambda content: b"\0" * len(content), "optuna.journal: a file of the study is broken: it"),
        (lambda content: b"\xff" + content, "optuna.journal:1: a file of the study is broken: no"),
    ],
)
def test_a_journal_that_has_lost_its_lines_is_not_begun_anew(
    mtl: Mtl, finished: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    journal = finished / "optuna.journal"
    journal.write_bytes(change(journal.read_bytes()))
    refused(mtl, finished, message)


def test_a_missing_journal_is_not_begun_anew(mtl: Mtl, interrupted: Path) -> None:
    (interrupted / "optuna.journal").unlink()
    refused(mtl, interrupted, "optuna.journal: is missing, and with it what became of the trials")


def test_half_a_last_line_is_dropped_as_a_killed_driver_leaves_it(
    mtl: Mtl, interrupted: Path
) -> None:
    journal, before = interrupted / "optuna.journal", status(mtl, interrupted)
    content = journal.read_bytes()
    journal.write_bytes(content + content.splitlines()[-1][:30])
    assert status(mtl, interrupted) == before
    assert goes_on(mtl, interrupted) == []
    assert journal.read_bytes().startswith(content)
    assert len(read_optuna(journal).trials) == 2


def a_line_twice(lines: list[bytes], place: int) -> list[bytes]:
    return [*lines[:place], lines[place], *lines[place:]]


def a_line_less(lines: list[bytes], place: int) -> list[bytes]:
    return lines[:place] + lines[place + 1 :]


@pytest.mark.parametrize("change", [a_line_twice, a_line_less])
def test_every_line_of_a_journal_is_missed_or_found_once_too_often(
    mtl: Mtl, finished: Path, change: Callable[[list[bytes], int], list[bytes]]
) -> None:
    journal = finished / "optuna.journal"
    lines = lines_of(journal)
    for place, line in enumerate(lines):
        journal.write_bytes(b"".join(change(lines, place)))
        found = mtl("status", str(finished))
        # A parameter, scores beside the combined one, and the time can be taken out unseen.
        is_unseen = change is a_line_less and json.loads(line)["op_code"] in (2, 5, 8)
        assert is_unseen or found.err.count("\n") == 1


@pytest.mark.parametrize("place", [0, 3, 7])
def test_a_bad_line_of_a_journal_is_named(mtl: Mtl, interrupted: Path, place: int) -> None:
    journal = interrupted / "optuna.journal"
    lines = lines_of(journal)
    lines[place] = b"garbage\n"
    journal.write_bytes(b"".join(lines))
    refused(mtl, interrupted, f"optuna.journal:{place + 1}: a file of the study is broken: no JSON")


@pytest.mark.parametrize("is_all", [True, False])
def test_reports_that_are_gone_are_taken_from_the_journal_with_a_word(
    mtl: Mtl, finished: Path, is_all: bool
) -> None:
    folder = StudyFolder(finished)
    before, _ = status(mtl, finished)
    [whole] = [one for one in read_history(folder, read_optuna(folder.journal)) if one.id == "0002"]
    path = folder.reports("0002")
    if is_all:
        path.unlink()
    else:
        path.write_bytes(lines_of(path)[0])
    said: list[str] = []
    history = read_history(folder, read_optuna(folder.journal), tell=said.append)
    assert said == [
        f"{path}: {2 if is_all else 1} of 2 reports are missing; the scores of trial 0002 are "
        "those of optuna.journal, its losses and times are gone"
    ]
    found = history["0002"]
    assert found.best is not None
    assert whole.best is not None
    for name in ("epoch", "combined", "joint_accuracy", "dev", "best_number"):
        assert getattr(found.best, name) == getattr(whole.best, name)
    assert found.progress == whole.progress
    assert status(mtl, finished) == (before, said[0] + "\n")
    done = mtl("tune", f"{finished}/study.yaml")
    assert done.code == 0
    assert done.err.splitlines()[-1] == said[0]


def test_reports_of_a_trial_that_has_not_ended_come_again(mtl: Mtl, interrupted: Path) -> None:
    path = StudyFolder(interrupted).reports("0001")
    path.unlink()
    lost = f"{path}: 1 of 1 reports are missing; the trial reports again when the study goes on"
    assert status(mtl, interrupted)[1] == f"{lost}\n"
    assert goes_on(mtl, interrupted) == [lost]


def another_score(report: dict[str, object]) -> None:
    report |= {"combined": 0.99, "best_combined": 0.99, "best_number": report["number"]}


def another_number(report: dict[str, object]) -> None:
    report["number"] = 7


def another_epoch(report: dict[str, object]) -> None:
    report["epoch"] = 7


def a_score_above_the_best(report: dict[str, object]) -> None:
    report["combined"] = 0.99


def a_text(report: dict[str, object]) -> None:
    report["dev"] = {"intent": {"accuracy": "high"}}


def a_key_too_many(report: dict[str, object]) -> None:
    report["colour"] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (another_score, "the best score so far is 0.99, but "),
        (another_number, "expected report 2, found report 7"),
        (another_epoch, "progress: 2.0 does not lie in epoch 7"),
        (a_score_above_the_best, "combined: 0.99 does not go with "),
        (a_text, "dev.intent.accuracy: expected a number, found 'high'"),
        (a_key_too_many, "colour: no such key is known"),
    ],
)
def test_a_report_that_was_changed_is_named(
    mtl: Mtl, finished: Path, change: Callable[[dict[str, object]], None], message: str
) -> None:
    path = StudyFolder(finished).reports("0002")
    first, second = lines_of(path)
    report = json.loads(second)
    change(report)
    path.write_bytes(first + json.dumps(report).encode() + b"\n")
    where = "trials/0002/reports.jsonl:2: a file of the study is broken: "
    refused(mtl, finished, f"{where}{message}")
    # What it says to do helps.
    path.unlink()
    assert mtl("tune", f"{finished}/study.yaml").code == 0


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize(
    "name",
    [
        "study.yaml",
        "optuna.journal",
        "result.json",
        "trials/0000/reports.jsonl",
        "trials/0001/error.txt",
    ],
)
@pytest.mark.parametrize("there", [a_folder, a_pipe, a_link_to_nothing])
def test_what_is_no_file_is_refused_by_all_who_read_it(
    mtl: Mtl, finished: Path, name: str, there: Callable[[Path], None]
) -> None:
    (finished / name).unlink()
    there(finished / name)
    # The study file in the folder is given to `tune`, which cannot read it and says so itself.
    commands = {key: words for key, words in COMMANDS.items() if key != "tune"}
    refused(mtl, finished, f"{name}: ", commands if name == "study.yaml" else COMMANDS)


@pytest.mark.parametrize("there", [a_folder, a_pipe, a_link_to_nothing])
@pytest.mark.parametrize("name", ["inputs.json", "scored.json", "test_opened.json"])
def test_what_is_no_file_is_refused_before_a_study_goes_on(
    mtl: Mtl, interrupted: Path, name: str, there: Callable[[Path], None]
) -> None:
    (interrupted / name).unlink(missing_ok=True)
    there(interrupted / name)
    refused(mtl, interrupted, f"{name}: ", {"tune": COMMANDS["tune"]})


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("trials.csv", a_folder),
        ("report.md", a_folder),
        ("report.html", a_folder),
        ("facts.json", a_folder),
        ("status.json", a_folder),
        ("versions.json", a_folder),
        ("tensorboard", Path.touch),
        ("trials", Path.touch),
        ("best", Path.touch),
    ],
)
def test_what_is_in_the_way_of_a_file_is_told_before_a_study_goes_on(
    mtl: Mtl, interrupted: Path, name: str, there: Callable[[Path], None]
) -> None:
    path = interrupted / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    there(path)
    refused(mtl, interrupted, f"{name}: ", {"tune": COMMANDS["tune"]})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("inputs.json", "[]", "expected a section, found a list"),
        ("inputs.json", "{\"data set 'a'\": 1}", "data set 'a': expected text, found 1"),
        ("scored.json", '{"choices": [{"date": "2026-01-01"}]}', "choices.0: "),
        ("scored.json", '{"tests": {"0000": "1"}}', "tests.0000: expected "),
        ("test_opened.json", '[{"date": "once", "scores": {}}]', "0.date: "),
        ("result.json", "{}", "there is no 'status'"),
        ("result.json", f'{FAILED}, "seconds": 1e999}}', "seconds: expected a finite number"),
        ("result.json", FAILED.replace("0", "-1") + "}", "trials.complete: expected a number"),
        ("result.json", FAILED.replace("null", "[]") + "}", "best: expected "),
        ("result.json", FAILED.replace("0", "9") + "}", ""),
    ],
)
def test_every_record_is_checked_against_its_type(
    mtl: Mtl, interrupted: Path, name: str, content: str, message: str
) -> None:
    (interrupted / name).write_text(content)
    where = f"{name}: a file of the study is broken: " if message else "optuna.journal: a file of"
    refused(mtl, interrupted, f"{where}{message}", {"tune": COMMANDS["tune"]})


def test_facts_come_from_the_study_file_with_a_word(mtl: Mtl, finished: Path) -> None:
    before = mtl("report", str(finished)).out
    (finished / "facts.json").write_text("{}")
    found = mtl("report", str(finished))
    # Beside what was written.
    assert (found.code, found.err.count("\n")) == (0, 2)
    assert found.err.startswith(
        f"{finished}/facts.json: a file of the study is broken: there is no"
    )
    assert "its facts are taken from study.yaml" in found.err
    assert found.out.splitlines()[0] == before.splitlines()[0]
    assert "## Data" not in found.out


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mtl.json", Path.unlink),
        ("config.json", cut),
        ("model.safetensors", cut),
        ("heads.safetensors", cut),
    ],
)
def test_a_broken_model_is_made_again_with_a_word(
    mtl: Mtl, finished: Path, name: str, change: Callable[[Path], None]
) -> None:
    change(finished / "best" / name)
    [said] = goes_on(mtl, finished)
    assert name in said
    assert said.endswith("; it is made again from the checkpoint of its trial")


def test_a_whole_model_is_left_alone(mtl: Mtl, finished: Path) -> None:
    before = snapshot([finished / "best"])
    assert mtl("tune", f"{finished}/study.yaml").code == 0
    assert snapshot([finished / "best"]) == before


@pytest.mark.parametrize("there", [a_folder, a_pipe, a_link_to_nothing])
def test_a_study_is_told_of_whose_driver_left_no_status(
    mtl: Mtl, interrupted: Path, there: Callable[[Path], None]
) -> None:
    before, _ = status(mtl, interrupted)
    (interrupted / "status.json").unlink()
    there(interrupted / "status.json")
    found, said = status(mtl, interrupted)
    assert found == before
    assert said.startswith(f"{interrupted}/status.json: ")
    assert said.endswith("; whether a driver runs is not known\n")


def test_trials_without_their_study_file_are_not_taken_over(mtl: Mtl, finished: Path) -> None:
    text = (finished / "study.yaml").read_text()
    (finished / "study.yaml").unlink()
    mine = finished.parent / "mine.yaml"
    mine.write_text(text)
    found = mtl("tune", str(mine))
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert "holds the trials of a study, but no study.yaml any more; put it back" in found.err


@pytest.mark.parametrize("content", ["", "run: {}\n", "- a\n", "run: [\n", "\0"])
def test_a_study_is_not_taken_for_another_when_its_own_file_is_broken(
    mtl: Mtl, finished: Path, content: str
) -> None:
    mine = finished.parent / "mine.yaml"
    mine.write_text((finished / "study.yaml").read_text())
    (finished / "study.yaml").write_text(content)
    refused(mtl, finished, "study.yaml", {"tune": ["tune", str(mine)]})
    assert "put it back from a copy" in mtl("tune", str(mine)).err


def test_a_notebook_gets_the_same_line(finished: Path) -> None:
    (finished / "result.json").write_text("{")
    message = r"result\.json: a file of the study is broken: no JSON"
    with without_ray(), pytest.raises(ConfigError, match=message):
        tuning.tune(finished / "study.yaml")


@pytest.mark.slow
def test_damaged_folders_are_read_or_refused_in_a_line(tmp_path: Path) -> None:
    faults = {case.name: fault for case in cases(tmp_path, 0, 40) if (fault := case.fault())}
    assert faults == {}
