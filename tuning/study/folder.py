"""The study folder: the truth about a study, from which it goes on after a crash."""

import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from mtl_core.errors import ConfigError
from mtl_core.files import write_json, write_text
from mtl_core.study_file import dump, read_document
from mtl_core.training.report import EpochReport
from mtl_core.validation import validate

if TYPE_CHECKING:
    from mtl_core.config import RunConfig
    from tuning.study.config import StudyFile

_MAY_CHANGE = frozenset(
    {
        "name",
        "storage",
        "trials",
        "resources",
        "isolation",
        "max_attempts",
        "keep_checkpoints",
        "memory_growth_gib",
    }
)
"""Keys of `study` that a study may be continued with other values of."""

_PACKAGES = ("mtl", "ray", "optuna", "torch", "transformers", "datasets", "tokenizers", "numpy")


class StudyFolder:
    """Paths of a study folder, and the files that only the driver writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path / "optuna.journal"
        self.trials = path / "trials"
        self.trials_csv = path / "trials.csv"
        self.tensorboard = path / "tensorboard"
        self.best = path / "best"
        self.report = path / "report.md"
        self.scratch = path / ".scratch"
        self._result = path / "result.json"
        self.study = path / "study.yaml"
        self._inputs = path / "inputs.json"
        self.status = path / "status.json"

    @classmethod
    @contextmanager
    def opened(cls, study: "StudyFile", inputs: Mapping[str, str]) -> Iterator["StudyFolder"]:
        """Makes the folder of a study, or opens the one of an earlier session; locks it.

        Args:
            study: The study.
            inputs: What else its results hang on -> a hash of it, see `inputs_of`.

        Raises:
            ConfigError: The folder cannot be written, is in use, or holds another study.
        """
        folder = cls(study.folder)
        folder.check_same(study)
        folder._check_inputs(study, inputs)
        try:
            folder.trials.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder.path / ".lock", timeout=0)
            lock.acquire()
        except Timeout as error:
            raise ConfigError(
                f"{folder.path}: another process is running this study; wait for it, or give "
                "this one another name: --set study.name=NAME"
            ) from error
        except OSError as error:
            raise folder._not_writable(error.strerror) from error
        try:
            write_text(folder.study, dump(study))
            write_json(folder._inputs, inputs)
            write_json(folder.path / "versions.json", _versions())
            yield folder
        finally:
            shutil.rmtree(folder.scratch, ignore_errors=True)
            lock.release()

    def read_study(self) -> "StudyFile":
        """Returns the study that the folder was made for; imports no kinds of tasks.

        Raises:
            ConfigError: It is no study folder.
        """
        # With the schema come torch and more, which a look at the folder alone can do without.
        from mtl_core.tasks.kinds import outside_kinds
        from tuning.study.config import StudyFile

        self.check_is_study()
        with outside_kinds("leave"):
            return validate(read_document(self.study), StudyFile)

    def check_is_study(self) -> None:
        """Refuses any other folder.

        Raises:
            ConfigError: There is no study in it.
        """
        if not self.study.is_file():
            raise ConfigError(f"{self.path}: not a study folder, there is no study.yaml in it")

    def trial(self, number: int) -> Path:
        """Returns the folder of a trial."""
        return self.trials / f"{number:04d}"

    def checkpoint(self, number: int) -> Path:
        """Returns the checkpoint folder of a trial."""
        return self.trial(number) / "checkpoint"

    def begin_trial(self, number: int, run: "RunConfig | Mapping[str, object]") -> None:
        """Writes the configuration of a trial.

        Cuts off the report that a killed driver left unfinished: more will be appended.
        """
        self.trial(number).mkdir(exist_ok=True)
        reports = self._reports(number)
        if reports.is_file():
            write_text(reports, _whole_lines(reports))
        write_text(self.trial(number) / "config.yaml", dump(run))

    def add_report(self, number: int, report: EpochReport) -> None:
        """Appends a report to the trial's file."""
        with self._reports(number).open("a", encoding="utf-8") as file:
            file.write(report.to_json() + "\n")

    def read_reports(self, number: int) -> tuple[EpochReport, ...]:
        """Returns the reports of a trial, without one that a killed driver left unfinished."""
        path = self._reports(number)
        if not path.is_file():
            return ()
        return tuple(EpochReport.from_json(line) for line in _whole_lines(path).splitlines())

    def _reports(self, number: int) -> Path:
        return self.trial(number) / "reports.jsonl"

    def write_error(self, number: int, error: str) -> None:
        """Keeps the traceback of a failed trial."""
        self.trial(number).mkdir(exist_ok=True)
        (self.trial(number) / "error.txt").write_text(error, encoding="utf-8")

    def read_error(self, number: int) -> str | None:
        """Returns the last line of the traceback of a failed trial."""
        path = self.trial(number) / "error.txt"
        if not path.is_file():
            return None
        lines = path.read_text(encoding="utf-8").strip().splitlines()
        return lines[-1] if lines else None

    def drop_checkpoint(self, number: int) -> None:
        """Removes the checkpoint of a trial that nothing will be read from."""
        shutil.rmtree(self.checkpoint(number), ignore_errors=True)

    def read_result(self) -> dict[str, object]:
        """Returns what `result.json` holds; empty before the first one is written."""
        if not self._result.is_file():
            return {}
        result: dict[str, object] = json.loads(self._result.read_text(encoding="utf-8"))
        return result

    def write_result(self, result: Mapping[str, object]) -> None:
        """Writes `result.json`."""
        write_json(self._result, result)

    def check_writable(self) -> None:
        """Refuses a folder that could not be made or written, without making it.

        Raises:
            ConfigError: So it is.
        """
        # Not `Path.exists`, which raises below a folder that may not be entered.
        nearest = next(path for path in (self.path, *self.path.parents) if os.path.exists(path))  # noqa: PTH110
        if not nearest.is_dir():
            raise self._not_writable(f"{nearest} is no folder")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise self._not_writable(f"no permission to write in {nearest}")

    def _not_writable(self, reason: str | None) -> ConfigError:
        return ConfigError(
            f"study.storage: cannot write to {self.path}: {reason}; "
            "choose another folder: --set study.storage=FOLDER"
        )

    def check_same(self, study: "StudyFile") -> None:
        """Refuses to continue a study with another one.

        Raises:
            ConfigError: The folder holds another study (says what differs and offers a name), or
                cannot be read.
        """
        try:
            if not self.study.is_file():
                return
        except OSError as error:
            raise ConfigError(
                f"study.storage: cannot read {self.path}: {error.strerror}"
            ) from error
        differences = _differences(_identity(self.read_study()), _identity(study))
        if differences:
            key, (before, now) = next(iter(differences.items()))
            more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
            raise ConfigError(
                f"{self.path}: holds a study with {key} = {before}, here it is {now}{more}; "
                f"continue that one unchanged, or start a new one: "
                f"--set study.name={_free_name(study)}"
            )

    def _check_inputs(self, study: "StudyFile", inputs: Mapping[str, str]) -> None:
        if not self._inputs.is_file():
            return
        before = json.loads(self._inputs.read_text(encoding="utf-8"))
        changed = [name for name in inputs if before.get(name) != inputs[name]]
        if changed:
            raise ConfigError(
                f"{self.path}: the content of {', '.join(changed)} has changed since this study "
                "began, so new trials could not be compared with those before; put it back, or "
                f"start a new study: --set study.name={_free_name(study)}"
            )


def _whole_lines(path: Path) -> str:
    content = path.read_text(encoding="utf-8")
    return content[: content.rfind("\n") + 1]


def _identity(study: "StudyFile") -> dict[str, object]:
    """Returns what makes two studies the same, flat: dotted key -> value."""
    data = study.model_dump(mode="json")
    data["study"] = {key: value for key, value in data["study"].items() if key not in _MAY_CHANGE}
    return dict(_flat((), data))


def _flat(path: tuple[str, ...], value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat((*path, key), item)
    else:
        yield ".".join(path), value


def _differences(
    before: Mapping[str, object], now: Mapping[str, object]
) -> dict[str, tuple[object, object]]:
    keys = [*before, *(key for key in now if key not in before)]
    pairs = {key: (before.get(key, "absent"), now.get(key, "absent")) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _free_name(study: "StudyFile") -> str:
    number = 2
    while (study.study.storage / f"{study.study.name}-{number}").exists():
        number += 1
    return f"{study.study.name}-{number}"


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed as a package"
    return versions
