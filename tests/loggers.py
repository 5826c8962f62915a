"""The loggers, each with what reads back what it has logged, by the package's own means."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tuning.watch.loggers.base import LoggedStudy
from tuning.watch.loggers.following import Following
from tuning.watch.loggers.kinds import LoggerSection
from tuning.watch.loggers.logged import Logged
from tuning.watch.loggers.mlflow import MlflowSection
from tuning.watch.loggers.wandb import WandbSection


@dataclass(frozen=True)
class ReadRun:
    """A run as a service has it; states are those of MLflow."""

    state: str
    parent: str | None
    sort: str | None
    parameters: Mapping[str, str]
    curves: Mapping[str, list[tuple[int, float]]]
    status: str | None = None
    table: list[list[object]] | None = None
    last: Mapping[str, float] = field(default_factory=dict)


def read_mlflow(section: MlflowSection, study: LoggedStudy) -> dict[str, ReadRun]:
    """All runs of a study by their names, by MLflow's client."""
    from mlflow import MlflowClient

    client = MlflowClient(section.uri(study))
    experiment = client.get_experiment_by_name(section.experiment)
    runs = client.search_runs([experiment.experiment_id], f"tags.`mtl.folder` = '{study.folder}'")
    names = {run.info.run_id: run.info.run_name for run in runs}
    assert len(set(names.values())) == len(runs)
    return {names[run.info.run_id]: read_mlflow_run(client, run, names) for run in runs}


def read_mlflow_run(client, run, names: Mapping[str, str]) -> ReadRun:
    tags, run_id = run.data.tags, run.info.run_id
    table = None
    if "mlflow.loggedArtifacts" in tags:
        # Not what this returns: pandas reads "0002" as a number.
        client.load_table(run.info.experiment_id, "final.json", run_ids=[run_id])
        path = client.download_artifacts(run_id, "final.json")
        table = json.loads(Path(path).read_text())["data"]
    return ReadRun(
        state=run.info.status,
        parent=names.get(tags.get("mlflow.parentRunId")),
        sort=tags.get("mtl.sort"),
        parameters=run.data.params,
        curves={
            name: [(one.step, one.value) for one in client.get_metric_history(run_id, name)]
            for name in run.data.metrics
            if not name.rpartition("/")[2].isdigit()  # A call for each takes its time.
        },
        status=tags.get("mtl.status"),
        table=table,
        last=run.data.metrics,
    )


STATES = {None: "RUNNING", 0: "FINISHED", 1: "FAILED", 255: "KILLED"}
"""Exit code of W&B -> the state that it stands for."""


def read_wandb(section: WandbSection, study: LoggedStudy) -> dict[str, ReadRun]:
    """All runs of a study by their names, from their files, by the command line of W&B."""
    found = {}
    for folder in study.folder.glob("wandb/offline-run-*"):
        run = read_wandb_run(folder)
        name = run.parameters.get("run", study.name)
        assert name not in found
        found[name] = run
    return found


def wandb_records(folder: Path) -> Iterator[dict]:
    from wandb.util import get_core_path

    # What `wandb leet inspect FOLDER --json` runs; that imports for a second before.
    (file,) = folder.glob("*.wandb")
    command = [get_core_path(), "leet", "inspect", "--no-observability", "--json", "--run-file"]
    said = subprocess.run([*command, file, folder], capture_output=True, text=True, check=True)
    yield from (json.loads(line) for line in said.stdout.splitlines())


def read_wandb_run(folder: Path) -> ReadRun:
    exit_code, config, summary, run = None, {}, {}, {}
    curves: dict[str, list[tuple[int, float]]] = {}
    table = None
    for record in wandb_records(folder):
        content = record.get(record["type"], {})
        match record["type"]:
            case "run":
                run = content
                config |= content["config"]["update"]
            case "config":
                config |= content["update"]
            case "summary":
                summary |= content["update"]
            case "history":
                for name, value in content["item"].items():
                    if isinstance(value, float | int) and not name.startswith("_"):
                        curves.setdefault(name, []).append((content["step"]["num"], value))
            case "exit":
                exit_code = content.get("exit_code", 0)
    for path in folder.glob("files/media/table/final*.json"):
        table = json.loads(path.read_text())["data"]
    sort = run.get("job_type")
    return ReadRun(
        state=STATES[exit_code],
        parent=run["run_group"] if sort != "study" else None,
        sort=sort,
        parameters={name: value for name, value in config.items() if name != "_wandb"},
        curves=curves,
        status=summary.get("status"),
        table=table,
        last={name: value for name, value in summary.items() if isinstance(value, float | int)},
    )


@dataclass(frozen=True)
class LoggerCase:
    """A logger of the union.

    Attributes:
        settings: Of its section, for a folder in which nothing but this study is logged.
        read: Returns name -> run, the name of the study among them.
    """

    settings: Callable[[Path], Mapping[str, object]]
    read: Callable[..., dict[str, ReadRun]]


LOGGERS: dict[type, LoggerCase] = {
    MlflowSection: LoggerCase(lambda folder: {"experiment": folder.name}, read_mlflow),
    WandbSection: LoggerCase(lambda folder: {"mode": "offline"}, read_wandb),
}


def following(section: LoggerSection, study: LoggedStudy, records=(), said=None) -> Following:
    """What logs a session of a study, in this process."""
    logged = Logged(study.folder, section.kind, section.place(study))
    told = said if said is not None else []
    return Following(section.open(study), logged, records, told.append)
