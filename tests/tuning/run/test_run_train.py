"""`mtl train`: its folder, what it goes on from, and what it begins with."""

import math
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from conftest import Mtl, RunConfigFactory
from torch import Tensor

from mtl_core.assets import Assets, build_tasks
from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError
from mtl_core.files import InUseError, hold
from mtl_core.saved_model import load_model
from mtl_core.study_file import dump
from mtl_core.training.objectives.mean import Mean
from tuning.run.train import starting_weights


def write_study(path: Path, run: RunConfig) -> None:
    path.write_text("run:\n" + "".join(f"  {line}\n" for line in dump(run).splitlines()))


@pytest.fixture(scope="module")
def trained(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two epochs, and its study file beside it."""
    folder = tmp_path_factory.mktemp("trained")
    write_study(folder / "study.yaml", run_config())
    command = [sys.executable, "-m", "tuning", "train", "study.yaml", "--output", "out"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def model_weights(folder: Path) -> dict[str, Tensor]:
    return dict(load_model(folder, trust_code=False).model.state_dict())


def assert_equal(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def test_a_folder_that_another_process_trains_in_is_refused(
    trained: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    script = (
        "import sys; from pathlib import Path; from mtl_core.files import hold\n"
        "lock = hold(Path('out')); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        refused = mtl("train", "study.yaml", "--output", "out")
        with pytest.raises(InUseError):
            hold(Path("out"))
        # Killed, as by a lack of memory: it can tidy nothing up.
        other.kill()
        other.wait()
    assert refused.code == 75
    assert refused.err.splitlines()[-1] == (
        "error: --output: another process trains in out; wait for it, or choose another folder"
    )
    assert mtl("train", "study.yaml", "--output", "out").code == 0


def test_another_recipe_is_named_by_its_key_and_both_values(
    trained: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    refused = mtl("train", "study.yaml", "--output", "out", "--set", "optimizer.encoder_lr=1e-3")
    assert refused.code == 2
    assert "run.optimizer.encoder_lr = 5e-05, here it is 0.001;" in refused.err
    assert "--init-from" in refused.err
    assert "Traceback" not in refused.err


def test_data_that_moved_are_the_same_data(
    trained: Path, corpus: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(trained)
    shutil.copytree(corpus, tmp_path / "elsewhere")
    moved = f"datasets.corpus.path={tmp_path / 'elsewhere'}"
    before = mtl("train", "study.yaml", "--output", "out")
    assert before.code == 0
    again = mtl("train", "study.yaml", "--output", "out", "--set", moved)
    assert again.code == 0, again.err
    assert again.out == before.out  # read from the checkpoint, not trained anew
    labels = tmp_path / "elsewhere" / "train" / "label"
    labels.write_text("".join(reversed(labels.read_text().splitlines(keepends=True))))
    refused = mtl("train", "study.yaml", "--output", "out", "--set", moved)
    assert "the content of data set 'corpus' has changed" in refused.err


def test_a_run_begins_with_the_weights_of_another(
    trained: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    done = mtl(
        *("train", "study.yaml", "--output", "more", "--init-from", "out"),
        *("--set", "optimizer.encoder_lr=1e-12", "--set", "optimizer.head_lr=1e-12"),
    )
    assert done.code == 0, done.err
    assert "begins with out/model: its encoder; heads of intent, slots\n" in done.out
    # With steps of next to nothing the model stays what it began with.
    one, two = model_weights(trained / "out" / "model"), model_weights(trained / "more" / "model")
    for name, value in one.items():
        assert torch.allclose(value, two[name], atol=1e-6), name
    # Interrupted and given again, the run goes on; without its beginning it is another run.
    again = mtl(
        *("train", "study.yaml", "--output", "more", "--init-from", "out"),
        *("--set", "optimizer.encoder_lr=1e-12", "--set", "optimizer.head_lr=1e-12"),
    )
    assert again.code == 0, again.err
    without = mtl(
        *("train", "study.yaml", "--output", "more"),
        *("--set", "optimizer.encoder_lr=1e-12", "--set", "optimizer.head_lr=1e-12"),
    )
    assert without.code == 2
    assert "the content of the weights to begin with has changed" in without.err


def test_a_head_whose_labels_are_others_begins_anew(
    trained: Path, run_config: RunConfigFactory
) -> None:
    start = starting_weights(trained / "out" / "model")
    # As many classes and tags, hence heads of the same shapes, under other names.
    config = run_config({"tasks.topic": {"kind": "classification", "dataset": "corpus",
                                         "column": "intent"}})  # fmt: skip
    assets = Assets.load(config, device=torch.device("cpu"), start=start)
    tasks = build_tasks(config, assets.data.datasets)
    torch.manual_seed(0)
    model = assets.new_model(config, tasks)
    assert start.kept(model, tasks) == ["intent", "slots"]
    assert_equal(model.head("slots").state_dict(), start.model.head("slots").state_dict())
    assert_equal(model.encoder.state_dict(), start.model.encoder.state_dict())
    weights = {name: labels.labels for name, labels in tasks.items()}
    assert weights["topic"].trained == weights["intent"].trained
    renamed = dict(tasks, intent=tasks["slots"])
    assert start.kept(model, renamed) == ["slots"]


def test_another_encoder_is_refused(
    trained: Path, run_config: RunConfigFactory, tmp_path: Path
) -> None:
    from transformers import AutoModel

    start = starting_weights(trained / "out" / "model")
    config = run_config()
    other = tmp_path / "encoder"
    shutil.copytree(config.encoder.name, other)
    encoder = AutoModel.from_pretrained(other)
    encoder.config.num_hidden_layers += 1
    type(encoder)(encoder.config).save_pretrained(other)
    with pytest.raises(ConfigError, match=r"^--init-from .*: its encoder is not like"):
        Assets.load(run_config({"encoder.name": str(other)}), device=torch.device("cpu"),
                    start=start)  # fmt: skip


def test_what_to_begin_with_has_to_be_a_model(
    trained: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(trained)
    refused = mtl("train", "study.yaml", "--output", "no", "--init-from", str(tmp_path))
    assert refused.code == 2
    assert "Traceback" not in refused.err
    assert not Path("no").exists()


def test_an_interrupted_run_says_how_to_go_on(
    trained: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    monkeypatch.setattr("tuning.run.train.train_study", Mock(side_effect=KeyboardInterrupt))
    options = ["--set", "optimizer.head_lr=1e-2", "--output", "out", "--init-from", "out"]
    outcome = mtl("train", "study.yaml", *options)
    assert outcome.code == 130
    assert outcome.err.endswith(
        "Interrupted; what was done is in out. The same command goes on: "
        f"mtl train study.yaml {' '.join(options)}\n"
    )
    again = mtl("train", "study.yaml", "--output", "new")
    assert "nothing was begun" in again.err


def test_a_quiet_run_tells_its_result(
    trained: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    outcome = mtl("train", "study.yaml", "--output", "out", "--quiet")
    assert outcome.code == 0
    assert re.fullmatch(r"best epoch \d: combined 0\.\d+; out/model\n", outcome.out)


def test_an_objective_that_is_no_number_ends_with_one_line_and_no_model(
    run_config: RunConfigFactory, tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path / "study.yaml", run_config())
    monkeypatch.setattr(Mean, "combine", lambda *_: math.nan)
    failed = mtl("train", "study.yaml", "--output", "out")
    assert failed.code == 1
    said = "epoch 2: the objective is no number but nan; so in all reports, 2: no model is saved"
    assert failed.err.splitlines()[-1] == f"error: {said}"
    assert not (tmp_path / "out" / "model").exists()
    assert not (tmp_path / "out" / "checkpoint" / "best.safetensors").exists()


def test_epochs_without_a_number_are_told_and_the_model_is_that_of_the_best(
    run_config: RunConfigFactory,
    tmp_path: Path,
    mtl: Mtl,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path / "study.yaml", run_config({"training.epochs": 4}))
    scores = iter([math.nan, 0.25, math.inf, 0.125])
    monkeypatch.setattr(Mean, "combine", lambda *_: next(scores))
    done = mtl("train", "study.yaml", "--output", "out")
    assert done.code == 0
    said = "epoch 3: the objective is no number but inf; so in 2 of 4 reports, the model is that of"
    assert caplog.messages[-1] == f"{said} epoch 2"
    assert "best epoch 2: combined 0.2500" in done.out
