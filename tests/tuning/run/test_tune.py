"""Studies from Python, with trainers in this process.

The notebook of the documentation runs one on Ray, and `test_end_to_end.py` as a user does.
"""

import json
from pathlib import Path

import pandas
import pytest
from conftest import RunConfigFactory
from local_trainers import trainers_here
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.hparams import metadata

from mtl_core.data.notes import DataNote
from mtl_core.markdown import plain
from mtl_core.study_file import dump
from tuning import tune
from tuning.report.write import write_report
from tuning.results.study_result import StudyResult

SPACE = {
    "optimizer.head_lr": {"log_range": [1e-3, 1e-2]},
    "freezing": {
        "choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": {"int_range": [1, 2]}}]
    },
}


def write_study(folder: Path, run_config: RunConfigFactory, run: dict[str, object]) -> Path:
    path = folder / "tiny.yaml"
    indented = "".join(f"  {line}\n" for line in dump(run_config(run)).splitlines())
    study = {"storage": "runs", "trials": 3, "scheduler": {"kind": "none"}}
    path.write_text(f"run:\n{indented}search: {json.dumps(SPACE)}\nstudy: {json.dumps(study)}\n")
    return path


@pytest.fixture(scope="module")
def result(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    with trainers_here():
        return tune(write_study(tmp_path_factory.mktemp("study"), run_config, {"seed": 1}))


def read_result(result: StudyResult) -> dict:
    return json.loads((result.folder / "result.json").read_text())


def test_result_json_holds_what_scripts_rely_on(result: StudyResult) -> None:
    found = read_result(result)
    assert found["status"] == result.status == "complete"
    assert found["trials"] == {"complete": 3, "stopped": 0, "failed": 0}
    assert found["seconds"] > 0
    assert found["default"]["trial"] == "0000"
    for recipe in (found["best"], found["default"]):
        keys = {"trial", "parameters", "precision", "dev", "test", "unseen", "decoding"}
        assert set(recipe) == keys
        assert recipe["decoding"] is None  # Nothing was searched without training.
        assert recipe["precision"] == "fp32"
        for split in ("dev", "test"):
            assert {"combined", "intent", "slots"} <= set(recipe[split])
            assert {"accuracy"} <= set(recipe[split]["intent"])
            assert {"f1"} <= set(recipe[split]["slots"])


def test_what_is_known_of_the_data_comes_with_the_result(result: StudyResult) -> None:
    notes = read_result(result)["notes"]
    assert [DataNote.from_json(note) for note in notes] == list(result.notes) != []
    report = (result.folder / "report.md").read_text()
    for note in result.notes:
        assert plain(note.text) in report
    assert "\n| `corpus` | train | 60 |" in report


def test_trial_0_is_the_file_s_own_recipe(result: StudyResult) -> None:
    (header, first, *_) = (result.folder / "trials.csv").read_text().splitlines()
    assert header.startswith("trial,status,optimizer.head_lr,freezing.kind,")
    assert first.startswith("0000,complete,")
    parameters = read_result(result)["default"]["parameters"]
    assert parameters == {"optimizer.head_lr": 1e-3, "freezing.kind": "none"}


def test_best_is_the_highest_dev_score_of_the_table(result: StudyResult) -> None:
    table = pandas.read_csv(result.folder / "trials.csv", dtype={"trial": str})
    row = table.loc[table["combined"].idxmax()]
    found = read_result(result)["best"]
    assert (row["trial"], row["combined"]) == (found["trial"], found["dev"]["combined"])
    pandas.testing.assert_frame_equal(table, result.trials, check_dtype=False)


def test_the_predictor_scores_what_the_result_says(result: StudyResult, corpus: Path) -> None:
    texts = (corpus / "test" / "seq.in").read_text().splitlines()
    labels = (corpus / "test" / "label").read_text().splitlines()
    predictions = result.predictor()(texts)
    right = [
        prediction["intent"].label == label
        for prediction, label in zip(predictions, labels, strict=True)
    ]
    accuracy = read_result(result)["best"]["test"]["intent"]["accuracy"]
    assert sum(right) / len(right) == pytest.approx(accuracy)


def test_tensorboard_lists_every_parameter_once_at_the_root(result: StudyResult) -> None:
    board = EventMultiplexer().AddRunsFromDirectory(str(result.folder / "tensorboard")).Reload()
    runs = board.PluginRunToTagToContent(metadata.PLUGIN_NAME)
    assert set(runs) == {".", "0000", "0001", "0002"}
    content = runs["."][metadata.EXPERIMENT_TAG]
    experiment = metadata.parse_experiment_plugin_data(content)
    names = {column.name for column in experiment.hparam_infos}
    expected = {"optimizer.head_lr", "freezing.kind", "freezing.lower_layers.layers"}
    assert names == expected
    assert "best/combined" in {column.name.tag for column in experiment.metric_infos}


def test_the_report_can_be_written_anew(result: StudyResult) -> None:
    path = result.folder / "report.md"
    before = path.read_text()
    path.unlink()
    assert write_report(result.folder) == before == path.read_text()


def test_only_the_kept_trials_have_checkpoints(result: StudyResult) -> None:
    kept = {path.parent.name for path in result.folder.glob("trials/*/checkpoint")}
    assert kept == {"0000", read_result(result)["best"]["trial"]}
