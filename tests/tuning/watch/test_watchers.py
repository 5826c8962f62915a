"""Every watcher of the package through the same story of a study, by the one contract."""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pandas
import pytest
from full_disks import no_file_beyond
from odd_loggers import OddSection
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from trials import at_work, record

import tuning.watch
from mtl_core.training.report import Report
from tuning.goals import Goal
from tuning.records import TrialRecord
from tuning.space.range_domains import Floats
from tuning.space.space import Parameter
from tuning.watch.console import plain_console
from tuning.watch.display import Display
from tuning.watch.file_watchers import file_watchers
from tuning.watch.front_board import FrontBoard
from tuning.watch.json_lines import EventLines, JsonLines
from tuning.watch.live_table import LiveTable
from tuning.watch.log_lines import LogLines
from tuning.watch.loggers.apart import Apart
from tuning.watch.loggers.base import LoggedStudy, Service
from tuning.watch.loggers.final_table import FinalTable
from tuning.watch.loggers.following import Following
from tuning.watch.loggers.logged import Logged, LoggedRun
from tuning.watch.notebook import NotebookView
from tuning.watch.plain_lines import PlainLines
from tuning.watch.relay import Relay
from tuning.watch.state import StudyState
from tuning.watch.status_file import StatusFile, read_driver
from tuning.watch.study_watchers import StudyWatchers
from tuning.watch.tensorboard import EXPERIMENT_FILE, TensorBoard
from tuning.watch.trials_csv import TrialsCsv, trials_frame
from tuning.watch.watcher import Watcher, Watchers


class NoService(Service):
    """Takes everything and keeps nothing."""

    def begin_study(self, known: str | None) -> str:
        return "study"

    def begin(self, record: TrialRecord, known: LoggedRun | None) -> LoggedRun:
        return LoggedRun(record.id)

    def report(self, run: str, reports: Sequence[Report], number: int) -> None: ...

    def end(self, run: str, record: TrialRecord) -> None: ...

    def end_study(self, run: str, table: FinalTable | None) -> None: ...


Make = Callable[[StudyState, Path], Watcher]

PARAMETERS = [Parameter("optimizer.encoder_lr", Floats(1e-5, 1e-3, log=True))]

WATCHERS: dict[type[Watcher], Make] = {
    StudyState: lambda state, folder: state,
    FrontBoard: lambda state, folder: FrontBoard(folder, [], Goal(limits={"parameters": 1.0})),
    Display: lambda state, folder: Display(StudyState("demo")),
    Apart: lambda state, folder: Apart(
        OddSection(path=folder / "calls"), LoggedStudy("demo", folder), []
    ),
    Following: lambda state, folder: Following(
        NoService(), Logged(folder, "none", "nowhere"), [], print
    ),
    Relay: lambda state, folder: Relay(Watcher(), "alone/intent"),
    Watchers: lambda state, folder: Watchers(),
    StudyWatchers: lambda state, folder: StudyWatchers("demo", None),
    JsonLines: lambda state, folder: JsonLines(state, EventLines(StringIO())),
    LiveTable: lambda state, folder: LiveTable(state, plain_console(file=StringIO())),
    LogLines: lambda state, folder: LogLines(),
    NotebookView: lambda state, folder: NotebookView(state),
    PlainLines: lambda state, folder: PlainLines(state, plain_console(file=StringIO())),
    StatusFile: lambda state, folder: StatusFile(folder / "status.json", state),
    TensorBoard: lambda state, folder: TensorBoard(folder / "tensorboard", PARAMETERS),
    TrialsCsv: lambda state, folder: TrialsCsv(folder / "trials.csv", []),
}


def found_watchers() -> set[type[Watcher]]:
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(tuning.watch.__path__, "tuning.watch.")
    ]
    return {
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Watcher) and value is not Watcher
    }


def tell(watcher: Watcher) -> None:
    """A study of two trials: one that goes on after a restart, one that fails."""
    watcher.stage("starting 1 trainer")
    watcher.aimed(Goal())
    watcher.planned(trials=3, ended=[record(0, "complete", 0.5)], epochs=2, trainers=1)
    watcher.began(record(1, "running", 0.25))
    watcher.progressed([at_work(1, epoch=2, step=10, seconds=1.0)])
    watcher.reported(record(1, "running", 0.25, 0.75))
    watcher.ended(record(1, "complete", 0.25, 0.75))
    watcher.began(record(2, "running"))
    watcher.ended(replace(record(2, "failed"), error="ValueError: no"))
    watcher.close()


def test_every_watcher_is_in_the_table() -> None:
    assert found_watchers() == set(WATCHERS)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much of a notebook as its view asks for."""
    shown = SimpleNamespace(update=lambda html: None)
    display = SimpleNamespace(HTML=str, display=lambda html, display_id: shown)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)


@pytest.mark.usefixtures("notebook")
@pytest.mark.parametrize("kind", WATCHERS)
def test_a_watcher_keeps_to_the_contract(
    kind: type[Watcher], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, method in inspect.getmembers(Watcher, inspect.isfunction):
        assert inspect.signature(getattr(kind, name)) == inspect.signature(method), name
    state = StudyState("demo")
    watcher = WATCHERS[kind](state, tmp_path)
    tell(watcher if watcher is state else Watchers([state, watcher]))
    # What raises is told no more, and logged.
    assert [one for one in caplog.records if one.name == Watchers.__module__] == []


def test_the_table_lists_trials_in_their_order_however_they_begin(tmp_path: Path) -> None:
    table = TrialsCsv(tmp_path / "trials.csv", [record(9999, "complete", 0.5)])
    for number in (10001, 10000):
        table.began(record(number, "running"))
    table.ended(record(10001, "complete", 0.25))
    lines = (tmp_path / "trials.csv").read_text().splitlines()[1:]
    assert [line.split(",")[:2] for line in lines] == [
        ["9999", "complete"], ["10000", "running"], ["10001", "complete"]
    ]  # fmt: skip


def test_the_files_of_a_study(tmp_path: Path) -> None:
    before = record(0, "complete", 0.5)
    told: list[str] = []

    class Last(Watcher):
        def ended(self, record: TrialRecord) -> None:
            told.append((tmp_path / "trials.csv").read_text().splitlines()[-1])

    watchers = StudyWatchers("demo", Last())
    watchers.add_files(file_watchers(tmp_path, watchers.state, PARAMETERS, [before]))
    tell(watchers)
    assert [line[:8] for line in told] == ["0001,com", "0002,fai"]
    assert {path.name for path in tmp_path.iterdir()} >= {
        "status.json", "tensorboard", "trials.csv"
    }  # fmt: skip
    ended = [before, record(1, "complete", 0.25, 0.75), record(2, "failed")]
    table = pandas.read_csv(tmp_path / "trials.csv", dtype={"trial": str})
    pandas.testing.assert_frame_equal(table, trials_frame(ended), check_dtype=False)
    driver = read_driver(tmp_path / "status.json")
    assert driver is not None
    assert not driver.is_alive
    assert sorted(path.name for path in (tmp_path / "tensorboard").glob("0*")) == ["0001", "0002"]


def test_who_reads_the_table_never_sees_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trials.csv"
    table = TrialsCsv(path, [record(0, "complete", 0.5)])
    table.close()
    before = path.read_text()

    def breaks(self: Path, target: Path) -> Path:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", breaks)
    monkeypatch.setattr("os.replace", breaks)
    with pytest.raises(OSError, match="no space"):
        table.ended(record(1, "complete", 0.25))
    assert path.read_text() == before


@pytest.mark.parametrize("size", [0, 1, 60, 300])
def test_what_a_full_disk_did_not_take_is_written_when_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    def story(folder: Path, room: AbstractContextManager[None]) -> dict[str, object]:
        state = StudyState("demo")
        board = WATCHERS[TensorBoard](state, folder)
        files = Watchers([TrialsCsv(folder / "trials.csv", []), board])
        with room:
            files.began(record(1, "running", 0.25))
            files.reported(record(1, "running", 0.25))
            files.ended(record(1, "complete", 0.25))
        files.began(record(2, "running"))
        files.reported(record(2, "running", 0.5))
        files.close()
        table = (folder / "trials.csv").read_text()
        return {"table": table, **curves(folder / "tensorboard")}

    whole = story(tmp_path / "whole", nullcontext())
    assert not caplog.records
    assert story(tmp_path / "full", no_file_beyond(size)) == whole
    # Once for each of the two, however often they are told of something.
    assert 1 <= len(caplog.records) <= 2
    assert "study goes on" in caplog.text
    assert "Traceback" not in caplog.text


def curves(folder: Path) -> dict[str, object]:
    """All points of all curves, and the trials that the table of parameters has."""
    found: dict[str, object] = {"experiment": (folder / EXPERIMENT_FILE).is_file()}
    for run in sorted(path.name for path in folder.iterdir() if path.is_dir()):
        events = EventAccumulator(str(folder / run)).Reload()
        tags = events.Tags()["scalars"]
        found[run] = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags}
    return found
