"""`mtl evaluate`: files by their data sets, scores as JSON, and what is refused in one line."""

import json
from pathlib import Path

import pytest
from conftest import Mtl, RunConfigFactory
from short_runs import save_short_run

from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError
from mtl_core.training.evaluation import Evaluation
from tuning.cli.arguments import files_by_dataset
from tuning.cli.show_scores import evaluation_json


def test_files_are_named_by_data_set_or_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert files_by_dataset(["a.csv"], ["bank"]) == {"": Path("a.csv")}
    assert files_by_dataset(["bank=a.csv", "talk=b=c.csv"], ["bank", "talk"]) == {
        "bank": Path("a.csv"),
        "talk": Path("b=c.csv"),
    }
    # A data set that is not there: told with the nearest name when the file is read.
    assert files_by_dataset(["bnk=a.csv"], ["bank"]) == {"bnk": Path("a.csv")}
    Path("x=y.csv").touch()
    assert files_by_dataset(["x=y.csv"], ["bank"]) == {"": Path("x=y.csv")}
    with pytest.raises(ConfigError, match=r"^--file: 'bank=b': there is a file for this data set"):
        files_by_dataset(["bank=a", "bank=b"], ["bank"])


def test_a_score_that_is_none_is_null_in_json() -> None:
    evaluation = Evaluation({"a": {"mse": float("nan"), "pearson": 0.5}}, {}, float("nan"), 7)
    assert json.loads(evaluation_json(evaluation, "dev")) == {
        "split": "dev",
        "rows": 7,
        "scores": {"a": {"mse": None, "pearson": 0.5}},
        "joint_accuracy": None,
    }


def test_table_and_json_say_the_same(
    mtl: Mtl,
    run_config: RunConfigFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = "\n".join(["text,label", *["play jazz,a", "book it,b"] * 6])
    (tmp_path / "rows.csv").write_text(rows)
    splits = dict.fromkeys(("train", "dev"), str(tmp_path / "rows.csv"))
    config = run_config({"training.epochs": 1}).model_dump(mode="json")
    config["datasets"] = {"rows": {"kind": "csv", "splits": splits}}
    config["tasks"] = {"a": {"kind": "classification", "dataset": "rows", "column": "label"}}
    model = str(save_short_run(RunConfig.model_validate(config), tmp_path))
    arguments = ["--split", "dev", "--batch-size", "3", "--device", "cpu"]
    plain = json.loads(mtl("evaluate", model, "--json", *arguments).out)
    assert plain["split"] == "dev"
    shown = mtl("evaluate", model, *arguments).out
    for name, value in plain["scores"]["a"].items():
        assert [f"{100 * value:.2f}"] == [
            line.split("│")[3].strip() for line in shown.splitlines() if f" {name} " in line
        ]
    # Without a split for test there is nothing to score, and another file may stand for it.
    refused = mtl("evaluate", model)
    assert refused.code == 2
    assert "the data has no split 'test'; there are train, dev" in refused.err
    by_file = mtl("evaluate", model, "--json", "--file", str(tmp_path / "rows.csv"))
    assert json.loads(by_file.out)["scores"]["a"] == pytest.approx(plain["scores"]["a"])
    assert json.loads(by_file.out)["rows"] == plain["rows"] == 12
    assert "12 rows" in shown
    assert "train lacks" not in caplog.text
    errors = json.loads(mtl("evaluate", model, "--errors", "--json").out)
    found = errors["errors"]["a"]
    assert errors["split"] == "dev"
    assert errors["scores"]["a"] == pytest.approx(plain["scores"]["a"])
    assert found["wrong"] == round(12 * (1 - plain["scores"]["a"]["accuracy"])) > 0
    said = mtl("evaluate", model, "--errors", "--file", str(tmp_path / "rows.csv")).out
    assert f"{found['wrong']} of 12 rows are not right" in said
    assert f"| `{found['worst'][0]['text']}` |" in said
    refused = mtl("evaluate", model, "--errors", "--split", "test")
    assert (refused.code, refused.out) == (2, "")
    assert "--errors: rows of test are not shown" in refused.err
    # What spoils the scores of a file is said: labels that the model cannot say, rows without any.
    (tmp_path / "odd.csv").write_text("text,label\nplay,a\nbook,c\nplay it,d\nbook it,c\nx,b\n")
    odd = mtl("evaluate", model, "--json", "--file", str(tmp_path / "odd.csv"))
    assert json.loads(odd.out)["rows"] == 5
    assert json.loads(odd.out)["scores"]["a"]["accuracy"] <= 2 / 5
    assert "odd.csv: task 'a': 3 of 5 rows (60 %) have a label that train lacks" in caplog.text
    assert "count as wrong: 'c', 'd'" in caplog.text
    gone = mtl("evaluate", model, "--file", "gone.csv", "--device", "cpu")
    assert gone.code == 2
    assert gone.err == "error: gone.csv: there is no such file\n"
