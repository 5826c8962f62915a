"""Weights & Biases: a run for the study, and one for every run of the study, in one group.

https://docs.wandb.ai/ref/python
"""

import netrc
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlparse
from uuid import uuid4

from mtl_core.errors import ConfigError
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

if TYPE_CHECKING:
    from wandb import Run

_EXIT_CODES: Mapping[Status, int] = {"complete": 0, "failed": 1}
"""How a run ended -> its exit code, from which W&B takes its state."""

_KILLED = 255
"""The exit code of any other: that of W&B for what Ctrl-C ended."""

_INIT_SECONDS = 30.0
"""How long a server is waited for, less than the end of a session waits; then it is told."""

Mode = Literal["online", "offline"]


class WandbSection(LoggerBase):
    """Weights & Biases: `pip install 'mtl-tune[wandb]'`."""

    modules: ClassVar[tuple[str, ...]] = ("wandb",)
    kind: Literal["wandb"] = "wandb"
    project: str = "mtl"
    """The project; it is made where there is none."""
    entity: str | None = None
    """The user or team that it belongs to; null = that of the key."""
    mode: Mode | None = None
    """`offline` = files in the folder `wandb` of the study, which `wandb sync` sends later. null =
    `WANDB_MODE`, and where that is not set `online` if there is a key, else `offline`."""

    @property
    def name(self) -> str:
        """What people call it."""
        return "Weights & Biases"

    def place(self, study: LoggedStudy) -> str:
        """Returns the project."""
        return f"{self.entity or ''}/{self.project}"

    @property
    def chosen_mode(self) -> Mode:
        """The mode on this machine."""
        named = self.mode or os.environ.get("WANDB_MODE")
        if named in ("online", "offline"):
            return named  # type: ignore[return-value]
        return "online" if _has_key() else "offline"

    def told(self, study: LoggedStudy) -> str:
        """Returns the project; offline also how it is sent."""
        if self.chosen_mode == "online":
            return f"project '{self.project}'"
        return (
            f"offline, `wandb sync {study.folder / 'wandb'}` sends it to project '{self.project}'"
        )

    def check(self, where: str) -> None:
        """Refuses it without its package, and without a key where one is needed."""
        super().check(where)
        if self.mode == "online" and not _has_key():
            raise ConfigError(
                f"{where}.mode: 'online' needs a key, and there is none here; give it with "
                "`wandb login` or in WANDB_API_KEY, or choose offline"
            )

    def open(self, study: LoggedStudy) -> "Wandb":
        """Returns the service; nothing is reached yet."""
        return Wandb(self.project, self.entity, self.chosen_mode, study)


def _has_key() -> bool:
    """Returns whether there is a key on this machine, in the places where W&B looks for it."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    with suppress(OSError, netrc.NetrcParseError):
        return netrc.netrc(str(path)).authenticators(host) is not None
    return False


class Wandb(Service):
    """Logs by the package `wandb`, which holds a run open for each that has begun."""

    def __init__(self, project: str, entity: str | None, mode: Mode, study: LoggedStudy) -> None:
        """Notes where to log.

        Args:
            project: Name of the project.
            entity: Whose it is; None = the owner of the key.
            mode: Whether there is a network.
            study: The study.
        """
        self._project = project
        self._entity = entity
        self._mode = mode
        self._study = study
        self._runs: dict[str, Run] = {}

    def begin_study(self, known: str | None) -> str:
        """Makes the run of the study, or goes on with it."""
        run = known or uuid4().hex[:8]
        self._begin(run, self._study.name, "study", {"folder": str(self._study.folder)})
        return run

    def begin(self, record: TrialRecord, known: LoggedRun | None) -> LoggedRun:
        """Makes a run, or goes on with it; offline it is written whole once more.

        W&B cannot append to the files of an offline run. Another run with its id takes its place
        when both are sent.
        """
        run_id = known.id if known else uuid4().hex[:8]
        config: dict[str, object] = {"run": record.id, **parameters_of(record)}
        run = self._begin(run_id, record.id, sort_of(record.id), config)
        run.define_metric("*", step_metric="epochs")
        # Steps are the numbers of reports, and W&B takes none twice.
        return LoggedRun(run_id, max(0, run.starting_step - 1))

    def report(self, run: str, reports: Sequence[Report], number: int) -> None:
        """Logs a report; curves are drawn over its epochs."""
        self._runs[run].log(dict(metrics_of(reports)), step=number, commit=True)

    def end(self, run: str, record: TrialRecord) -> None:
        """Ends a run with the exit code of its state."""
        self._runs[run].summary["status"] = record.status
        if record.error is not None:
            self._runs[run].summary["error"] = record.error
        self._finish(run, _EXIT_CODES.get(record.status, _KILLED))

    def end_study(self, run: str, table: FinalTable | None) -> None:
        """Logs the final scores, as a table and in the summary, and ends the run of the study."""
        import wandb

        if table is None:
            self._finish(run, _KILLED)
            return
        cells: list[Iterable[object]] = [*table.cells]
        self._runs[run].log({"final": wandb.Table(columns=list(COLUMNS), data=cells)})
        self._runs[run].summary.update(dict(table.metrics))
        self._finish(run, _EXIT_CODES["complete" if table.status == "complete" else "failed"])

    def _begin(self, run_id: str, name: str, sort: str, config: dict[str, object]) -> "Run":
        import wandb

        if self._mode == "offline":
            self._remove_unsent(run_id)
        # Of the process that trains nothing is known here: no code, no output, no load.
        settings = wandb.Settings(
            console="off",
            silent=True,
            init_timeout=_INIT_SECONDS,
            save_code=False,
            disable_git=True,
            x_disable_stats=True,
            x_disable_meta=True,
            x_save_requirements=False,
        )
        run = wandb.init(
            id=run_id,
            name=name,
            project=self._project,
            entity=self._entity,
            group=self._study.name,
            job_type=sort,
            dir=self._study.folder,
            mode=self._mode,
            resume="allow" if self._mode == "online" else None,
            reinit="create_new",  # Several runs at a time.
            settings=settings,
        )
        run.config.update(config, allow_val_change=True)  # type: ignore[no-untyped-call]
        self._runs[run_id] = run
        return run

    def _finish(self, run: str, exit_code: int) -> None:
        self._runs.pop(run).finish(exit_code=exit_code)

    def _remove_unsent(self, run_id: str) -> None:
        """Removes the files of an earlier session of a run, as far as they were not sent."""
        for folder in self._study.folder.glob(f"wandb/offline-run-*-{run_id}"):
            if not list(folder.glob("*.synced")):
                shutil.rmtree(folder)
