"""A study that searches what needs no training, and one that adds it once it has ended; no Ray."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from conftest import RunConfigFactory
from local_trainers import Trainer, trainers_here

from mtl_core.config import RunConfig
from mtl_core.study_file import read_document
from mtl_core.validation import validate
from tuning.results.study_result import StudyResult
from tuning.run.session import Session
from tuning.study.folder import StudyFolder
from tuning.study.known import KnownFacts
from tuning.study.load import load_study
from tuning.trainers.messages import ScoreJob, TrainJob
from tuning.watch.watcher import Watcher

KEY = "tasks.topics.thresholds"


@pytest.fixture(autouse=True)
def here() -> Iterator[None]:
    with trainers_here():
        yield


@pytest.fixture
def document(run_config: RunConfigFactory, tmp_path: Path) -> dict[str, dict[str, object]]:
    """A study whose topics are hardly ever predicted, as their threshold is high."""
    rows = [
        {"text": f"play {n} songs by band {n % 5}", "topics": ["even", "third"][n % 2 : 2 - n % 3]}
        for n in range(24)
    ]
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    topics = {"kind": "multilabel", "dataset": "rows", "column": "topics", "thresholds": 0.999}
    splits = dict.fromkeys(("train", "dev", "test"), str(data))
    datasets = {"rows": {"kind": "jsonl", "splits": splits}}
    run = run_config({"datasets": datasets, "tasks": {"topics": topics}})
    study = {"storage": str(tmp_path / "runs"), "trials": 2, "scheduler": {"kind": "none"}}
    rate = {"optimizer.head_lr": {"log_range": [1e-3, 1e-2]}}
    return {"run": run.model_dump(mode="json"), "search": rate, "study": study}


def run(path: Path, document: Mapping[str, object]) -> StudyResult:
    path.write_text(yaml.safe_dump(document))
    study = load_study(str(path))
    with StudyFolder.opened(study, {}) as folder:
        one = Session(study, folder, None, known=KnownFacts(), start=time.monotonic())
        return one.run(1, Watcher(), verbose=False)


def thresholds_in(folder: Path) -> object:
    saved = validate(read_document(folder / "best" / "run.yaml"), RunConfig)
    return saved.tasks["topics"].model_dump()["thresholds"]


def test_a_study_finds_settings_of_decoding_and_once_it_has_ended_others(
    document: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    path = tmp_path / "topics.yaml"
    rate = document["search"]
    document["search"] = {**rate, KEY: {"choice": [0.998, 0.4]}}
    first = run(path, document)
    assert first.best is not None
    assert first.best.decoding is not None
    assert first.best.decoding.settings == {KEY: 0.4}
    assert first.best.test is not None
    assert first.best.decoding.test is not None
    assert first.best.test["combined"] == first.best.dev["combined"]  # the same rows here
    assert thresholds_in(first.folder) == 0.4
    second = [job for job in Trainer.jobs if isinstance(job, TrainJob)][1]
    assert [one.point for one in second.spec.known] == [{KEY: 0.998}, {KEY: 0.4}]
    assert "## Settings of decoding" in (first.folder / "report.md").read_text(encoding="utf-8")

    # Others are searched alone, on the best model.
    Trainer.jobs.clear()
    document["search"] = {**rate, KEY: {"choice": ["each", "shared"]}}
    again = run(path, document)
    [job] = Trainer.jobs
    assert isinstance(job, ScoreJob)
    assert job.search_s is not None
    assert again.best is not None
    assert again.best.decoding is not None
    assert again.best.trial == first.best.trial
    assert again.best.decoding.settings[KEY] in ("each", "shared")
    assert thresholds_in(again.folder) in ("each", "shared")

    # A third time there is nothing to do.
    Trainer.jobs.clear()
    assert run(path, document).result == again.result
    assert Trainer.jobs == []


def test_each_run_of_a_final_stage_is_decoded_as_its_own_model_wants(
    document: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    document["study"] |= {"trials": 1, "finals": {"recipes": 1, "seeds": 2}}
    document["search"] = {KEY: {"choice": [0.998, 0.4]}}
    finals = run(tmp_path / "topics.yaml", document).result.finals
    assert finals is not None
    # The same two runs, once as they are decoded and once as the study file says.
    assert [recipe.id for recipe in finals.recipes] == ["0000+decoding", "0000"]
    best, default = finals.recipes
    assert [one.run for one in best.seeds] == [one.run for one in default.seeds]
    assert best.test is not None
    assert default.test is not None
    assert best.test["combined"].mean > default.test["combined"].mean
    assert best.test["combined"].mean == best.dev["combined"].mean  # the same rows here
    folder = tmp_path / "runs" / "topics"
    assert thresholds_in(folder) == 0.4
    scored = [job.spec.id for job in Trainer.jobs if isinstance(job, ScoreJob)]
    assert sorted(scored) == ["final/0000/seed-1", "final/0000/seed-2"]
    # What each run scores on draws of the rows is kept as it is decoded.
    assert best.test["combined"].over == "seeds and rows"
    assert default.test["combined"].over == "seeds"
    card = (folder / "best" / "README.md").read_text(encoding="utf-8")
    assert "the one of 2 runs with other seeds whose dev score is best" in card
