"""The model: pooling, freezing that holds bit by bit, and the encoder families it works with."""

import shutil
from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory, save_tokenizer
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedModel

from mtl_core.assets import Assets, build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.batching import make_batch
from mtl_core.data.example import Example
from mtl_core.errors import ConfigError
from mtl_core.model.encoder import Encoder, load_encoder, load_tokenizer, longest_input
from mtl_core.model.freezing import FreezeLowerLayers, encoder_layers
from mtl_core.model.multitask import MultiTaskModel, gather_words, pool
from mtl_core.training.checkpoint import load_best
from mtl_core.training.loop import train

CPU = torch.device("cpu")
FAMILIES: dict[str, dict[str, object]] = {
    "bert": {},
    "roberta": {"max_position_embeddings": 66, "pad_token_id": 1},
    "distilbert": {"dim": 32, "hidden_dim": 48},
    "electra": {"embedding_size": 16},
    "mpnet": {"max_position_embeddings": 66, "pad_token_id": 1},
    "deberta-v2": {
        "relative_attention": True,
        "position_buckets": 16,
        "pos_att_type": ["p2c", "c2p"],
    },
    "modernbert": {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3},
}


def tiny(family: str, **settings: object) -> PreTrainedModel:
    sizes: dict[str, object] = {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 64,
    }
    config = AutoConfig.for_model(family, **(sizes | FAMILIES.get(family, {}) | settings))
    torch.manual_seed(0)
    return AutoModel.from_config(config)


def weights_after(config: RunConfig, tmp_path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Returns all weights before the first and after the last step."""
    assets = Assets.load(config, device=CPU)
    models: list[MultiTaskModel] = []
    before: dict[str, Tensor] = {}
    new_model = assets.new_model

    def spy(*args: object) -> MultiTaskModel:
        models.append(new_model(*args))  # type: ignore[arg-type]
        before.update({k: v.clone() for k, v in models[0].state_dict().items()})
        return models[0]

    assets.new_model = spy  # type: ignore[method-assign]
    list(train(config, assets=assets, checkpoint=tmp_path))
    return before, models[0].state_dict()


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_mean_pooling_passes_over_padding() -> None:
    hidden = torch.tensor([[[1.0], [3.0], [50.0]], [[2.0], [4.0], [9.0]]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    assert pool(hidden, mask, "mean").tolist() == [[2.0], [5.0]]
    assert pool(hidden, mask, "cls").tolist() == [[1.0], [2.0]]


def test_words_take_the_hidden_state_of_their_first_piece() -> None:
    hidden = torch.arange(8.0).reshape(1, 4, 2)
    assert gather_words(hidden, torch.tensor([[1, 3, 0]])).tolist() == [[[2, 3], [6, 7], [0, 1]]]


@pytest.mark.parametrize(
    ("freezing", "frozen"),
    [
        ({"kind": "none"}, ()),
        ({"kind": "embeddings"}, ("encoder.embeddings.",)),
        (
            {"kind": "lower_layers", "layers": 2},
            ("encoder.embeddings.", "encoder.encoder.layer.0.", "encoder.encoder.layer.1."),
        ),
        ({"kind": "encoder"}, ("encoder.",)),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_just_the_frozen_weights_stay_bit_for_bit(
    run_config: RunConfigFactory,
    tiny_encoder_with_dropout: Path,
    tmp_path: Path,
    freezing: dict[str, object],
    frozen: tuple[str, ...],
) -> None:
    overrides = {"freezing": freezing, "encoder.name": str(tiny_encoder_with_dropout)}
    before, after = weights_after(run_config(overrides), tmp_path)
    assert changed(before, after) == {name for name in before if not name.startswith(frozen)}


def test_frozen_head_stays_and_is_kept_in_the_checkpoint(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    config = run_config({"tasks.intent.freeze_head": True})
    before, after = weights_after(config, tmp_path)
    assert changed(before, after) == {name for name in before if "head_intent" not in name}
    kept = load_file(tmp_path / "best.safetensors")
    assert torch.equal(kept["heads.head_intent.linear.weight"], before_head(before))

    assets = Assets.load(config, device=CPU)
    torch.manual_seed(99)  # other heads than those of the run
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    load_best(tmp_path, model)
    assert torch.equal(model.state_dict()["heads.head_intent.linear.weight"], before_head(before))


def before_head(weights: dict[str, Tensor]) -> Tensor:
    return weights["heads.head_intent.linear.weight"]


def test_frozen_part_runs_without_dropout_while_training(
    run_config: RunConfigFactory, tiny_encoder_with_dropout: Path
) -> None:
    config = run_config(
        {
            "encoder.name": str(tiny_encoder_with_dropout),
            "freezing": {"kind": "lower_layers", "layers": 2},
        }
    )
    assets = Assets.load(config, device=CPU)
    model = assets.new_model(config, build_tasks(config, assets.data.datasets)).train()
    seen: dict[int, list[Tensor]] = {1: [], 2: []}
    for number, outputs in seen.items():
        layer = encoder_layers(model.encoder)[number]
        layer.register_forward_hook(lambda _, __, out, to=outputs: to.append(out[0]))
    batch = make_batch(assets.data.datasets["corpus"].splits["train"], [0, 1], pad_token_id=0)
    for _ in range(2):
        model(batch, ["intent"])
    assert torch.equal(*seen[1])  # the last frozen layer
    assert not torch.equal(*seen[2])


def test_pretrained_weights_come_back_for_every_run(run_config: RunConfigFactory) -> None:
    config = run_config()
    assets = Assets.load(config, device=CPU)
    first = [report.losses for report in train(config, assets=assets)]
    other = run_config({"optimizer.encoder_lr": 1e-2, "freezing": {"kind": "embeddings"}})
    list(train(other, assets=assets))
    assert [report.losses for report in train(config, assets=assets)] == first


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_of_a_family_are_found_and_frozen(family: str) -> None:
    encoder = tiny(family)  # with the dropout of its family
    frozen = FreezeLowerLayers(layers=2).frozen_modules(encoder)
    MultiTaskModel(encoder, {}, pooling="mean", frozen=frozen).train()
    outputs: list[Tensor] = []
    layers = encoder_layers(encoder)
    assert len(layers) == 3
    layers[1].register_forward_hook(
        lambda _, __, out: outputs.append(out[0] if isinstance(out, tuple) else out)
    )
    trained = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1.0)
    ids = torch.arange(5, 45).reshape(4, 10)
    for _ in range(2):
        hidden = encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        hidden[..., 0].sum().backward()
        optimizer.step()
    # A step over all that trains leaves the output of the frozen layers as it was.
    assert torch.equal(*outputs)
    assert set(layers[2].parameters()) <= set(trained)


@pytest.mark.parametrize("family", FAMILIES)
def test_family_trains_from_a_folder(
    family: str,
    run_config: RunConfigFactory,
    sample: dict[str, list[Example]],
    tmp_path: Path,
) -> None:
    size = save_tokenizer(tmp_path, sample["train"])
    tiny(family, vocab_size=size).save_pretrained(tmp_path)
    overrides: dict[str, object] = {
        "encoder.name": str(tmp_path),
        "training.epochs": 1,
        "optimizer.layer_decay": 0.5,
    }
    [report] = train(run_config(overrides))
    assert set(report.learning_rates) >= {"encoder.embeddings", "encoder.layer_0"}
    assert report.losses.keys() == {"intent", "slots"}


@pytest.mark.parametrize("family", ["roberta", "mpnet", "bert"])
def test_longest_input_is_what_the_encoder_can_run(
    family: str, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    size = save_tokenizer(tmp_path, sample["train"])
    tiny(family, vocab_size=size).save_pretrained(tmp_path)
    tokenizer = load_tokenizer(str(tmp_path))
    tokenizer.model_max_length = 10_000
    longest = longest_input(tokenizer, Encoder(name=str(tmp_path)))
    encoder = load_encoder(str(tmp_path))
    encoder(input_ids=torch.full((1, longest), 7))
    with pytest.raises((IndexError, RuntimeError), match=r"out of range|out of bounds|must match"):
        encoder(input_ids=torch.full((1, longest + 1), 7))


def test_too_many_frozen_layers_are_refused(run_config: RunConfigFactory) -> None:
    config = run_config({"freezing": {"kind": "lower_layers", "layers": 4}})
    with pytest.raises(ConfigError, match=r"run\.freezing\.layers: expected at most 3, .*found 4"):
        next(train(config))


def test_everything_frozen_is_refused(run_config: RunConfigFactory) -> None:
    heads: dict[str, object] = {
        "tasks.intent.freeze_head": True,
        "tasks.slots.weight": 0,  # the only other head, and it does not train either
    }
    with pytest.raises(ConfigError, match=r"nothing is left to train"):
        next(train(run_config({"freezing": {"kind": "encoder"}} | heads)))


def test_layers_that_cannot_be_found_are_told() -> None:
    encoder = tiny("bert")
    encoder.config.num_hidden_layers = 7
    with pytest.raises(ConfigError, match=r"cannot find the layers of a 'bert' encoder"):
        encoder_layers(encoder)


def test_folder_without_weights_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"encoder holds no weights; expected model\.safetensors"):
        load_encoder(str(folder))
    (folder / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"encoder holds no config\.json"):
        load_encoder(str(folder))


def test_unknown_package_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no installed package 'no_such_encoder'"):
        load_encoder("package:no_such_encoder")
    with pytest.raises(ConfigError, match=r"there is no folder .*/none"):
        load_encoder(str(tmp_path / "none"))


def test_longer_rows_than_the_encoder_takes_are_refused(run_config: RunConfigFactory) -> None:
    with pytest.raises(ConfigError, match=r"max_length: expected at most 64, .*found 65"):
        next(train(run_config({"encoder.max_length": 65})))
