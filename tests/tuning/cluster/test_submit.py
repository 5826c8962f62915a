"""Sending a study to a cluster, against a small stand-in for the job server of a head."""

import io
import json
import socket
import threading
import zipfile
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.job_submission import JobStatus

from mtl_core.errors import ConfigError, NotReadyError
from tuning.cluster import job_log
from tuning.cluster._ray import packed_files
from tuning.cluster.submit import submit_study


class JobServer(ThreadingHTTPServer):
    """Answers like the job server of a head on which every job has ended already."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), JobRequest)
        self.refusal: int | None = None
        self.ended: dict[str, Any] = {"status": "SUCCEEDED", "driver_exit_code": 0}
        self.job: dict[str, Any] = {}
        self.package = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class JobRequest(BaseHTTPRequestHandler):
    """One request to a `JobServer`."""

    server: JobServer

    def do_GET(self) -> None:
        details = {"type": "SUBMISSION", "entrypoint": "", **self.server.ended}
        if self.server.refusal is not None:
            self.answer({}, self.server.refusal)
        elif self.path == "/api/version":
            self.answer({"version": "4", "ray_version": "2.60.0"})
        elif self.path.startswith("/api/packages/"):
            self.answer({}, 404)
        else:
            self.answer({"logs": "epoch 1\n"} if self.path.endswith("/logs") else details)

    def do_PUT(self) -> None:
        self.server.package = self.body()
        self.answer({})

    def do_POST(self) -> None:
        self.server.job = json.loads(self.body())
        self.answer({"job_id": "job_1", "submission_id": "job_1"})

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def answer(self, content: dict[str, Any], status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Stays silent."""


@pytest.fixture
def server() -> Iterator[JobServer]:
    with JobServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_cluster_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)


def test_job_is_the_tune_command_with_overrides_and_storage(
    server: JobServer, tmp_path: Path
) -> None:
    submit_study(
        study="demo",
        overrides=["run.training.epochs=2", "study.name=my study"],
        address=server.url,
        working_dir=tmp_path,
        storage="/shared/runs",
    )
    assert server.job["entrypoint"] == (
        "python -m tuning tune demo --set run.training.epochs=2 --set 'study.name=my study'"
        " --set study.storage=/shared/runs"
    )


def test_study_file_is_named_from_the_folder_that_is_sent(
    server: JobServer, tmp_path: Path
) -> None:
    study = tmp_path / "studies" / "mine.yaml"
    study.parent.mkdir()
    study.touch()
    submit_study(study=str(study), address=server.url, working_dir=tmp_path)
    assert server.job["entrypoint"] == "python -m tuning tune studies/mine.yaml"


def test_package_holds_the_code_and_neither_results_nor_ignored_files(
    server: JobServer, tmp_path: Path
) -> None:
    kept = {"study.yaml", "data/train.csv", "mtl_core/data/formats/kinds.py"}
    for name in [*kept, "runs/demo/result.json", ".venv/bin/python", ".git/HEAD", "big/model"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    (tmp_path / ".gitignore").write_text("/big\n")
    submit_study(study="demo", address=server.url, working_dir=tmp_path)
    names = zipfile.ZipFile(io.BytesIO(server.package)).namelist()
    assert {name for name in names if not name.endswith("/")} == {*kept, ".gitignore"}


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ({"status": "SUCCEEDED", "driver_exit_code": 0}, 0),
        ({"status": "FAILED", "driver_exit_code": 1}, 1),
        ({"status": "FAILED", "driver_exit_code": 2}, 2),
        ({"status": "FAILED", "driver_exit_code": -9}, 1),
        ({"status": "STOPPED", "driver_exit_code": None}, 1),
    ],
)
def test_exit_code_is_the_one_of_the_job(
    server: JobServer, tmp_path: Path, ended: dict[str, Any], code: int
) -> None:
    server.ended = ended
    assert submit_study(study="demo", address=server.url, working_dir=tmp_path) == code


def test_log_and_reason_are_shown_of_a_job_that_never_started(
    server: JobServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.ended = {"status": "FAILED", "message": "no node is left"}
    submit_study(study="demo", address=server.url, working_dir=tmp_path)
    assert capsys.readouterr().out.endswith("epoch 1\nJob job_1 FAILED: no node is left\n")


def test_without_following_the_commands_to_do_so_are_shown(
    server: JobServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.ended = {"status": "FAILED", "driver_exit_code": 1}
    assert submit_study(study="demo", address=server.url, working_dir=tmp_path, follow=False) == 0
    shown = capsys.readouterr().out
    assert f"ray job logs --follow --address {server.url} job_1\n" in shown
    assert f"ray job stop --address {server.url} job_1\n" in shown


@pytest.mark.parametrize("status", [401, 403])
def test_refused_token_says_where_to_put_the_right_one(
    server: JobServer, tmp_path: Path, status: int
) -> None:
    server.refusal = status
    with pytest.raises(ConfigError, match=r"`ray get-auth-token` prints .* RAY_AUTH_TOKEN"):
        submit_study(study="demo", address=server.url, working_dir=tmp_path)


def test_unreachable_head_is_named(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NotReadyError, match=rf"no Ray cluster answers at {address}: start one"):
        submit_study(study="demo", address=address, working_dir=tmp_path)


def test_address_without_scheme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'head:8265': must be a URL .* http://HEAD:8265"):
        submit_study(study="demo", address="head:8265", working_dir=tmp_path)


def test_address_that_ray_would_not_use_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://other:8265")
    with pytest.raises(ConfigError, match=r"no effect while RAY_ADDRESS is set"):
        submit_study(study="demo", address="http://head:8265", working_dir=tmp_path)


def test_study_file_outside_the_working_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").touch()
    (tmp_path / "project").mkdir()
    with pytest.raises(ConfigError, match=rf"study\.yaml: must stand .*--working-dir {tmp_path}$"):
        submit_study(study=str(tmp_path / "study.yaml"), working_dir=tmp_path / "project")


def test_missing_study_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: no such study file"):
        submit_study(study=str(tmp_path / "absent.yaml"), working_dir=tmp_path)


def test_relative_storage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--storage 'runs': must be an absolute path"):
        submit_study(study="demo", working_dir=tmp_path, storage="runs")


def test_folder_over_the_limit_names_its_largest_entries(tmp_path: Path) -> None:
    for name, megabytes in {"models/a": 50, "models/b": 40, "data/c": 20, "runs/d": 900}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with (tmp_path / name).open("wb") as file:
            file.truncate(megabytes * 1024**2)
    with pytest.raises(
        ConfigError,
        match=r": 110 MB to send, Ray takes 100 MB; largest: models \(90 MB\), data \(20 MB\);",
    ):
        submit_study(study="demo", working_dir=tmp_path)


class BreakingLog:
    """A client whose connection breaks once, when the job has written half of its log."""

    def __init__(self) -> None:
        self.states = iter([JobStatus.RUNNING, JobStatus.RUNNING, JobStatus.SUCCEEDED])
        self.logs = iter([["epoch 1\n"], ["epoch 1\n", "epoch 2\n"]])

    def get_job_info(self, job: str) -> SimpleNamespace:
        return SimpleNamespace(status=next(self.states))

    def get_job_logs(self, job: str) -> str:
        return "epoch 1\nepoch 2\nepoch 3\n"

    async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
        for text in next(self.logs):
            yield text
        raise RuntimeError("WebSocket connection closed unexpectedly")


def test_every_line_is_shown_once_when_the_connection_breaks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(job_log, "RETRY_SECONDS", 0.0)
    assert job_log.follow_job(BreakingLog(), "job_1") == 0
    assert capsys.readouterr().out == "epoch 1\nepoch 2\nepoch 3\n"


def test_what_ray_packs_is_known_beforehand(tmp_path: Path) -> None:
    """As of Ray 2.60, whose way of looking through a folder is its own affair."""
    assert ray.__version__.startswith("2.60.")
    for name in ("study.yaml", "code/a.py", "code/big.bin", "venv/x", "notes.txt", "logs/1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    (tmp_path / ".gitignore").write_text("*.bin\n")
    (tmp_path / ".rayignore").write_text("notes.txt\n/logs\n")
    found = {str(path.relative_to(tmp_path)) for path in packed_files(tmp_path, ["venv"])}
    assert found == {"study.yaml", "code/a.py", ".gitignore", ".rayignore"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
