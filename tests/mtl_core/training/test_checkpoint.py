"""Checkpoints: pairs of files that belong together, and what is made of damaged ones."""

import os
import pickle
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from damaged_caches import EPOCHS, small_run
from times import all_timeless

from mtl_core.assets import Assets
from mtl_core.checks import DamagedError
from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError
from mtl_core.training import checkpoint as module
from mtl_core.training.best import load_best, read_best, write_best
from mtl_core.training.checkpoint import find_checkpoint, finish_checkpoint
from mtl_core.training.distributed import Place
from mtl_core.training.loop import recover_best, train
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.run import Run
from mtl_core.training.state_file import read_state

BEST, STATE = "best.safetensors", "state.pt"
Given = Callable[[Sequence[float]], Mean]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    return small_run(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def assets(config: RunConfig) -> Assets:
    return Assets.load(config, device=torch.device("cpu"))


def given(scores: Sequence[float]) -> Mean:
    """Returns an objective that has these values, epoch by epoch, from the first that is run."""

    class Given(Mean):
        def combine(self, main_scores: object, joint_accuracy: float) -> float:
            return next(left)

    left = iter(scores)
    return Given()


def kill_between(folder: Path, config: RunConfig, assets: Assets, scores: Sequence[float]) -> None:
    """Trains until the process would die between the two files of the last of the scores."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    reports = train(config, checkpoint=folder, assets=assets, objective=given(scores))
    list(islice(reports, len(scores) - 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "write_best", killed)
        with pytest.raises(KeyboardInterrupt):
            next(reports)


@pytest.mark.parametrize("scores", [[0.5], [0.5, 0.6], [0.5, 0.4, 0.6]])
def test_killed_between_its_two_files_a_checkpoint_is_of_one_report(
    config: RunConfig, assets: Assets, tmp_path: Path, scores: list[float]
) -> None:
    rest = [0.1] * (EPOCHS - len(scores))
    whole = given([*scores, *rest])
    expected = list(train(config, checkpoint=tmp_path / "a", assets=assets, objective=whole))
    kill_between(tmp_path / "b", config, assets, scores)
    reports = train(config, checkpoint=tmp_path / "b", assets=assets, objective=given(rest))
    assert all_timeless(list(reports)) == all_timeless(expected)
    assert expected[-1].best_number == len(scores)
    assert read_best(tmp_path / "b").number == len(scores)
    assert (tmp_path / "a" / BEST).read_bytes() == (tmp_path / "b" / BEST).read_bytes()


@pytest.mark.parametrize("is_best_last", [False, True])
def test_lost_weights_of_the_best_report_are_had_again(
    config: RunConfig,
    assets: Assets,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    is_best_last: bool,
) -> None:
    scores = [0.1, 0.2, 0.3] if is_best_last else [0.1, 0.3, 0.2]
    before = train(config, checkpoint=tmp_path, assets=assets, objective=given([*scores, 0.0]))
    first = [next(before) for _ in scores]
    whole = (tmp_path / BEST).read_bytes()
    (tmp_path / BEST).write_bytes(whole[:-1])
    again = [0.0] if is_best_last else [*scores, 0.0]
    reports = list(train(config, checkpoint=tmp_path, assets=assets, objective=given(again)))
    assert all_timeless(reports)[:3] == all_timeless(first)
    assert (reports[:3] == first) == is_best_last  # Trained again, it takes other times.
    assert (tmp_path / BEST).read_bytes() == whole
    [line] = caplog.messages
    assert line.startswith(f"{tmp_path}: {BEST} cannot be read: ")
    assert line.endswith(
        f"; it is made anew from {STATE}" if is_best_last else "; the run begins anew"
    )


def no_file(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink()
    (path / "below").mkdir(parents=True)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def rotten(path: Path) -> None:
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:  # In the middle of the largest tensor.
        part = max(archive.infolist(), key=lambda one: one.file_size)
    content[part.header_offset + 200 + part.file_size // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [no_file, a_folder, cut, rotten, Path.unlink])
def test_a_run_with_a_damaged_state_begins_anew(
    config: RunConfig,
    assets: Assets,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
) -> None:
    first = list(islice(train(config, checkpoint=tmp_path, assets=assets), 2))
    damage(tmp_path / STATE)
    again = list(islice(train(config, checkpoint=tmp_path, assets=assets), 2))
    assert all_timeless(again) == all_timeless(first)
    assert again != first
    [line] = caplog.messages
    assert line.startswith(f"{tmp_path}: {STATE} ")
    assert line.endswith("; the run begins anew")
    assert read_state(tmp_path) is not None
    # What cannot be replaced may be anybody's.
    assert (tmp_path / f"{STATE}.damaged").is_dir() == (damage is a_folder)


def test_the_checkpoint_of_another_recipe_is_left_alone_even_when_it_is_damaged(
    config: RunConfig, assets: Assets, tmp_path: Path
) -> None:
    next(train(config, checkpoint=tmp_path, assets=assets))
    cut(tmp_path / STATE)
    other = config.model_copy(update={"seed": 3})
    with pytest.raises(ConfigError, match=r"another recipe: run\.seed = 0, here it is 3"):
        next(train(other, checkpoint=tmp_path, assets=assets))


class Others(Place):
    """The first of two workers, of which the other found something else."""

    def gather(self, value: Any) -> list[Any]:
        return [value, ("state.pt cannot be read: by one", None, 0)]


def test_what_one_worker_cannot_read_counts_for_none(
    config: RunConfig, assets: Assets, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    next(train(config, checkpoint=tmp_path, assets=assets))
    inputs = read_best(tmp_path).inputs
    cpu = torch.device("cpu")
    assert len(find_checkpoint(tmp_path, inputs, Place(0, 1, cpu)).reports) == 1
    found = find_checkpoint(tmp_path, inputs, Others(0, 2, cpu))
    assert (found.state, found.reports, found.precision) == (None, (), "fp32")
    assert caplog.messages == [f"{tmp_path}: state.pt cannot be read: by one; the run begins anew"]


def test_states_that_would_take_more_than_their_file_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / STATE
    torch.save({"recipe": {}, "x": torch.zeros(1).expand(2**40)}, path)
    with pytest.raises(DamagedError, match="a tensor is larger than what the file holds of it"):
        read_state(tmp_path)
    torch.save({"recipe": {}, "x": torch.zeros(2**20)}, path)
    assert read_state(tmp_path) is not None
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(DamagedError, match=r"state\.pt would be larger than its file"):
        read_state(tmp_path)
    # The number of a tensor's items stands in the pickle, as an int of four bytes.
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(b"\x00\x00\x10\x00", b"\x00\x00\x00\x70"))
    with pytest.raises(DamagedError, match=r"state\.pt cannot be read"):
        read_state(tmp_path)


@pytest.mark.parametrize(
    "content", [{"model": {}}, {"recipe": 1}, [], None, {"recipe": {}, "x": {"a": print}}]
)
def test_files_of_torch_that_are_no_checkpoints_are_left_alone(
    content: object, config: RunConfig, assets: Assets, tmp_path: Path
) -> None:
    torch.save(content, tmp_path / STATE)
    before = (tmp_path / STATE).read_bytes()
    with pytest.raises(ConfigError, match=r"state\.pt: not a checkpoint: .*; remove it to go on"):
        next(train(config, checkpoint=tmp_path, assets=assets))
    (tmp_path / STATE).write_bytes(pickle.dumps({}))
    with pytest.raises(ConfigError, match="not a checkpoint: it is a pickle, which may run code"):
        next(train(config, checkpoint=tmp_path, assets=assets))
    assert before


@pytest.mark.parametrize("key", ["model", "optimizer", "schedule", "weighting", "reports"])
def test_a_state_that_does_not_fit_its_run_is_refused(
    key: str, config: RunConfig, assets: Assets, tmp_path: Path
) -> None:
    next(train(config, checkpoint=tmp_path, assets=assets))
    state: dict[str, Any] = torch.load(tmp_path / STATE, weights_only=True)
    torch.save({**state, key: {"x": torch.ones(1)}}, tmp_path / STATE)
    with pytest.raises(ConfigError, match=r"state\.pt: not a checkpoint: .*; remove it to go on"):
        next(train(config, checkpoint=tmp_path, assets=assets))


@pytest.mark.parametrize("lost", [[BEST], [BEST, STATE], []])
def test_the_weights_of_an_ended_run_are_trained_again_where_they_are_lost(
    lost: list[str], config: RunConfig, assets: Assets, tmp_path: Path
) -> None:
    reports = list(train(config, checkpoint=tmp_path, assets=assets))
    number, whole = reports[-1].best_number, (tmp_path / BEST).read_bytes()
    for name in lost:
        (tmp_path / name).unlink()
    found = recover_best(
        config, objective=Mean(), checkpoint=tmp_path, assets=assets, number=number
    )
    assert found == number
    assert (tmp_path / BEST).read_bytes() == whole
    assert (
        load_best(tmp_path, Run(config, Mean(), assets=assets).state.model, number=number) == "fp32"
    )


def test_a_run_that_is_over_keeps_its_reports_and_best_weights_alone(
    config: RunConfig, assets: Assets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list(train(config, checkpoint=tmp_path, assets=assets))
    best, before = (tmp_path / BEST).read_bytes(), (tmp_path / STATE).stat().st_size
    for _ in range(2):  # As often as the same command is given.
        finish_checkpoint(tmp_path)
        assert (tmp_path / STATE).stat().st_size < before / 10
        assert (tmp_path / BEST).read_bytes() == best
        with monkeypatch.context() as patch:
            patch.setattr(Run, "run_epoch", lambda *_: pytest.fail("it trains again"))
            assert list(train(config, checkpoint=tmp_path, assets=assets)) == made
    # Without its best weights there is nothing left of it.
    (tmp_path / BEST).unlink()
    again = list(train(config, checkpoint=tmp_path, assets=assets))
    assert all_timeless(again) == all_timeless(made)
    assert read_best(tmp_path).number == made[-1].best_number


def test_a_run_that_is_over_cannot_go_on(config: RunConfig, assets: Assets, tmp_path: Path) -> None:
    made = list(train(config, checkpoint=tmp_path, assets=assets))
    finish_checkpoint(tmp_path)
    state = dict(read_state(tmp_path) or {})
    state["reports"] = state["reports"][: made[-1].best_number]
    if len(state["reports"]) == EPOCHS:
        state["reports"] = state["reports"][:-1]
        write_best(tmp_path, replace(read_best(tmp_path), number=made[-2].best_number))
    torch.save(state, tmp_path / STATE)
    with pytest.raises(ConfigError, match=r"state\.pt: not a checkpoint: 'model'; remove it"):
        list(train(config, checkpoint=tmp_path, assets=assets))
