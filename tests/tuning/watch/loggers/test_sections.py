"""What a study file says of loggers is checked before anything starts."""

from pathlib import Path

import pytest
import yaml

from mtl_core.errors import ConfigError
from tuning.study.config import StudyFile
from tuning.study.identity import differences
from tuning.study.load import check_loggers, load_study
from tuning.watch.loggers.base import LoggedStudy
from tuning.watch.loggers.logged import Logged
from tuning.watch.loggers.mlflow import MlflowSection
from tuning.watch.loggers.wandb import WandbSection


def study(folder: Path, *loggers: object) -> StudyFile:
    content = {
        "run": {
            "datasets": {"sample": {"kind": "sample"}},
            "tasks": {
                "intent": {"kind": "classification", "dataset": "sample", "column": "intent"}
            },
        },
        "study": {"trials": 1, "storage": str(folder / "runs"), "loggers": list(loggers)},
    }
    (folder / "one.yaml").write_text(yaml.safe_dump(content))
    return load_study(str(folder / "one.yaml"))


@pytest.mark.parametrize(
    ("loggers", "said"),
    [
        ([{"kind": "mlfow"}], r"loggers\[0\]\.kind: .*'mlfow'.*mlflow, wandb.*'mlflow'\?"),
        ([{"kind": "mlflow", "uri": "x"}], r"key 'study\.loggers\[0\]\.uri'; .*tracking_uri"),
        ([{"kind": "wandb"}, {"kind": "wandb"}], r"study\.loggers: .*twice: wandb"),
        ([{"kind": "wandb", "mode": "off"}], r"study\.loggers\[0\]\.mode: .*'offline'"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(
    tmp_path: Path, loggers: list[object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        study(tmp_path, *loggers)


def test_a_package_or_key_that_is_missing_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    loaded = study(tmp_path, {"kind": "mlflow"}, {"kind": "wandb", "mode": "online"})
    with pytest.raises(ConfigError, match=r"^study\.loggers\[1\]\.mode: 'online' needs a key"):
        check_loggers(loaded)
    monkeypatch.setattr("mtl_core.extras.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as caught:
        check_loggers(loaded)
    assert str(caught.value) == (
        "study.loggers[0].kind: mlflow is not installed; it comes with pip install "
        "'mtl-tune[mlflow]'\n"
        "study.loggers[1].kind: wandb is not installed; it comes with pip install 'mtl-tune[wandb]'"
    )


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("htp://here:5000", r"unsupported URI 'htp://here:5000'.*'https'"),
        ("file:///runs", r"maintenance mode.*'sqlite:///mlflow\.db'"),
    ],
)
def test_an_address_that_mlflow_does_not_take_is_told_before_anything_starts(
    uri: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(ConfigError, match=rf"^study\.loggers\[0\]\.tracking_uri: .*{said}"):
        MlflowSection(tracking_uri=uri).check("study.loggers[0]")
    MlflowSection(tracking_uri="http://127.0.0.1:9").check("study.loggers[0]")  # Not reached.
    MlflowSection().check("study.loggers[0]")


def test_a_broken_file_of_a_logger_is_told_before_anything_starts(tmp_path: Path) -> None:
    loaded = study(tmp_path, {"kind": "wandb"})
    one = LoggedStudy.of(loaded.folder)
    one.folder.mkdir(parents=True)
    logged = Logged(one.folder, "wandb", WandbSection().place(one))
    logged.note_study("S")
    check_loggers(loaded)
    logged.path.write_text("{")
    with pytest.raises(ConfigError, match=r"loggers/wandb-\w+\.json: .*no JSON.*; remove it: all"):
        check_loggers(loaded)


def test_loggers_may_change_when_a_study_goes_on(tmp_path: Path) -> None:
    assert differences(study(tmp_path), study(tmp_path, {"kind": "mlflow"})) == {}


def test_mlflow_logs_where_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = LoggedStudy("demo", tmp_path / "runs" / "demo")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert MlflowSection().uri(one) == f"sqlite:///{tmp_path}/runs/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there:5000")
    assert MlflowSection().uri(one) == "http://there:5000"
    assert MlflowSection(tracking_uri="http://here").uri(one) == "http://here"
    # What stands in the study folder has no password in it.
    secret = MlflowSection(tracking_uri="postgresql://me:secret@there:1/db")
    assert secret.place(one) == "postgresql://there:1/db mtl"
    assert "secret" not in secret.told(one)


def test_wandb_is_offline_unless_there_is_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "netrc"
    monkeypatch.setenv("NETRC", str(path))
    assert WandbSection().chosen_mode == "offline"
    one = LoggedStudy.of(tmp_path / "demo")
    assert f"`wandb sync {tmp_path}/demo/wandb` sends it" in WandbSection().told(one)
    # What `wandb login` writes.
    path.write_text("machine api.wandb.ai\n  login user\n  password 0123\n")
    path.chmod(0o600)
    assert WandbSection().chosen_mode == "online"
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert WandbSection().chosen_mode == "offline"
    monkeypatch.setenv("WANDB_API_KEY", "0123")
    assert WandbSection().chosen_mode == "online"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert WandbSection().chosen_mode == "offline"
    assert WandbSection(mode="online").chosen_mode == "online"
