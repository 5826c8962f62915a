"""The study folder: the truth about a study, from which it goes on after a crash."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_core.differences import told
from mtl_core.errors import ConfigError, NotReadyError
from mtl_core.files import InUseError, hold, remove, whole_append, write_json, write_text
from mtl_core.kept import BrokenError, read_bytes, read_kept
from mtl_core.leftovers import remove_parts
from mtl_core.model_folder import META
from mtl_core.plain_file import is_plain
from mtl_core.reasons import reason_in
from mtl_core.study_file import dump, read_document
from mtl_core.training.report import Report
from mtl_core.validation import validate
from tuning.records import is_trial_id
from tuning.study.find import not_a_folder
from tuning.study.identity import differences, free_name
from tuning.study.reports import read_reports, whole_lines
from tuning.study.versions import versions
from tuning.study.writable import not_writable

if TYPE_CHECKING:
    from mtl_core.config import RunConfig
    from tuning.study.config import StudyFile


class StudyFolder:
    """Paths of a study folder, and the files that only the driver writes.

    The driver writes between enter and exit of `opened`, which holds the lock. Anybody may read at
    any time, and write the reports anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def study(self) -> Path:
        """The study file, resolved."""
        return self.path / "study.yaml"

    @property
    def facts(self) -> Path:
        """What reports need to know of it, see `tuning.study.facts`."""
        return self.path / "facts.json"

    @property
    def inputs(self) -> Path:
        """What else its results hang on -> a hash of it."""
        return self.path / "inputs.json"

    @property
    def journal(self) -> Path:
        """Optuna's journal: the points, and what came of them."""
        return self.path / "optuna.journal"

    @property
    def trials(self) -> Path:
        """The folders of the trials."""
        return self.path / "trials"

    @property
    def best(self) -> Path:
        """The model of the best recipe."""
        return self.path / "best"

    @property
    def report(self) -> Path:
        """The report for people."""
        return self.path / "report.md"

    @property
    def page(self) -> Path:
        """The same with figures."""
        return self.path / "report.html"

    @property
    def result(self) -> Path:
        """The result for programs."""
        return self.path / "result.json"

    @property
    def measured(self) -> Path:
        """What the objective is relative to; see `tuning.study.measured`."""
        return self.path / "measured.json"

    @property
    def scored(self) -> Path:
        """What test has told of runs; see `tuning.study.scored`."""
        return self.path / "scored.json"

    @property
    def openings(self) -> Path:
        """When test was opened for more trials; see `tuning.study.openings`."""
        return self.path / "test_opened.json"

    @property
    def status(self) -> Path:
        """What the driver does at present; see `tuning.watch.status_file`."""
        return self.path / "status.json"

    @property
    def scratch(self) -> Path:
        """What Ray writes for itself, removed at the end; nothing of a study is read from it."""
        return self.path / ".scratch"

    @classmethod
    @contextmanager
    def opened(cls, study: "StudyFile", inputs: Mapping[str, str]) -> Iterator["StudyFolder"]:
        """Makes the folder of a study, or opens the one of an earlier session; locks it meanwhile.

        Args:
            study: The study.
            inputs: What else its results hang on -> a hash of it, see `inputs_of`.

        Raises:
            ConfigError: The folder cannot be written, or holds another study.
            NotReadyError: It is in use.
        """
        folder = cls(study.folder)
        # Before anything is made or written: a refused study leaves the folder as it was.
        folder.check_same(study)
        folder._check_inputs(study, inputs)
        try:
            # Makes the study folder as well, which the lock file lies in.
            folder.trials.mkdir(parents=True, exist_ok=True)
            lock = hold(folder.path)
        except InUseError as error:
            raise NotReadyError(
                f"{folder.path}: another process is running this study; wait for it, or give "
                "this one another name: --set study.name=NAME"
            ) from error
        except OSError as error:
            raise not_writable(folder.path, error.strerror) from error
        try:
            # Once more: another driver may have made the folder since.
            folder.check_same(study)
            folder._check_inputs(study, inputs)
            # Anew in each session: `trials` and other keys that may change are then the last ones.
            remove_parts(folder.path)
            write_text(folder.study, dump(study))
            write_json(folder.inputs, inputs)
            write_json(folder.path / "versions.json", versions())
            yield folder
        finally:
            # Still under the lock: the next driver has a scratch folder in the same place.
            shutil.rmtree(folder.scratch, ignore_errors=True)
            lock.release()

    def read_study(self) -> "StudyFile":
        """Returns the study that the folder was made for; imports no kinds of tasks.

        Raises:
            ConfigError: It is no study folder, or its study file is broken.
        """
        # With the schema come torch and more, which a look at the folder alone can do without.
        from mtl_core.tasks.kinds import outside_kinds
        from tuning.study.config import StudyFile

        self.check_is_study()
        # A study folder may come from a stranger: the code that it names is not run.
        try:
            with outside_kinds("leave"):
                return validate(read_document(self.study), StudyFile)
        except ConfigError as error:
            first, *others = str(error).split("\n")
            more = f", and {len(others)} more errors" if others else ""
            raise BrokenError(
                f"{first}{more}; it says what the study in the folder is: put it back from a copy"
            ) from error

    def check_is_study(self) -> None:
        """Refuses a folder that holds no study.

        Raises:
            ConfigError: There is no such folder, or no study.yaml in it.
        """
        if (wrong := not_a_folder(self.path)) is not None:
            raise ConfigError(wrong)
        if not is_plain(self.study):
            if (self.path / "model" / META).is_file():
                raise ConfigError(
                    f"{self.path}: a run of `mtl train`, not a study folder; `mtl evaluate "
                    f"{self.path}` scores its model"
                )
            raise ConfigError(f"{self.path}: not a study folder, there is no study.yaml in it")

    def run(self, run_id: str) -> Path:
        """Returns the folder of a run; trials lie together, others where their ids say."""
        return (self.trials if is_trial_id(run_id) else self.path) / run_id

    def checkpoint(self, run_id: str) -> Path:
        """Returns the checkpoint folder of a run."""
        return self.run(run_id) / "checkpoint"

    def state(self, run_id: str) -> Path:
        """Returns the file of a checkpoint that a run goes on with."""
        return self.checkpoint(run_id) / "state.pt"

    def begin_run(self, run_id: str, run: "RunConfig | Mapping[str, object]") -> None:
        """Writes the configuration of a trial; has to be called before its first `add_report`.

        Args:
            run_id: The trial.
            run: Its recipe, checked or as plain data.
        """
        self.run(run_id).mkdir(parents=True, exist_ok=True)
        reports = self.reports(run_id)
        if reports.is_file():
            # A killed driver may have left half a line, and the next report would join on to it.
            write_text(reports, whole_lines(reports))
        write_text(self.run(run_id) / "config.yaml", dump(run))

    def add_report(self, run_id: str, report: Report) -> None:
        """Appends a report to the trial's file."""
        # Appended and not written whole: a trial of many epochs would be copied at every report.
        # Half a line after a kill is known by its missing end, see `whole_lines`.
        path = self.reports(run_id)
        with whole_append(path), path.open("a", encoding="utf-8") as file:
            file.write(report.to_json() + "\n")

    def read_reports(self, run_id: str) -> tuple[Report, ...]:
        """Returns the reports of a trial, see `tuning.study.reports`."""
        return read_reports(self.reports(run_id))

    def reports(self, run_id: str) -> Path:
        """Returns the file of the reports of a trial."""
        return self.run(run_id) / "reports.jsonl"

    def write_error(self, run_id: str, error: str) -> None:
        """Keeps the traceback of a failed trial."""
        self.run(run_id).mkdir(parents=True, exist_ok=True)
        write_text(self.run(run_id) / "error.txt", error)

    def read_error(self, run_id: str) -> str | None:
        """Returns why a trial failed, in a line; None when it did not, or nothing is known."""
        remedy = "remove it: nothing hangs on it but what the report says of the trial"
        content = read_bytes(self.run(run_id) / "error.txt", remedy=remedy)
        return None if content is None else reason_in(content.decode(errors="replace"))

    def drop_checkpoint(self, run_id: str) -> None:
        """Removes the checkpoint of a trial; nobody may need it any more."""
        shutil.rmtree(self.checkpoint(run_id), ignore_errors=True)

    def drop_state(self, run_id: str) -> None:
        """Removes that of a checkpoint which a run goes on with; the best weights stay."""
        remove(self.state(run_id))

    def check_same(self, study: "StudyFile") -> None:
        """Refuses to go on with a study when the folder holds another one.

        Raises:
            ConfigError: The folder holds another study (says what differs and offers a name), or
                cannot be read.
        """
        try:
            is_there = is_plain(self.study)
        except ConfigError as error:
            raise ConfigError(f"study.storage: {error}") from error
        if not is_there:
            if self.journal.exists():
                raise ConfigError(
                    f"{self.path}: holds the trials of a study, but no study.yaml any more; put it "
                    f"back from a copy, or start a new one: --set study.name={free_name(study)}"
                )
            return
        found = differences(self.read_study(), study)
        if found:
            raise ConfigError(
                f"{self.path}: holds a study with {told(found)}; "
                f"continue that one unchanged, or start a new one: "
                f"--set study.name={free_name(study)}"
            )

    def read_inputs(self) -> Mapping[str, str] | None:
        """Returns what its results hang on -> a hash of it; None where that was not kept.

        Raises:
            BrokenError: The file is broken.
        """
        remedy = "put it back from a copy, or remove it: the data are then taken for the same"
        return read_kept(self.inputs, dict[str, str], remedy=remedy)

    def _check_inputs(self, study: "StudyFile", inputs: Mapping[str, str]) -> None:
        before = self.read_inputs()
        if before is None:
            return
        # The study file names data by their paths; only the content says whether they are the same.
        changed = [name for name in inputs if before.get(name) != inputs[name]]
        if changed:
            raise ConfigError(
                f"{self.path}: the content of {', '.join(changed)} has changed since this study "
                "began, so new trials could not be compared with those before; put it back, or "
                f"start a new study: --set study.name={free_name(study)}"
            )
