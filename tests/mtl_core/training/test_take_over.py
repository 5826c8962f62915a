"""A run that goes on from the checkpoint of another: what becomes the other's, what does not."""

import shutil
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
import torch
from damaged_caches import EPOCHS, small_run
from short_runs import assert_same
from times import all_timeless

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError, TrainingError
from mtl_core.study_file import override
from mtl_core.training.best import read_best
from mtl_core.training.donors import DONOR, hand_over, may_differ
from mtl_core.training.loop import train
from mtl_core.training.report import Report
from mtl_core.training.state_file import read_state

OTHER = {"optimizer.encoder_lr": 1e-7, "optimizer.head_lr": 1e-7}
"""The rates of the run that takes over: it learns next to nothing by itself."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    return small_run(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def assets(config: RunConfig) -> Assets:
    return Assets.load(config, device=torch.device("cpu"))


def changed(config: RunConfig, overrides: dict[str, object]) -> RunConfig:
    return RunConfig.model_validate(override(config.model_dump(mode="json"), overrides))


@pytest.fixture(scope="module")
def both(config: RunConfig, assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints after one epoch: of a donor with the rates of `config`, and of the other."""
    folder = tmp_path_factory.mktemp("both")
    trained(config, folder / "donor", assets, reports=1)
    trained(changed(config, OTHER), folder / "own", assets, reports=1)
    return folder


def trained(config: RunConfig, folder: Path, assets: Assets, *, reports: int) -> list[Report]:
    """Goes on with a run up to a report, without times."""
    with closing(train(config, checkpoint=folder, assets=assets)) as made:
        found = list(islice(made, reports))
    return all_timeless(found)


def handed_over(both: Path, tmp_path: Path) -> Path:
    """The folder of the other run, in which the donor's state lies, too."""
    folder = tmp_path / "own"
    shutil.copytree(both / "own", folder)
    hand_over(both / "donor" / "state.pt", folder, "0003", reports=1)
    return folder


def test_a_run_goes_on_as_its_donor_would_and_keeps_its_own_past(
    config: RunConfig, assets: Assets, both: Path, tmp_path: Path
) -> None:
    shutil.copytree(both / "donor", tmp_path / "donor")
    expected = trained(config, tmp_path / "donor", assets, reports=2)
    before = trained(changed(config, OTHER), both / "own", assets, reports=1)
    folder = handed_over(both, tmp_path)
    found = trained(config, folder, assets, reports=2)
    # The scores behind the first report are the donor's; what is best is said of its own reports.
    assert found[0] == before[0]
    assert (found[1].dev, found[1].combined, found[1].losses) == (
        expected[1].dev, expected[1].combined, expected[1].losses,
    )  # fmt: skip
    assert found[1].best_combined == max(one.combined for one in found)
    assert not (folder / DONOR).exists()
    states = [read_state(one) for one in (folder, tmp_path / "donor")]
    assert_same(states[0]["model"], states[1]["model"])
    # The donor itself is as it was.
    assert len(read_state(both / "donor")["reports"]) == 1


def test_the_average_of_the_donor_is_taken_over_with_its_weights(
    config: RunConfig, assets: Assets, tmp_path: Path
) -> None:
    config = changed(config, {"optimizer.averaging": 0.2})
    trained(config, tmp_path / "donor", assets, reports=1)
    own = trained(changed(config, OTHER), tmp_path / "own", assets, reports=1)
    hand_over(tmp_path / "donor" / "state.pt", tmp_path / "own", "0003", reports=1)
    expected = trained(config, tmp_path / "donor", assets, reports=2)
    found = trained(config, tmp_path / "own", assets, reports=2)
    assert found[0] == own[0]
    assert (found[1].dev, found[1].losses) == (expected[1].dev, expected[1].losses)
    states = [read_state(tmp_path / name) for name in ("own", "donor")]
    assert_same(states[0]["model"], states[1]["model"])
    ours, theirs = (state["optimizer"]["average"] for state in states)
    assert (ours["steps"], ours["seen"]) == (theirs["steps"], theirs["seen"])
    assert all(map(torch.equal, ours["kept"], theirs["kept"]))


def test_new_rates_take_effect_at_once(
    config: RunConfig, assets: Assets, both: Path, tmp_path: Path
) -> None:
    folder = handed_over(both, tmp_path)
    still = changed(config, {**OTHER, "optimizer.weight_decay": 0.0})
    found = trained(still, folder, assets, reports=2)
    assert max(found[1].learning_rates.values()) <= 1e-7
    donor = read_state(both / "donor")
    assert donor is not None
    # With the donor's rates they move a thousand times as far.
    assert_same(read_state(folder)["model"], donor["model"], tolerance=1e-5)


def test_weights_of_tasks_take_effect_at_once(
    config: RunConfig, assets: Assets, both: Path, tmp_path: Path
) -> None:
    [task, *_] = config.tasks
    folder = handed_over(both, tmp_path)
    heavier = changed(config, {f"tasks.{task}.weight": 3.0})
    assert trained(heavier, folder, assets, reports=2)[1].weights[task] == 3.0


def test_a_run_that_differs_in_more_is_refused_in_a_line(
    config: RunConfig, assets: Assets, both: Path, tmp_path: Path
) -> None:
    folder = handed_over(both, tmp_path)
    with pytest.raises(ConfigError) as raised:
        trained(changed(config, {"training.batch_size": 3}), folder, assets, reports=2)
    assert "differs in more than rates and weights of tasks: run.training.batch_size" in str(
        raised.value
    )
    assert "\n" not in str(raised.value)


def test_a_donor_that_has_not_come_as_far_is_refused(
    config: RunConfig, assets: Assets, both: Path, tmp_path: Path
) -> None:
    shutil.copytree(both / "own", tmp_path / "own")
    trained(changed(config, OTHER), tmp_path / "own", assets, reports=2)
    hand_over(both / "donor" / "state.pt", tmp_path / "own", "0003", reports=2)
    with pytest.raises(ConfigError, match="after 1 reports, expected one after 2"):
        trained(config, tmp_path / "own", assets, reports=EPOCHS)


def test_killed_before_the_donor_is_gone_it_is_taken_over_once_more(
    config: RunConfig, assets: Assets, both: Path, tmp_path: Path
) -> None:
    folder = handed_over(both, tmp_path)
    trained(config, folder, assets, reports=1)
    assert not (folder / DONOR).exists()
    shutil.copy(both / "donor" / "state.pt", folder / DONOR)
    again = trained(config, folder, assets, reports=2)
    other = handed_over(both, tmp_path / "other")
    assert again == trained(config, other, assets, reports=2)


@pytest.mark.parametrize("name", ["state.pt", DONOR])
def test_what_is_damaged_is_told_and_never_trained_from_the_start(
    config: RunConfig, assets: Assets, both: Path, tmp_path: Path, name: str
) -> None:
    folder = handed_over(both, tmp_path)
    (folder / name).unlink()  # It may be a second name of the donor's own file.
    (folder / name).write_bytes(b"x" * 100)
    with pytest.raises(TrainingError, match=f"{name} is no file of torch"):
        trained(config, folder, assets, reports=2)
    (folder / DONOR).unlink()
    (folder / "state.pt").write_bytes(b"x" * 100)
    with pytest.raises(TrainingError, match="its recipe alone would train another model"):
        trained(changed(config, OTHER), folder, assets, reports=2)


def test_the_best_weights_stay_those_of_its_own_report(
    config: RunConfig, assets: Assets, both: Path, tmp_path: Path
) -> None:
    folder = handed_over(both, tmp_path)
    before = read_best(folder)
    trained(config, folder, assets, reports=1)
    after = read_best(folder)
    assert_same(dict(before.weights), dict(after.weights))
    assert (after.number, after.precision) == (before.number, before.precision)
    # Damaged, they are not made anew of the state, which is the donor's.
    (folder / "best.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(TrainingError, match="its recipe alone would train another model"):
        trained(config, folder, assets, reports=2)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("optimizer.head_lr", True),
        ("tasks.intent.weight", True),
        ("tasks.intent.learning_rate", True),
        ("optimizer.layer_decay", False),
        ("training.batch_size", False),
        ("tasks.intent.weight.more", False),
        ("freezing.kind", False),
    ],
)
def test_keys_that_may_differ(key: str, expected: bool) -> None:
    assert may_differ(key) is expected
