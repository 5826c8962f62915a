"""All trials that kept a checkpoint are scored, and the report says that test was opened."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import optuna
import pytest
import torch
from conftest import Mtl, RunConfigFactory
from filelock import FileLock

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.study_file import dump, override
from mtl_core.training.distributed import Place
from mtl_core.training.loop import train
from tuning.records import run_id_of
from tuning.report.write import write_report
from tuning.study.config import StudyFile
from tuning.study.facts import facts_of, write_facts
from tuning.study.folder import StudyFolder
from tuning.study.journal import open_optuna
from tuning.trainers.messages import ScoreJob, TrialSpec
from tuning.trainers.scoring import score_on_test

RECIPES = [{}, {"optimizer.head_lr": 1e-2}, {"freezing": {"kind": "embeddings"}}]


@pytest.fixture(scope="module")
def made(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of three trials; the second one has lost its checkpoint."""
    storage = tmp_path_factory.mktemp("runs")
    run = run_config({"training.epochs": 1}).model_dump(mode="json")
    search = {"optimizer.head_lr": {"range": [1e-3, 1e-2]}}
    study = StudyFile.model_validate(
        {"run": run, "search": search, "study": {"name": "tiny", "storage": str(storage)}}
    )
    folder = StudyFolder(study.folder)
    folder.trials.mkdir(parents=True)
    folder.study.write_text(dump(study))
    write_facts(folder, facts_of(study))
    journal = open_optuna(folder.journal, name="tiny", sampler=optuna.samplers.RandomSampler())
    for number, recipe in enumerate(RECIPES):
        config, run_id = RunConfig.model_validate(override(run, recipe)), run_id_of(number)
        assets = Assets.load(config, device=torch.device("cpu"))
        folder.begin_run(run_id, config)
        [report] = train(config, checkpoint=folder.checkpoint(run_id), assets=assets)
        folder.add_report(run_id, report)
        journal.tell(journal.ask(), report.combined)
    shutil.rmtree(folder.checkpoint("0001"))
    folder.result.write_text('{"status": "failed", "trials": {}, "best": null}')
    return folder.path


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "tiny")


def scores_of_the_study(folder: StudyFolder, run_id: str) -> object:
    """What the end of a study says of a trial on test."""
    config = RunConfig.model_validate(
        override(folder.read_study().run.model_dump(mode="json"), RECIPES[int(run_id)])
    )
    job = ScoreJob(TrialSpec(run_id, {}, folder.checkpoint(run_id)), export=None, dev={})
    assets = Assets.load(config, device=torch.device("cpu"))
    objective = folder.read_study().study.objective
    return score_on_test(job, config, assets, objective, Place.current()).scores


def test_trials_have_the_scores_that_the_study_gives_them(mtl: Mtl, study: Path) -> None:
    before = (study / "result.json").read_bytes()
    found = mtl("evaluate", str(study), "--all", "--json")
    assert found.code == 0, found.err
    plain = json.loads(found.out)
    assert plain["split"] == "test"
    folder = StudyFolder(study)
    assert plain["trials"] == {id: scores_of_the_study(folder, id) for id in ("0000", "0002")}
    assert (study / "result.json").read_bytes() == before
    assert "Test was opened for 2 trials: whoever chooses among them" in found.err


def test_the_report_says_that_test_was_opened(mtl: Mtl, study: Path) -> None:
    assert "was opened" not in write_report(study)
    assert mtl("evaluate", str(study), "--all").code == 0
    today = date.today().isoformat()
    sentence = f"**Caution: test was opened for 2 trials on {today} (mtl evaluate --all): "
    assert write_report(study).count(sentence) == 1
    assert mtl("evaluate", str(study), "--all").code == 0
    assert mtl("report", str(study)).out.count(sentence) == 2  # each time stands there


def test_dev_is_no_secret(mtl: Mtl, study: Path) -> None:
    found = mtl("evaluate", str(study), "--all", "--split", "dev")
    assert found.code == 0
    assert "0000" in found.out
    assert "0002" in found.out
    assert "opened" not in found.out + found.err
    assert not (study / "test_opened.json").exists()
    plain = json.loads(mtl("evaluate", str(study), "--all", "--split", "dev", "--json").out)
    for run_id in ("0000", "0002"):
        [report] = StudyFolder(study).read_reports(run_id)
        assert plain["trials"][run_id]["intent"] == pytest.approx(report.dev["intent"], abs=1e-6)
        assert plain["trials"][run_id]["combined"] == pytest.approx(report.combined, abs=1e-6)


def without_checkpoints(study: Path) -> None:
    for run_id in ("0000", "0002"):
        shutil.rmtree(study / "trials" / run_id / "checkpoint")


def with_a_broken_record(study: Path) -> None:
    (study / "test_opened.json").write_text('{"a": 1}')


def with_foreign_code(study: Path) -> None:
    path = study / "trials" / "0002" / "config.yaml"
    path.write_text(path.read_text().replace("kind: classification", "kind: evil.module:Kind"))


def no_study(study: Path) -> None:
    (study / "study.yaml").unlink()


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (without_checkpoints, [], "none of its 3 trials has a checkpoint; a study keeps those of"),
        (with_a_broken_record, [], "a file of the study is broken: "),
        (with_foreign_code, [], "'evil.module:Kind' is code from outside this package; allow"),
        (no_study, [], "not a study folder, there is no study.yaml in it"),
        (None, ["--split", "tset"], "--split: the data has no 'tset'; there are train, dev, test"),
        (None, ["--file", "x.csv"], "--all: scores trials on their own data"),
        (None, ["--device", "cuda:9"], "device: this machine has no 'cuda:9'"),
    ],
)
def test_what_cannot_be_scored_is_one_line_and_opens_nothing(
    mtl: Mtl,
    study: Path,
    change: Callable[[Path], None] | None,
    arguments: list[str],
    message: str,
) -> None:
    if change is not None:
        change(study)
    before = {path: path.read_bytes() for path in study.glob("*.json")}
    found = mtl("evaluate", str(study), "--all", *arguments)
    assert (found.code, found.out) == (2, "")
    assert message in found.err
    assert found.err.count("\n") == 1
    assert {path: path.read_bytes() for path in study.glob("*.json")} == before


def test_a_study_that_runs_is_left_alone(mtl: Mtl, study: Path) -> None:
    with FileLock(study / ".lock"):
        found = mtl("evaluate", str(study), "--all")
    assert found.code == 75
    assert "another process is running this study; wait for it" in found.err
