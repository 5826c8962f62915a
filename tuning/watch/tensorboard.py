"""What TensorBoard shows of a study: curves of every trial, and one HPARAMS table over all of them.

TensorBoard reads the columns of that table from a single experiment summary, so it is written once,
at the root, with every parameter that can occur; each trial then adds its row from its own folder.
"""

import json
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams import summary_v2 as api  # `hparams.api` imports TensorFlow
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
from tensorboard.summary.writer.record_writer import RecordWriter

from mtl_core.files import whole_append
from mtl_core.full_disk import telling_full_disks
from mtl_core.training.report import Report
from tuning.records import TrialRecord, Value
from tuning.space.space import Parameter
from tuning.watch.board_layout import layout_of
from tuning.watch.scalars import scalars_of, scores_of
from tuning.watch.watcher import Watcher

EXPERIMENT_FILE = "events.out.tfevents.0.experiment"
"""Name of the event file at the root; a fixed one, so that a resumed study finds it."""

VERSION = Event(file_version="brain.Event:2").SerializeToString()
"""What every event file begins with."""

Cell = bool | float | str


class TensorBoard(Watcher):
    """Writes the event files of a study; every call is on disk when it returns."""

    def __init__(
        self, folder: Path, parameters: Sequence[Parameter], more_tags: Sequence[str] = ()
    ) -> None:
        """Opens the board of a new or resumed study.

        Args:
            folder: The `tensorboard` folder of the study; made with the first trial.
            parameters: Every parameter that can occur, conditional ones included.
            more_tags: Of curves that others write, and that the HPARAMS table is to show.
        """
        self._more_tags = tuple(more_tags)
        self._folder = folder
        self._parameters = tuple(parameters)
        self._files: dict[str, Path] = {}
        self._pending: dict[str, list[bytes]] = {}
        """Id of a trial -> events that are not on disk yet, as the disk took no more."""
        self._cells: dict[str, list[Cell]] = {parameter.name: [] for parameter in parameters}

    def began(self, record: TrialRecord) -> None:
        """Adds a run, or takes up again one that was interrupted; trials get a row in the table."""
        # A trial may begin more than once; it has its row already, and a second would be another.
        if record.id in self._files:
            return
        self._files[record.id] = self._folder / record.id / new_name()
        self._pending[record.id] = [VERSION]
        if not record.is_trial:  # The HPARAMS table compares what was drawn.
            return
        row = dict(_row(self._parameters, record))
        # Kept for the domains: the default may lie outside of what is searched.
        for name, cell in row.items():
            self._cells[name].append(cell)
        self._write(record.id, api.hparams_pb(row, trial_id=record.id, start_time_secs=time.time()))

    def reported(self, record: TrialRecord) -> None:
        """Adds a point to the curves of a trial that has begun.

        The step, a whole number, is that of the report: divided by the reports of an epoch it is
        epochs, for all trials of a study alike. "best/" holds the scores of the best report so far
        on all of dev: a point whenever it changes, of which the HPARAMS table shows the last.
        """
        report = record.reports[-1]
        scalars = scalars_of(record.reports)
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        self._write(record.id, Summary(value=values), step=report.number)
        self._write_experiment(report)

    def ended(self, record: TrialRecord) -> None:
        """Closes a trial, with its status."""
        # One that paused in an earlier session may end without having gone on in this one.
        self.began(record)
        if record.is_trial:
            self._write(record.id, _session_end(is_failed=record.status == "failed"))
        else:
            self._flush(record.id)
        del self._files[record.id], self._pending[record.id]

    def close(self) -> None:
        """Writes what is pending; a trial that has not ended can be taken up by another board."""
        for record_id in tuple(self._pending):
            self._flush(record_id)

    def _write(self, record_id: str, summary: Summary, step: int = 0) -> None:
        self._pending[record_id].append(event_of(summary, step).SerializeToString())
        self._flush(record_id)

    def _flush(self, record_id: str) -> None:
        """Writes the events of a trial that are not on disk yet: all of them, or none."""
        append_events(self._files[record_id], self._pending[record_id])
        self._pending[record_id].clear()

    def _write_experiment(self, report: Report) -> None:
        # Once in the life of a study: TensorBoard takes the first that it meets, and no other.
        path = self._folder / EXPERIMENT_FILE
        if path.exists():
            return
        # The names of the scores, thus the columns of the table, are known only now.
        tags = [*(f"best/{name}" for name in scores_of(report)), *self._more_tags]
        table = api.hparams_config_pb(
            hparams=[
                api.HParam(item.name, _domain(item, self._cells[item.name]))
                for item in self._parameters
            ],
            metrics=[api.Metric(tag) for tag in tags],
            time_created_secs=time.time(),
        )
        layout = layout_of(dict.fromkeys([*report.losses, *report.dev]))
        # TensorBoard believes the first summary that it meets: it must never see half of one.
        partial = path.with_name("experiment.partial")
        with telling_full_disks(path):
            with partial.open("wb") as file:
                for summary in (table, layout):
                    RecordWriter(file).write(event_of(summary).SerializeToString())
            partial.replace(path)


def new_name() -> str:
    """Returns the name of a new event file; TensorBoard reads those of a folder in their order."""
    # A file of its own for each session: no two drivers ever write into one.
    return f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{uuid4().hex[:8]}"


def event_of(summary: Summary, step: int = 0) -> Event:
    """Returns an event of now."""
    return Event(wall_time=time.time(), step=step, summary=summary)


def append_events(path: Path, events: Iterable[bytes]) -> None:
    """Appends events to a file, which is made where there is none: all of them, or none."""
    with telling_full_disks(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    # Not by way of the library's `EventFileWriter`: its thread dies of a full disk, and TensorBoard
    # reads no further than the half of a record that it leaves.
    with whole_append(path), path.open("ab") as file:
        for event in events:
            RecordWriter(file).write(event)


def _session_end(*, is_failed: bool) -> Summary:
    """Returns what ends a trial; `hparams.summary` makes it as well, but wants TensorFlow."""
    status = api_pb2.STATUS_FAILURE if is_failed else api_pb2.STATUS_SUCCESS
    content = SessionEndInfo(status=status, end_time_secs=time.time())
    # The plugin reads the metadata; a tensor must be there, but holds nothing.
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(HParamsPluginData(session_end_info=content)),
        tensor=metadata.NULL_TENSOR,
    )
    return Summary(value=[value])


def _row(parameters: Sequence[Parameter], record: TrialRecord) -> Iterator[tuple[str, Cell]]:
    """Yields (parameter, value); TensorBoard leaves the cell of a missing one empty."""
    for parameter in parameters:
        if parameter.name in record.parameters:
            cell = _cell(_data_type(parameter), record.parameters[parameter.name])
            if cell is not None:
                yield parameter.name, cell


def _data_type(parameter: Parameter) -> type[Cell]:
    # The HPARAMS plugin knows float, bool and str; a column of mixed options is one of str.
    types = {type(option) for option in parameter.domain.options}
    if types <= {int, float}:  # a range has no options
        return float
    return bool if types == {bool} else str


def _cell(data_type: type[Cell], value: Value) -> Cell | None:
    """Returns what a column of this type can hold; None for a default of another type."""
    if data_type is str:
        return value if isinstance(value, str) else json.dumps(value)
    # Before the numbers, since for Python a bool is an int.
    if isinstance(value, bool):
        return value if data_type is bool else None
    return float(value) if isinstance(value, int | float) and data_type is float else None


def _domain(parameter: Parameter, cells: Sequence[Cell]) -> api.Domain:
    """Returns what a parameter may be; values in `cells` outside of it (a default) widen it.

    TensorBoard filters by the domain, and would hide the trial otherwise.
    """
    data_type = _data_type(parameter)
    bounds = parameter.domain.bounds
    if bounds is None:
        # A dict as a set that keeps the order of the study file.
        options = [_cell(data_type, option) for option in parameter.domain.options]
        return api.Discrete(dict.fromkeys([*options, *cells]), dtype=data_type)
    numbers = [float(cell) for cell in cells]
    low, high = map(float, bounds)
    return api.RealInterval(min([low, *numbers]), max([high, *numbers]))
