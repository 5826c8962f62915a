"""MLflow: a run for the study, and below it one for every run of the study.

https://mlflow.org/docs/latest/ml/tracking
"""

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Literal

from mtl_core.errors import ConfigError
from mtl_core.printable import one_line
from mtl_core.reasons import reason_of
from mtl_core.training.report import Report
from tuning.records import Status, TrialRecord
from tuning.watch.loggers.base import (
    LoggedStudy,
    LoggerBase,
    Service,
    metrics_of,
    parameters_of,
    sort_of,
)
from tuning.watch.loggers.final_table import COLUMNS, FinalTable
from tuning.watch.loggers.logged import LoggedRun

_STATES: Mapping[Status, str] = {"complete": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
"""How a run ended -> its state; of any other, such as an interrupted one, it is KILLED as well."""

_LONGEST = 500
"""Characters of a parameter that every version of the server takes."""

_LONGEST_NAME = 250
_METRICS_AT_ONCE = 1000
_PARAMETERS_AT_ONCE = 100
"""What a server takes in one call."""

_TABLE = "final.json"


class MlflowSection(LoggerBase):
    """MLflow, with a server or with a file: `pip install 'mtl-tune[mlflow]'`."""

    modules: ClassVar[tuple[str, ...]] = ("mlflow",)
    kind: Literal["mlflow"] = "mlflow"
    tracking_uri: str | None = None
    """A server or a database, as MLflow names them. null = `MLFLOW_TRACKING_URI`, and where that is
    not set the file `mlflow.db` in `study.storage`."""
    experiment: str = "mtl"
    """The experiment; it is made where there is none."""

    @property
    def name(self) -> str:
        """What people call it."""
        return "MLflow"

    @property
    def environment(self) -> Mapping[str, str]:
        """Has a server that does not answer told of in a minute: MLflow itself tries for longer."""
        return {"MLFLOW_HTTP_REQUEST_TIMEOUT": "20", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}

    def uri(self, study: LoggedStudy) -> str:
        """Returns where it logs, as MLflow names it."""
        named = self.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        return named or f"sqlite:///{study.folder.parent / 'mlflow.db'}"

    def _public_uri(self, study: LoggedStudy) -> str:
        # Without user and password: it comes into files that others read.
        return re.sub(r"//[^/@]*@", "//", self.uri(study))

    def place(self, study: LoggedStudy) -> str:
        """Returns server and experiment."""
        return f"{self._public_uri(study)} {self.experiment}"

    def told(self, study: LoggedStudy) -> str:
        """Returns the experiment, and where it is."""
        return f"experiment '{self.experiment}' in {self._public_uri(study)}"

    def check(self, where: str) -> None:
        """Refuses it without its package, and an address that MLflow does not know."""
        super().check(where)
        if self.tracking_uri is None or self.tracking_uri.startswith("sqlite:"):
            return  # MLflow makes a file as soon as it has a look.
        from mlflow import MlflowClient

        try:
            MlflowClient(self.tracking_uri)
        # Which errors these are hangs on the scheme, and on plugins.
        except Exception as error:
            raise ConfigError(f"{where}.tracking_uri: {reason_of(error)}") from error

    def open(self, study: LoggedStudy) -> "Mlflow":
        """Returns the service; nothing is reached yet."""
        return Mlflow(self.uri(study), self.experiment, study)


class Mlflow(Service):
    """Logs by the client of MLflow, which is told of each run by its id: several run at a time."""

    def __init__(self, uri: str, experiment: str, study: LoggedStudy) -> None:
        """Makes the client.

        Args:
            uri: Where to log.
            experiment: Name of the experiment.
            study: The study.
        """
        from mlflow import MlflowClient

        self._client = MlflowClient(uri)
        self._experiment = experiment
        self._study = study
        self._is_file = uri.startswith("sqlite:")
        self._parent = ""

    def begin_study(self, known: str | None) -> str:
        """Makes the run of the study, or has it run again."""
        self._parent = self._begin(known, self._study.name, {})
        return self._parent

    def begin(self, record: TrialRecord, known: LoggedRun | None) -> LoggedRun:
        """Makes a run below that of the study, or has it run again."""
        tags = {"mlflow.parentRunId": self._parent, "mtl.sort": sort_of(record.id)}
        run = self._begin(known.id if known else None, record.id, tags)
        if known is None:
            self._log_parameters(run, record)
        if record.taken_over:
            # A parameter of MLflow never changes; those of a trial that took over another do.
            self._client.set_tag(run, "mtl.parameters_now", json.dumps(record.parameters)[:5000])
        return LoggedRun(run, known.reports if known else 0)

    def report(self, run: str, reports: Sequence[Report], number: int) -> None:
        """Logs a report; its steps are the numbers of reports, and epochs a metric of their own."""
        self._log_metrics(run, metrics_of(reports), number)

    def end(self, run: str, record: TrialRecord) -> None:
        """Sets the state of a run."""
        self._client.set_tag(run, "mtl.status", record.status)
        if record.error is not None:
            self._client.set_tag(run, "mtl.error", one_line(record.error)[:5000])
        self._client.set_terminated(run, _STATES.get(record.status, "KILLED"))

    def end_study(self, run: str, table: FinalTable | None) -> None:
        """Logs the final scores, as a table and as metrics, and sets the state of the study."""
        status: Status = "interrupted"
        if table is not None:
            status = "complete" if table.status == "complete" else "failed"
            # Not `log_table`, which appends to what an earlier session has logged.
            content = {"columns": list(COLUMNS), "data": table.cells}
            self._client.log_dict(run, content, _TABLE)
            tables = json.dumps([{"path": _TABLE, "type": "table"}])
            self._client.set_tag(run, "mlflow.loggedArtifacts", tables)
            self._log_metrics(run, table.metrics, 0)
        self._client.set_terminated(run, _STATES.get(status, "KILLED"))

    @cached_property
    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        if found is not None:
            return str(found.experiment_id)
        # MLflow would put the files of a database on this machine below the current folder.
        files = self._study.folder.parent / "mlflow-files"
        location = files.absolute().as_uri() if self._is_file else None
        return str(self._client.create_experiment(self._experiment, artifact_location=location))

    def _begin(self, known: str | None, name: str, tags: Mapping[str, str]) -> str:
        if known is not None:
            self._client.update_run(known, status="RUNNING")
            return known
        given = {"mtl.study": self._study.name, "mtl.folder": str(self._study.folder), **tags}
        made = self._client.create_run(self._experiment_id, tags=given, run_name=name)
        return str(made.info.run_id)

    def _log_metrics(self, run: str, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        found = [Metric(_allowed(name), value, now, step) for name, value in values.items()]
        for start in range(0, len(found), _METRICS_AT_ONCE):
            self._client.log_batch(run, metrics=found[start : start + _METRICS_AT_ONCE])

    def _log_parameters(self, run: str, record: TrialRecord) -> None:
        from mlflow.entities import Param

        texts = {
            _allowed(key): value if isinstance(value, str) else json.dumps(value)
            for key, value in parameters_of(record).items()
        }
        params = [Param(key, _shortened(text)) for key, text in texts.items()]
        for start in range(0, len(params), _PARAMETERS_AT_ONCE):
            self._client.log_batch(run, params=params[start : start + _PARAMETERS_AT_ONCE])
        if any(len(text) > _LONGEST for text in texts.values()):
            self._client.log_dict(run, parameters_of(record), "parameters.json")


def _allowed(name: str) -> str:
    """Returns a name in characters that MLflow takes, which is a path in its simplest form."""
    parts = re.sub(r"[^\w./ -]", "_", name, flags=re.ASCII)[:_LONGEST_NAME].split("/")
    return "/".join(part for part in parts if part.strip(".")) or "_"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
