import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import run

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import (
    api_pb2,
    list_session_groups,
    metadata,
    plugin_data_pb2,
)
from tensorboard.plugins.hparams.backend_context import Context

from mtl_core.training.report import Report
from tuning.records import Status, TrialRecord, Value, run_id_of
from tuning.space.option_domains import Options
from tuning.space.range_domains import Floats, Ints
from tuning.space.space import Parameter
from tuning.watch.tensorboard import TensorBoard

PARAMETERS = [
    Parameter("optimizer.encoder_lr", Floats(1e-5, 1e-3, log=True)),
    Parameter("freezing.kind", Options(("none", "lower_layers"))),
    Parameter("freezing.lower_layers.layers", Ints(1, 5)),
    Parameter("optimizer.warm_up", Options((True, False))),
    Parameter("training.batch_size", Options((16, 32))),
    Parameter("encoder.pooling", Options((None, "mean", 4))),
]
DEFAULT: dict[str, Value] = {
    "optimizer.encoder_lr": 2e-3,  # above the range
    "freezing.kind": "embeddings",  # not an option
    "optimizer.warm_up": True,
    "training.batch_size": 8,  # not an option
    "encoder.pooling": None,
}
LOWER: dict[str, Value] = {
    "optimizer.encoder_lr": 1e-4,
    "freezing.kind": "lower_layers",
    "freezing.lower_layers.layers": 3,
    "optimizer.warm_up": False,
    "training.batch_size": 32,
    "encoder.pooling": 4,
}


def trial(number: int, parameters: dict[str, Value], status: Status = "running") -> TrialRecord:
    return TrialRecord(run_id_of(number), status=status, parameters=parameters, overrides={})


def report(epoch: int, combined: float, best_epoch: int) -> Report:
    return Report(
        epoch=epoch,
        number=epoch,
        progress=float(epoch),
        step=10 * epoch,
        losses={"intent": 0.5},
        weights={"intent": 2.0},
        learning_rates={"encoder": 1e-4},
        dev={"intent": {"accuracy": combined + 0.01}, "slots": {"f1": combined - 0.01}},
        joint_accuracy=combined / 2,
        combined=combined,
        best_combined=1.0,
        best_number=best_epoch,
        seconds=2.0,
        gradients={"norm/intent": 3.0, "cosine/intent/slots": -0.25},
        sentences_per_second=100.0,
    )


def after(number: int, last: Report) -> TrialRecord:
    """A trial that has just reported."""
    return replace(trial(number, {}), reports=(last,))


def write_study(folder: Path) -> None:
    """Three trials: one complete, one stopped whose first epoch is its best, one failed."""
    board = TensorBoard(folder, PARAMETERS)
    for record in (trial(0, DEFAULT), trial(1, LOWER), trial(2, DEFAULT)):
        board.began(record)
    board.reported(after(0, report(1, 0.5, best_epoch=1)))
    board.reported(after(1, report(1, 0.75, best_epoch=1)))
    board.reported(after(0, report(2, 0.625, best_epoch=2)))
    board.reported(after(1, report(2, 0.25, best_epoch=1)))
    board.ended(trial(0, DEFAULT, "complete"))
    board.ended(trial(1, LOWER, "stopped"))
    board.ended(trial(2, DEFAULT, "failed"))
    board.close()


def read_table(
    folder: Path, columns: Sequence[api_pb2.ColParams] = ()
) -> tuple[api_pb2.Experiment, dict[str, api_pb2.SessionGroup]]:
    """What the HPARAMS tab asks TensorBoard for: its columns and its rows by trial."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder)).Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    context, request_context = Context(TBContext(data_provider=provider)), RequestContext()
    statuses = [api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_RUNNING]
    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=[*statuses, api_pb2.STATUS_UNKNOWN], slice_size=100, col_params=columns
    )
    rows = list_session_groups.Handler(request_context, context, "", request).run()
    tags = context.hparams_metadata(request_context, "")
    experiment = context.experiment_from_metadata(request_context, "", True, tags, [])
    return experiment, {row.name: row for row in rows.session_groups}


def metrics(row: api_pb2.SessionGroup) -> dict[str, float]:
    return {metric.name.tag: metric.value for metric in row.metric_values}


def test_curves_have_plain_tags_epochs_as_steps_and_the_values_reported(tmp_path: Path) -> None:
    write_study(tmp_path)
    events = EventAccumulator(str(tmp_path / "0000")).Reload()
    scores = {"combined", "joint_accuracy", "intent/accuracy", "slots/f1"}
    train = {"loss/intent", "weight/intent", "learning_rate/encoder", "sentences_per_second"}
    train |= {"gradient/norm/intent", "gradient/cosine/intent/slots"}
    expected = {f"{split}/{score}" for split in ("dev", "best") for score in scores}
    assert set(events.Tags()["scalars"]) == expected | {f"train/{name}" for name in train}
    assert [(e.step, e.value) for e in events.Scalars("dev/combined")] == [(1, 0.5), (2, 0.625)]
    assert [e.value for e in events.Scalars("train/weight/intent")] == [2.0, 2.0]
    cosines = events.Scalars("train/gradient/cosine/intent/slots")
    assert [e.value for e in cosines] == [-0.25, -0.25]


def test_best_scores_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    write_study(tmp_path)
    _, rows = read_table(tmp_path)
    assert metrics(rows["0000"])["best/combined"] == 0.625
    stopped = metrics(rows["0001"])
    assert stopped["best/combined"] == 0.75
    assert stopped["best/slots/f1"] == pytest.approx(0.74)
    assert metrics(rows["0002"]) == {}


def test_the_table_has_a_column_for_every_parameter_and_every_score(tmp_path: Path) -> None:
    write_study(tmp_path)
    experiment, _ = read_table(tmp_path)
    assert {info.name for info in experiment.hparam_infos} == {item.name for item in PARAMETERS}
    scores = ("combined", "joint_accuracy", "intent/accuracy", "slots/f1")
    assert {info.name.tag for info in experiment.metric_infos} == {f"best/{s}" for s in scores}
    types = {info.name: info.type for info in experiment.hparam_infos}
    assert types["freezing.lower_layers.layers"] == api_pb2.DATA_TYPE_FLOAT64
    assert types["optimizer.warm_up"] == api_pb2.DATA_TYPE_BOOL
    assert types["training.batch_size"] == api_pb2.DATA_TYPE_FLOAT64
    assert types["encoder.pooling"] == api_pb2.DATA_TYPE_STRING


def test_the_table_has_a_row_for_every_trial_with_its_own_values_only(tmp_path: Path) -> None:
    write_study(tmp_path)
    _, rows = read_table(tmp_path)
    assert list(rows) == ["0000", "0001", "0002"]
    assert set(rows["0000"].hparams) == set(DEFAULT)
    assert rows["0000"].hparams["encoder.pooling"].string_value == "null"
    lower = rows["0001"].hparams
    assert lower["freezing.lower_layers.layers"].number_value == 3
    assert lower["optimizer.warm_up"].bool_value is False
    assert lower["optimizer.warm_up"].HasField("bool_value")
    assert lower["encoder.pooling"].string_value == "4"


def test_rows_carry_the_status_of_their_trial(tmp_path: Path) -> None:
    write_study(tmp_path)
    _, rows = read_table(tmp_path)
    success, failure = api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE
    assert [row.sessions[0].status for row in rows.values()] == [success, success, failure]


def test_domains_admit_a_default_outside_the_space(tmp_path: Path) -> None:
    # TensorBoard's own filters, set to the whole domain as its page does, must hide no trial.
    write_study(tmp_path)
    experiment, _ = read_table(tmp_path)
    columns = []
    for info in experiment.hparam_infos:
        column = api_pb2.ColParams(hparam=info.name)
        if info.HasField("domain_interval"):
            column.filter_interval.CopyFrom(info.domain_interval)
        else:
            column.filter_discrete.CopyFrom(info.domain_discrete)
        columns.append(column)
    assert len(read_table(tmp_path, columns)[1]) == 3
    domains = {info.name: list(info.domain_discrete) for info in experiment.hparam_infos}
    assert domains["freezing.kind"] == ["embeddings", "lower_layers", "none"]


def test_a_default_of_another_type_leaves_its_cell_empty(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path, [Parameter("optimizer.rate", Floats(1e-5, 1e-3))])
    board.began(trial(0, {"optimizer.rate": "automatic"}))
    board.reported(after(0, report(1, 0.5, best_epoch=1)))
    board.close()
    experiment, rows = read_table(tmp_path)
    assert [info.name for info in experiment.hparam_infos] == ["optimizer.rate"]
    assert not rows["0000"].hparams


def test_a_resumed_study_goes_on_with_one_row_per_trial_and_no_point_twice(tmp_path: Path) -> None:
    write_study(tmp_path)
    (root_file,) = tmp_path.glob("events*")
    columns = root_file.read_bytes()
    board = TensorBoard(tmp_path, PARAMETERS)
    board.began(trial(0, DEFAULT))
    board.reported(after(0, report(3, 0.875, best_epoch=3)))
    board.ended(trial(0, DEFAULT, "complete"))
    board.close()
    assert list(tmp_path.glob("events*")) == [root_file]
    assert root_file.read_bytes() == columns
    _, rows = read_table(tmp_path)
    assert list(rows) == ["0000", "0001", "0002"]
    assert metrics(rows["0000"])["best/combined"] == 0.875
    curve = EventAccumulator(str(tmp_path / "0000")).Reload().Scalars("dev/combined")
    assert [event.step for event in curve] == [1, 2, 3]


def test_a_report_is_on_disk_before_the_trial_ends(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path, PARAMETERS)
    board.began(trial(0, DEFAULT))
    assert list(read_table(tmp_path)[1]) == ["0000"]
    board.reported(after(0, report(1, 0.5, best_epoch=1)))
    _, rows = read_table(tmp_path)
    board.close()
    assert metrics(rows["0000"])["best/combined"] == 0.5
    assert rows["0000"].sessions[0].status == api_pb2.STATUS_UNKNOWN


def test_the_board_imports_neither_torch_nor_tensorflow() -> None:
    code = "import sys, tuning.watch.tensorboard; print({'torch', 'tensorflow'} & set(sys.modules))"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_what_is_written_is_what_the_plugin_reads_built_by_hand(tmp_path: Path) -> None:
    write_study(tmp_path)
    rows = EventAccumulator(str(tmp_path / "0001")).Reload().PluginTagToContent("hparams")
    start = plugin_data_pb2.HParamsPluginData.FromString(
        rows[metadata.SESSION_START_INFO_TAG]
    ).session_start_info
    expected = plugin_data_pb2.SessionStartInfo(
        group_name="0001", start_time_secs=start.start_time_secs
    )
    for name in ("optimizer.encoder_lr", "freezing.lower_layers.layers", "training.batch_size"):
        expected.hparams[name].number_value = float(str(LOWER[name]))
    for name in ("freezing.kind", "encoder.pooling"):
        expected.hparams[name].string_value = str(LOWER[name])
    expected.hparams["optimizer.warm_up"].bool_value = False
    assert start == expected
    end = plugin_data_pb2.HParamsPluginData.FromString(
        rows[metadata.SESSION_END_INFO_TAG]
    ).session_end_info
    assert end.status == api_pb2.STATUS_SUCCESS
    root = EventAccumulator(str(tmp_path)).Reload().PluginTagToContent("hparams")
    (content,) = root.values()
    assert list(root) == [metadata.EXPERIMENT_TAG]
    columns = plugin_data_pb2.HParamsPluginData.FromString(content).experiment.hparam_infos
    rate = api_pb2.HParamInfo(name="optimizer.encoder_lr", type=api_pb2.DATA_TYPE_FLOAT64)
    rate.domain_interval.min_value, rate.domain_interval.max_value = 1e-5, 2e-3
    kind = api_pb2.HParamInfo(name="freezing.kind", type=api_pb2.DATA_TYPE_STRING)
    kind.domain_discrete.extend(["embeddings", "lower_layers", "none"])
    size = api_pb2.HParamInfo(name="training.batch_size", type=api_pb2.DATA_TYPE_FLOAT64)
    size.domain_discrete.extend([8.0, 16.0, 32.0])
    assert [columns[0], columns[1], columns[4]] == [rate, kind, size]


def test_scores_on_a_sample_of_dev_have_curves_of_their_own(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path, PARAMETERS)
    board.began(trial(0, DEFAULT))
    first = replace(report(1, 0.75, best_epoch=1), is_sample=True, progress=0.5)
    board.reported(after(0, first))
    board.reported(after(0, replace(report(2, 0.5, best_epoch=2), epoch=1, progress=1.0)))
    board.close()
    events = EventAccumulator(str(tmp_path / "0000")).Reload()
    found = {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in ("dev_sample/combined", "dev/combined", "best/combined")
    }
    # A step for each report.
    assert found == {
        "dev_sample/combined": [(1, 0.75)],
        "dev/combined": [(2, 0.5)],
        "best/combined": [(2, 0.5)],
    }


def test_a_run_of_the_final_stage_has_curves_and_no_row(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path, PARAMETERS)
    for record in (trial(0, DEFAULT), replace(trial(0, DEFAULT), id="final/0000/seed-1")):
        board.began(record)
        board.reported(replace(record, reports=(report(1, 0.5, best_epoch=1),)))
        board.ended(replace(record, status="complete"))
    board.close()
    assert list(read_table(tmp_path)[1]) == ["0000"]
    run = EventAccumulator(str(tmp_path / "final" / "0000" / "seed-1")).Reload()
    assert [(one.step, one.value) for one in run.Scalars("dev/combined")] == [(1, 0.5)]


def test_a_chart_of_each_task_has_its_loss_and_its_dev_scores(tmp_path: Path) -> None:
    # What the tab "Custom Scalars" asks TensorBoard for.
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # Of its own HTML.
        from tensorboard.plugins.custom_scalar.custom_scalars_plugin import CustomScalarsPlugin
        from tensorboard.plugins.scalar.scalars_plugin import ScalarsPlugin
    board = TensorBoard(tmp_path, PARAMETERS)
    board.began(trial(0, DEFAULT))
    names = {"intent": 0.5, "intent-2": 0.25}  # One name begins as the other does.
    scores = {"intent": {"accuracy": 0.5, "f1": 0.25}, "intent-2": {"f1": 0.125}}
    board.reported(after(0, replace(report(1, 0.5, best_epoch=1), losses=names, dev=scores)))
    board.close()
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(tmp_path)).Reload()
    context = TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(tmp_path)))
    context.plugin_name_to_instance = {"scalars": ScalarsPlugin(context)}
    plugin, request = CustomScalarsPlugin(context), RequestContext()
    (category,) = json.loads(plugin.layout_impl(request, ""))["category"]
    shown: dict[str, dict[str, list[float]]] = {}
    for chart in category["chart"]:
        for pattern in chart["multiline"]["tag"]:
            found = plugin.scalars_impl(request, "0000", pattern, "")["tag_to_events"]
            points = {tag: [value for _, _, value in curve] for tag, curve in found.items()}
            shown[chart["title"]] = shown.get(chart["title"], {}) | points
    assert shown == {
        "objective": {"dev/combined": [0.5], "best/combined": [0.5]},
        "intent": {
            "train/loss/intent": [0.5], "dev/intent/accuracy": [0.5], "dev/intent/f1": [0.25],
        },
        "intent-2": {"train/loss/intent-2": [0.25], "dev/intent-2/f1": [0.125]},
    }  # fmt: skip
