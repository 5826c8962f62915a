"""What Optuna draws may be another number than what takes effect; everything shows the latter."""

import csv

import pytest
from small_studies import write_inputs, write_study
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from mtl_core.study_file import override
from tuning.study.folder import StudyFolder
from tuning.study.history import History, read_history
from tuning.study.journal import read_optuna
from tuning.study.load import load_study

SEARCH = """search={
  training.batch_size: {ordered: [2, 4, 8]},
  optimizer.warmup: {range: [0.1, 0.5], step: 0.1},
  weights: {simplex: [tasks.intent.weight, tasks.slots.weight], sum: 2}}"""
NAMES = [
    "training.batch_size",
    "optimizer.warmup",
    "tasks.intent.weight",
    "tasks.slots.weight",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """The folder of a study of two trials."""
    file = write_inputs(tmp_path_factory.mktemp("shown"))
    slots = "tasks.slots={kind: tagging, dataset: corpus, column: slots}"
    return write_study(load_study(str(file), [SEARCH, slots, "study.trials=2"]), "cc")


@pytest.fixture
def history(folder: StudyFolder) -> History:
    return read_history(folder, read_optuna(folder.journal), folder.read_study().default_parameters)


def test_a_trial_is_shown_as_its_recipe_is(folder: StudyFolder, history: History) -> None:
    trial = history["0001"]
    assert list(trial.parameters) == NAMES
    assert trial.overrides == trial.parameters
    assert trial.parameters["training.batch_size"] in (2, 4, 8)
    assert trial.parameters["optimizer.warmup"] in (0.1, 0.2, 0.3, 0.4, 0.5)
    assert trial.parameters["tasks.intent.weight"] != 1
    # Optuna was told the index, where the stick breaks, and that trial 0 has halves of 2.
    default, drawn = (one.params for one in read_optuna(folder.journal).trials)
    assert drawn["training.batch_size"] in (0, 1, 2)
    assert list(drawn) == ["training.batch_size", "optimizer.warmup", "weights[1]"]
    assert default == pytest.approx(
        {"training.batch_size": 1, "optimizer.warmup": 0.1, "weights[1]": 0.5}
    )


def test_so_it_stands_in_the_table_and_in_the_report(folder: StudyFolder, history: History) -> None:
    with (folder.path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row, record in zip(rows, history, strict=True):
        assert [float(row[name]) for name in NAMES] == [record.parameters[name] for name in NAMES]
    text = folder.report.read_text()
    assert all(name in text for name in NAMES)
    assert "weights[1]" not in text


def test_so_it_stands_in_tensorboard(folder: StudyFolder, history: History) -> None:
    events = EventAccumulator(str(folder.path / "tensorboard" / "0001"))
    events.Reload()
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    found = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    shown = {name: cell.number_value for name, cell in found.items()}
    assert shown == pytest.approx({name: history["0001"].parameters[name] for name in NAMES})


def test_the_replay_command_trains_the_same_recipe(folder: StudyFolder, history: History) -> None:
    words = (folder.trials / "0001" / "config.yaml").read_text()
    run = folder.read_study().run.model_dump(mode="json")
    replayed = override(run, history["0001"].overrides)
    assert f"batch_size: {replayed['training']['batch_size']}" in words
    assert replayed["tasks"]["slots"]["weight"] == history["0001"].parameters["tasks.slots.weight"]
