"""Word embeddings that are output weights, too: all rows train, or the run is refused."""

from pathlib import Path

import pytest
from conftest import RunConfigFactory

from mtl_core.errors import TrainingError
from mtl_core.training.lazy_rows import LazyRows
from mtl_core.training.loop import train
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.run import Run


@pytest.mark.parametrize("weighting", ["fixed", "pcgrad"])
@pytest.mark.parametrize("is_tied", [True, False])
def test_a_tied_head_trains_all_rows(
    run_config: RunConfigFactory, tmp_path: Path, is_tied: bool, weighting: str
) -> None:
    """Without decay a row moves by its gradient alone, and as an output weight each has one."""
    changes = with_masked_words(tmp_path) if is_tied else {}
    one_step = {"training.epochs": 1, "training.batch_size": 1000, "mixing.kind": "joint"}
    no_decay = {"optimizer.weight_decay": 0, "optimizer.encoder_lr": 1e-2}
    run = Run(run_config(changes | one_step | no_decay | {"weighting.kind": weighting}), Mean())
    weight = run.state.model.encoder.get_input_embeddings().weight
    before = weight.detach().clone()
    list(run.run_epoch(1))
    has_moved = (weight != before).any(dim=1)
    assert has_moved.any()
    assert has_moved.all() == is_tied


@pytest.mark.parametrize("weighting", ["fixed", "pcgrad"])
def test_a_head_that_uses_the_embeddings_without_tying_them_is_refused(
    run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch, weighting: str
) -> None:
    run = Run(run_config({"weighting.kind": weighting}), Mean())
    weight = run.state.model.encoder.get_input_embeddings().weight
    head = type(run.state.model.head("intent"))
    loss_sum = head.loss_sum
    monkeypatch.setattr(head, "loss_sum", lambda *args: loss_sum(*args) + weight.square().sum())
    with pytest.raises(TrainingError, match=r"HiddenSize\.vocabulary\.tie"):
        list(run.run_epoch(1))


def with_masked_words(folder: Path) -> dict[str, object]:
    (folder / "text.txt").write_text("play a song by the band tomorrow\n" * 40)
    splits = {"train": str(folder / "text.txt"), "dev": 0.2}
    return {
        "datasets.text": {"kind": "lines", "splits": splits},
        "tasks.words": {"kind": "masked_lm", "dataset": "text", "chunk": 16},
    }


def test_masked_lm_picks_no_rows(
    run_config: RunConfigFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config(with_masked_words(tmp_path))
    monkeypatch.setattr(LazyRows, "__init__", lambda *args: pytest.fail("rows were picked"))
    assert list(train(config))
