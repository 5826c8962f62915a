"""Freezing: just the frozen weights stay, in every family of encoders, and resumes are exact."""

from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory, save_tokenizer
from encoders import DECODERS, FAMILIES, HALVES, LIKE_LLAMA, SEPARATE, tiny
from pydantic import TypeAdapter
from token_encoders import random_model
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from mtl_core.assets import Assets, build_tasks
from mtl_core.data.batching import make_batch
from mtl_core.data.example import Example
from mtl_core.errors import ConfigError
from mtl_core.model import families
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.model.kinds import FreezingSection
from mtl_core.model.layers import separate_layers
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model.pooling import Pooler
from mtl_core.model.trained import describe_encoder, describe_trained
from mtl_core.training.loop import train

CPU = torch.device("cpu")
KINDS: TypeAdapter[FreezingSection] = TypeAdapter(FreezingSection)
LAYERS = {"distilbert": "transformer.layer.", "gpt2": "h.", "modernbert": "layers."}
LAYERS |= {family: "layers." for family in DECODERS if family != "gpt2"}
ABOVE = ("final_norm", "final_layer_norm", "ln_f", "norm.")


def layer_of(family: str, name: str) -> int | None:
    """Returns the layer that a parameter stands in, 3 = above all, None = below."""
    prefix = LAYERS.get(family, "encoder.layer.")
    if name.startswith(ABOVE):
        return 3
    return int(name.removeprefix(prefix)[0]) if name.startswith(prefix) else None


def moved_by_a_step(encoder: PreTrainedModel, kind: dict[str, object], epoch: int) -> set[str]:
    """Returns the parameters that two steps of training give gradients; all others must stay."""
    section = KINDS.validate_python(kind)
    model = MultiTaskModel(encoder, {}, Pooler("mean", 32, "none"), num_features={})
    section.add_adapters(encoder)
    frozen = section.frozen_parameters(encoder, epoch=epoch)
    model.freeze(section.frozen_modules(encoder, epoch=epoch), frozen)
    model.train()
    before = {name: p.detach().clone() for name, p in encoder.named_parameters()}
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.1)
    ids = torch.arange(5, 45).reshape(4, 10)
    for _ in range(2):
        optimizer.zero_grad()
        hidden = encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        hidden.pow(3).sum().backward()
        optimizer.step()
    after = dict(encoder.named_parameters())
    moved = {name for name, old in before.items() if not torch.equal(old, after[name])}
    assert moved == {name for name, p in after.items() if p.grad is not None}
    return moved


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("kind", "epoch"),
    [
        ({"kind": "none"}, 1),
        ({"kind": "embeddings"}, 1),
        ({"kind": "lower_layers", "layers": 2}, 1),
        ({"kind": "upper_layers", "layers": 2}, 1),
        ({"kind": "gradual", "every": 2}, 1),
        ({"kind": "gradual", "every": 2}, 4),
        ({"kind": "gradual", "every": 2}, 7),
        ({"kind": "bias_only"}, 1),
        ({"kind": "lora", "rank": 2}, 1),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else f"epoch{value}",
)
def test_just_the_expected_parameters_move(
    family: str, kind: dict[str, object], epoch: int
) -> None:
    encoder = tiny(family)
    name = str(kind["kind"])
    if family == "albert" and name in ("lower_layers", "upper_layers", "gradual"):
        with pytest.raises(ConfigError, match=r"layers of a 'albert' encoder share their weights"):
            moved_by_a_step(encoder, kind, epoch)
        return
    if name == "bias_only" and family in ("gemma", "llama", "modernbert", "qwen3"):
        with pytest.raises(ConfigError, match=r"has no biases"):
            moved_by_a_step(encoder, kind, epoch)
        return
    places = {n: layer_of(family, n) for n, _ in encoder.named_parameters()}
    if family == "albert":
        places = {n: 0 if "albert_layer_groups" in n else None for n in places}
    lowest = {"none": -1, "embeddings": 0, "lower_layers": 2, "gradual": {1: 2, 4: 1, 7: -1}[epoch]
              if name == "gradual" else 0}.get(name)  # fmt: skip
    moved = moved_by_a_step(encoder, kind, epoch)
    if lowest is not None:
        assert moved == {n for n, at in places.items() if (-1 if at is None else at) >= lowest}
    elif name == "upper_layers":
        assert moved == {n for n, at in places.items() if at in (None, 0)}
    elif name == "bias_only":
        assert moved == {n for n in places if n.endswith(".bias")}
    else:
        linear = {n for n, m in encoder.named_modules() if n.endswith("base_layer")}
        assert moved == {
            n.removesuffix("base_layer") + f"lora_{side}.default.weight"
            for n in linear
            for side in "AB"
        }
        plain = sum(isinstance(m, nn.Linear | Conv1D) for m in tiny(family).modules())
        assert len(linear) == plain


@pytest.mark.parametrize("family", [*SEPARATE, *HALVES])
def test_what_is_below_the_first_trained_layer_never_changes(family: str) -> None:
    encoder = tiny(family)  # with the dropout of its family
    section = KINDS.validate_python({"kind": "lower_layers", "layers": 2})
    model = MultiTaskModel(encoder, {}, Pooler("mean", 32, "none"), num_features={})
    model.freeze(
        section.frozen_modules(encoder, epoch=1), section.frozen_parameters(encoder, epoch=1)
    )
    model.train()
    outputs: list[Tensor] = []
    layers = separate_layers(encoder, "test").layers
    layers[1].register_forward_hook(
        lambda _, __, out: outputs.append(out[0] if isinstance(out, tuple) else out)
    )
    optimizer = torch.optim.SGD((p for p in encoder.parameters() if p.requires_grad), lr=1.0)
    ids = torch.arange(5, 45).reshape(4, 10)
    for _ in range(2):
        hidden = encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        hidden[..., 0].sum().backward()
        optimizer.step()
    assert torch.equal(*outputs)


@pytest.mark.parametrize("family", FAMILIES)
def test_family_trains_from_a_folder(
    family: str,
    run_config: RunConfigFactory,
    sample: dict[str, list[Example]],
    tmp_path: Path,
) -> None:
    size = save_tokenizer(tmp_path, sample["train"])
    # The tokenizer class of Qwen adds a token of its own.
    tiny(family, vocab_size=size + 1).save_pretrained(tmp_path)
    overrides: dict[str, object] = {
        "encoder.name": str(tmp_path),
        "training.epochs": 1,
        "optimizer.layer_decay": 1.0 if family == "albert" else 0.5,
        "freezing": {"kind": "embeddings"},
    }
    [report] = train(run_config(overrides))
    assert "encoder.embeddings" not in report.trained
    if family != "albert":
        # The decay of layers goes down from the top one; the schedule is at its end.
        assert set(report.learning_rates) >= {"encoder.layer_0", "encoder.layer_2"}
        assert set(report.trained) >= {"encoder.layer_0", "encoder.layer_2", "head.intent"}
    assert report.losses.keys() == {"intent", "slots"}


def test_layer_decay_of_shared_layers_is_refused(
    run_config: RunConfigFactory, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    size = save_tokenizer(tmp_path, sample["train"])
    tiny("albert", vocab_size=size).save_pretrained(tmp_path)
    config = run_config({"encoder.name": str(tmp_path), "optimizer.layer_decay": 0.9})
    with pytest.raises(ConfigError, match=r"run\.optimizer\.layer_decay: the layers of a 'albert'"):
        next(train(config))


def test_every_family_is_tested_here() -> None:
    assert {*families.FAMILIES} == {*FAMILIES, *HALVES, *LIKE_LLAMA}


def test_layers_that_are_not_one_list_cannot_be_frozen_by_themselves() -> None:
    # XLM keeps attentions and feed-forward parts in lists of their own.
    encoder = random_model("xlm", vocab_size=99)
    section = KINDS.validate_python({"kind": "lower_layers", "layers": 1})
    with pytest.raises(ConfigError, match=r"a 'xlm' encoder has no single list of layers .*; use"):
        section.check(encoder)
    for kind in ("none", "encoder", "bias_only", "lora"):
        KINDS.validate_python({"kind": kind}).check(encoder)


@pytest.mark.parametrize("kind", ["lower_layers", "upper_layers"])
def test_too_many_frozen_layers_are_refused(run_config: RunConfigFactory, kind: str) -> None:
    config = run_config({"freezing": {"kind": kind, "layers": 4}})
    with pytest.raises(ConfigError, match=r"run\.freezing\.layers: expected at most 3, .*found 4"):
        next(train(config))


def test_gradual_run_reports_what_trains_and_resumes_exactly(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    config = run_config({"freezing": {"kind": "gradual"}, "training.epochs": 4})
    whole = [report.losses for report in train(config, checkpoint=tmp_path / "whole")]
    run = train(config, checkpoint=tmp_path / "cut")
    first = [next(run), next(run)]
    run.close()
    resumed = list(train(config, checkpoint=tmp_path / "cut"))
    assert [report.losses for report in resumed] == whole
    assert [report.losses for report in first] == whole[:2]
    layers = [
        sorted(n.removeprefix("encoder.") for n in report.trained if n.startswith("encoder."))
        for report in resumed
    ]
    names = ["layer_2", "layer_1", "layer_0", "embeddings"]
    assert layers == [sorted(names[: epoch + 1]) for epoch in range(4)]
    size = sum(p.numel() for n, p in Encoder(name=config.encoder.name).load().named_parameters()
               if n.startswith("encoder.layer.2."))  # fmt: skip
    assert resumed[0].trained["encoder.layer_2"] == size


def test_frozen_part_runs_without_dropout_while_training(
    run_config: RunConfigFactory, tiny_encoder_with_dropout: Path
) -> None:
    config = run_config({"encoder.name": str(tiny_encoder_with_dropout)})
    assets = Assets.load(config, device=CPU)
    model = assets.new_model(config, build_tasks(config, assets.data.datasets)).train()
    section = KINDS.validate_python({"kind": "lower_layers", "layers": 2})
    model.freeze(section.frozen_modules(model.encoder, epoch=1), ())
    seen: dict[int, list[Tensor]] = {1: [], 2: []}
    for number, outputs in seen.items():
        layer = separate_layers(model.encoder, "test").layers[number]
        layer.register_forward_hook(lambda _, __, out, to=outputs: to.append(out[0]))
    batch = make_batch(assets.data.datasets["corpus"].splits["train"], [0, 1], pad_token_id=0)
    for _ in range(2):
        model(batch, ["intent"])
    assert torch.equal(*seen[1])  # the last frozen layer
    assert not torch.equal(*seen[2])


def test_description_counts_what_trains() -> None:
    encoder = tiny("bert")
    size = sum(p.numel() for p in encoder.parameters())
    top = sum(p.numel() for n, p in encoder.named_parameters() if "layer.2." in n)
    section = KINDS.validate_python({"kind": "lower_layers", "layers": 2})
    text = describe_encoder(encoder, section, epoch=1)
    assert text == f"{top:,} parameters train in the encoder of {size:,} (layer 2)"
    section = KINDS.validate_python({"kind": "upper_layers", "layers": 1})
    text = describe_encoder(encoder, section, epoch=1)
    assert text.endswith(f" train in the encoder of {size:,} (embeddings, layers 0-1)")
    counts = {"encoder.layer_1": 1000, "encoder.layer_2": 234, "head.intent": 5}
    assert describe_trained(counts) == "encoder 1,234 (layers 1-2), head.intent 5"
