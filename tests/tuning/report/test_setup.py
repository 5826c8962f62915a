"""What a study ran with, as its folder has it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from summaries import SUMMARY
from trials import record

from mtl_core.training.objectives.kinds import ObjectiveSection
from tuning.report.meaning import meaning_of_scores
from tuning.report.render import render_report
from tuning.report.setup import Setup, read_setup, setup_section, training_section
from tuning.study.final_scores import FinalScores
from tuning.study.finals import FinalRecipe, Finals, SeedScores
from tuning.study.folder import StudyFolder
from tuning.study.result import Result
from tuning.study.versions import versions


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    (tmp_path / "study.yaml").write_text("run: {seed: 3}\nstudy: {seed: 5, name: x}\n")
    (tmp_path / "inputs.json").write_text(json.dumps({"data set 'a'": "0123456789abcdef0123"}))
    (tmp_path / "versions.json").write_text(json.dumps({"python": "3.11", "processor": "<b>"}))
    return StudyFolder(tmp_path)


def test_seeds_hashes_precision_and_versions_are_read(folder: StudyFolder) -> None:
    made = record(0, "complete", 0.5)
    records = [
        replace(made, reports=(replace(made.reports[0], precision=one),)) for one in ("bf16", "")
    ]
    assert read_setup(folder, records, Result()).ran_with == {
        "run.seed": "3", "study.seed": "5", "precision": "bf16",
        "hash of data set 'a'": "0123456789abcdef", "python": "3.11", "processor": "<b>",
    }  # fmt: skip


def test_broken_versions_are_told_of_and_passed_over(
    folder: StudyFolder, caplog: pytest.LogCaptureFixture
) -> None:
    (folder.path / "versions.json").write_text("[")
    assert "python" not in read_setup(folder, [], Result()).ran_with
    assert "the report says nothing of versions" in caplog.text
    (folder.path / "versions.json").unlink()
    assert read_setup(folder, [], Result()).ran_with["run.seed"] == "3"


def test_it_is_a_table_of_what_is_known() -> None:
    heading, rows, _ = setup_section({"run.seed": "3", "precision": "", "gpus": "a|b"})
    assert heading == "## What it ran with"
    assert rows.splitlines()[2:] == ["| `run.seed` | `3` |", r"| `gpus` | `a\|b` |"]
    assert setup_section({}) == []


OBJECTIVES = [
    get_args(kind.model_fields["kind"].annotation)[0]
    for kind in get_args(get_args(ObjectiveSection)[0])
]
STUDY = """\
run:
  encoder: {name: minilm, weights: pretrained, pooling: mean}
  optimizer: {encoder_lr: 0.0001, head_lr: 0.003}
  training: {epochs: 8, batch_size: 64, accumulation: 1}
  freezing: {kind: lora, rank: 8}
  seed: 0
study:
  resources: {workers: 1, cpus: 2, gpus: RESOURCES}
"""


def setup_of(folder: StudyFolder, gpus: str = "0.25", result: Result | None = None) -> Setup:
    folder.study.write_text(STUDY.replace("RESOURCES", gpus))
    chosen = {"optimizer.encoder_lr": 0.000388616, "freezing": {"kind": "none"}}
    records = [
        replace(record(number, "complete", 0.5), overrides=overrides)
        for number, overrides in enumerate([{}, {"training.epochs": 1}, {}, chosen])
    ]
    return read_setup(folder, records, result or Result())


def test_what_was_trained_is_told_of_the_recipe_that_was_chosen(folder: StudyFolder) -> None:
    runs = [SeedScores(seed, f"final/0003/seed-{seed}", {"combined": 0.5}) for seed in (3, 1)]
    finals = Finals((FinalRecipe("0003", {}, tuple(runs), {}),), "0003")
    best = FinalScores("0003", {}, {"combined": 0.5})
    assert setup_of(folder, result=Result(best=best, finals=finals)).training == {
        "encoder.name": "minilm", "encoder.weights": "pretrained", "freezing.kind": "none",
        "training.epochs": "8", "training.batch_size": "64", "training.accumulation": "1",
        "optimizer.encoder_lr": "0.0003886", "optimizer.head_lr": "0.003",
        "seeds of the final stage": "1, 3",
        "a run had": "1 worker with 2 CPUs and 0.25 GPU each; up to 4 runs shared a GPU",
    }  # fmt: skip
    # Of a study without a score it is the study file's own recipe.
    assert setup_of(folder).training["optimizer.encoder_lr"] == "0.0001"


@pytest.mark.parametrize(
    ("gpus", "most"),
    [("0", 1), ("0.2", 5), ("0.33", 3), ("0.6", 1), ("1", 1), ("0.1, trainers: 4", 4),
     ("0.5, trainers: 1", 1)],
)  # fmt: skip
def test_how_many_runs_share_a_gpu(folder: StudyFolder, gpus: str, most: int) -> None:
    told = setup_of(folder, gpus).training["a run had"]
    assert told.partition("; ")[2] == (f"up to {most} runs shared a GPU" if most > 1 else "")


def test_what_was_trained_stands_beside_the_recipe_and_scores_are_explained() -> None:
    setup = Setup(training={"encoder.name": "a|<b>"})
    heading, _, rows = training_section(setup.training)
    assert (heading, rows.splitlines()[2]) == ("## Setup", r"| `encoder.name` | `a\|<b>` |")
    text = render_report(SUMMARY, setup=setup)
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[:3] == ["## Best recipe", "## Setup", "## Scores, in percent"]
    scores = text.split("## Scores, in percent")[1].split("\n## ")[0]
    assert "`combined` is the mean of the main scores of the tasks" in scores
    assert "`joint_accuracy` is the share of the labelled rows of which every task" in scores
    assert training_section({}) == []


def test_every_objective_is_explained() -> None:
    told = {kind: meaning_of_scores(kind) for kind in OBJECTIVES}
    assert len(told) >= 6
    assert len(set(told.values())) == len(told)
    assert "one number for all tasks" in meaning_of_scores("another")


def test_the_machine_is_known() -> None:
    found = versions()
    assert found["processor"].endswith("threads")
    assert found["memory"].endswith("GiB")
    assert "python" in found
