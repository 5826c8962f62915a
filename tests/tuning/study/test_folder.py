import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from mtl_core.errors import ConfigError, NotReadyError, StorageError
from mtl_core.files import write_json
from mtl_core.study_file import override
from mtl_core.training.report import Report
from tuning.study.config import StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.writable import check_writable

_HOLD = "from filelock import FileLock; import sys; lock = FileLock(sys.argv[1]); lock.acquire(); "
_HOLD += "print('held', flush=True); sys.stdin.read()"


def study_file(storage: Path, overrides: dict[str, object] | None = None) -> StudyFile:
    raw = {
        "run": {
            "datasets": {"sample": {"kind": "sample"}},
            "tasks": {
                "intent": {"kind": "classification", "dataset": "sample", "column": "intent"}
            },
        },
        "search": {"optimizer.head_lr": {"log_range": [1e-4, 1e-2]}},
        "study": {"name": "demo", "storage": str(storage), "trials": 4},
    }
    return StudyFile.model_validate(override(raw, overrides or {}))


def report(epoch: int) -> Report:
    return Report(
        epoch=epoch,
        number=epoch,
        progress=float(epoch),
        step=epoch,
        losses={"intent": 0.5},
        weights={"intent": 1.0},
        learning_rates={"encoder": 1e-4},
        dev={"intent": {"accuracy": 0.75}},
        joint_accuracy=0.75,
        combined=0.75,
        best_combined=0.75,
        best_number=1,
        seconds=1.0,
        sentences_per_second=100.0,
    )


def made_folder(study: StudyFile) -> StudyFolder:
    with StudyFolder.opened(study, {}) as folder:
        return folder


def test_a_new_folder_holds_study_and_versions(tmp_path: Path) -> None:
    study = study_file(tmp_path)
    folder = made_folder(study)
    assert folder.path == tmp_path / "demo"
    assert folder.read_study() == study
    versions = json.loads((folder.path / "versions.json").read_text())
    assert {"mtl-tune", "ray", "optuna", "torch", "python"} <= versions.keys()


@pytest.mark.parametrize(
    "overrides",
    [
        {"study.trials": 9},
        {"study.resources": {"cpus": 2, "workers": 3}},
        {"study.isolation": "fresh"},
        {"study.keep_checkpoints": 2},
    ],
)
def test_what_changes_no_result_may_change(tmp_path: Path, overrides: dict) -> None:
    made_folder(study_file(tmp_path))
    folder = made_folder(study_file(tmp_path, overrides))
    assert folder.read_study() == study_file(tmp_path, overrides)


def test_a_moved_folder_is_still_the_same_study(tmp_path: Path) -> None:
    before = made_folder(study_file(tmp_path / "old")).read_study()
    (tmp_path / "old").rename(tmp_path / "new")
    folder = made_folder(study_file(tmp_path / "new"))
    assert folder.path == tmp_path / "new" / "demo"
    assert folder.read_study().run == before.run


@pytest.mark.parametrize(
    ("overrides", "difference"),
    [
        ({"run.seed": 3}, "run.seed = 0, here it is 3;"),
        ({"study.seed": 3}, "study.seed = 0, here it is 3;"),
        ({"run.training.epochs": 3, "run.seed": 3}, "here it is 3 and 1 more;"),
        (
            {"search": {"optimizer.encoder_lr": {"log_range": [1e-5, 1e-3]}}},
            "search.optimizer.head_lr.log_range = [0.0001, 0.01], here it is absent and 1 more;",
        ),
    ],
)
def test_another_study_is_refused_with_what_differs(
    tmp_path: Path, overrides: dict, difference: str
) -> None:
    made_folder(study_file(tmp_path))
    with pytest.raises(ConfigError, match=r"holds a study with .*study\.name=demo-2$") as error:
        made_folder(study_file(tmp_path, overrides))
    assert difference in str(error.value)


def test_the_name_that_is_offered_is_free(tmp_path: Path) -> None:
    made_folder(study_file(tmp_path))
    (tmp_path / "demo-2").mkdir()
    with pytest.raises(ConfigError, match=r"study\.name=demo-3$"):
        made_folder(study_file(tmp_path, {"run.seed": 3}))


def test_a_refused_study_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    study = study_file(tmp_path)
    folder = made_folder(study)
    with pytest.raises(ConfigError, match="holds a study"):
        made_folder(study_file(tmp_path, {"run.seed": 3}))
    assert folder.read_study() == study


def test_other_data_under_the_same_name_are_refused(tmp_path: Path) -> None:
    study, before = study_file(tmp_path), {"data set 'a'": "1", "data set 'b'": "2"}
    for _ in range(2):
        with StudyFolder.opened(study, before):
            pass
    message = r"the content of data set 'b' has changed since .* --set study.name=demo-2"
    with (
        pytest.raises(ConfigError, match=message),
        StudyFolder.opened(study, before | {"data set 'b'": "3"}),
    ):
        pass


@pytest.mark.parametrize("name", ["study.yaml", "config.yaml", "reports.jsonl"])
def test_a_file_that_cannot_be_written_whole_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    study = study_file(tmp_path)
    with StudyFolder.opened(study, {}) as folder:
        folder.begin_run("0000", study.run)
        folder.add_report("0000", report(1))
    path = folder.path / name if name == "study.yaml" else folder.run("0000") / name
    before, original = path.read_bytes(), Path.write_text

    def fill_disk(self: Path, text: str, **options: str) -> int:
        if name in self.name:
            original(self, text[:5], **options)
            raise OSError(28, "no space left")
        return original(self, text, **options)

    monkeypatch.setattr(Path, "write_text", fill_disk)
    with pytest.raises(StorageError, match="No space"), StudyFolder.opened(study, {}) as folder:
        folder.begin_run("0000", study.run)
    assert path.read_bytes() == before


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    folder = made_folder(study_file(tmp_path))
    command = [sys.executable, "-c", _HOLD, str(folder.path / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(NotReadyError, match=r"process is running this study.*name=NAME"):
            made_folder(study_file(tmp_path))
        other.kill()
    # What a killed driver held is free again.
    made_folder(study_file(tmp_path))


def test_a_storage_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"^study\.storage: .*cannot be read: Not a directory"):
        made_folder(study_file(tmp_path / "file"))


def test_a_storage_is_checked_without_making_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = StudyFolder(study_file(tmp_path / "new" / "runs").folder)
    check_writable(folder.path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)  # root may write all
    with pytest.raises(ConfigError, match=rf"cannot write to .*no permission .* {tmp_path};"):
        check_writable(folder.path)
    (tmp_path / "new").write_text("")
    with pytest.raises(ConfigError, match=r"^study\.storage: cannot write to .*/new is no folder"):
        check_writable(folder.path)


def test_reports_are_read_back(tmp_path: Path) -> None:
    study = study_file(tmp_path)
    folder = made_folder(study)
    folder.begin_run("0002", study.run)
    for epoch in (1, 2):
        folder.add_report("0002", report(epoch))
    assert folder.read_reports("0002") == (report(1), report(2))
    assert folder.read_reports("0003") == ()


def test_a_half_written_report_is_cut_off(tmp_path: Path) -> None:
    study = study_file(tmp_path)
    folder = made_folder(study)
    folder.begin_run("0000", study.run)
    folder.add_report("0000", report(1))
    with (folder.run("0000") / "reports.jsonl").open("a") as file:
        file.write(report(2).to_json()[:40])
    before = folder.run("0000") / "reports.jsonl"
    content = before.read_bytes()
    assert folder.read_reports("0000") == (report(1),)
    assert before.read_bytes() == content, "reading changes nothing"
    folder.begin_run("0000", study.run)
    folder.add_report("0000", report(2))
    assert folder.read_reports("0000") == (report(1), report(2))


def test_an_error_is_read_as_its_reason(tmp_path: Path) -> None:
    folder = made_folder(study_file(tmp_path))
    trace = 'Traceback (most recent call last):\n  File "a.py", line 3, in f\nValueError: no\nyes\n'
    folder.write_error("0001", trace)
    assert folder.read_error("0001") == "ValueError: no"
    assert folder.read_error("0000") is None


def test_the_scratch_folder_is_gone_at_the_end(tmp_path: Path) -> None:
    with StudyFolder.opened(study_file(tmp_path), {}) as folder:
        folder.scratch.mkdir()
    assert not folder.scratch.exists()


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"not a study folder, there is no study\.yaml in it$"):
        StudyFolder(tmp_path).read_study()


def test_json_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


@pytest.mark.parametrize("name", ["../other", "", ".hidden", "a b"])
def test_a_study_name_is_a_plain_folder_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="expected the name of a folder"):
        study_file(tmp_path, {"study.name": name})
