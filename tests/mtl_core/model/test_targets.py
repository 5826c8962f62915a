"""Targets of adapters: which linear layers are meant, in families that name them differently."""

import pytest
import torch
from token_encoders import half, random_model
from torch import nn

from mtl_core.errors import ConfigError
from mtl_core.model.targets import Targets, linear_layers
from mtl_core.model.targets import find_targets as find

EXPECTED = {
    # Read off the papers' and the libraries' own drawings of the layers: attention, feed-forward.
    "bert": ("query key value attention.output.dense", "intermediate.dense output.dense"),
    "distilbert": ("q_lin k_lin v_lin out_lin", "lin1 lin2"),
    "modernbert": ("Wqkv attn.Wo", "Wi mlp.Wo"),
    "albert": ("query key value attention.dense", "ffn ffn_output"),
    "llama": ("q_proj k_proj v_proj o_proj", "gate_proj up_proj down_proj"),
    "qwen3": ("q_proj k_proj v_proj o_proj", "gate_proj up_proj down_proj"),
    "gemma": ("q_proj k_proj v_proj o_proj", "gate_proj up_proj down_proj"),
    "gpt2": ("c_attn attn.c_proj", "c_fc mlp.c_proj"),
    "gpt_neox": ("query_key_value attention.dense", "dense_h_to_4h dense_4h_to_h"),
    "t5": ("q k v o", "wi wo"),
    "bart": ("q_proj k_proj v_proj out_proj", "fc1 fc2"),
    "marian": ("q_proj k_proj v_proj out_proj", "fc1 fc2"),
    "xlm": ("q_lin k_lin v_lin out_lin", "lin1 lin2"),
}


def find_targets(encoder: nn.Module, targets: Targets, **others: object) -> list[str]:
    return find(encoder, targets, **others)["encoder"]  # type: ignore[arg-type]


def encoder_of(family: str) -> nn.Module:
    with torch.device("meta"):
        return half(random_model(family, vocab_size=60))


@pytest.mark.parametrize("family", EXPECTED)
def test_groups_are_those_of_the_family(family: str) -> None:
    encoder = encoder_of(family)
    for group, ends in zip(("attention", "ffn"), EXPECTED[family], strict=True):
        found = find_targets(encoder, group)
        assert all(any(f".{name}".endswith(f".{end}") for end in ends.split()) for name in found)
        assert all(any(f".{name}".endswith(f".{end}") for name in found) for end in ends.split())


def test_every_family_has_both_groups_or_says_so() -> None:
    for family in ("funnel", "mobilebert", "prophetnet", "bloom", "ctrl", "mpt", "nllb-moe"):
        encoder = encoder_of(family)
        attention, ffn = find_targets(encoder, "attention"), find_targets(encoder, "ffn")
        assert attention
        assert ffn
        assert not set(attention) & set(ffn)
        assert {*attention, *ffn} <= set(find_targets(encoder, "all"))
    for family in ("xlnet", "squeezebert"):  # Parameters without a module, and convolutions.
        with pytest.raises(ConfigError, match="this encoder has no linear layers"):
            find_targets(encoder_of(family), "attention")


def test_whole_names_match_an_expression_and_ends_match_a_list() -> None:
    encoder = encoder_of("llama")
    assert find_targets(encoder, r"layers\.1\..*[qv]_proj") == [
        "layers.1.self_attn.q_proj",
        "layers.1.self_attn.v_proj",
    ]
    assert find_targets(encoder, ["v_proj", "mlp.up_proj"]) == [
        "layers.0.self_attn.v_proj",
        "layers.0.mlp.up_proj",
        "layers.1.self_attn.v_proj",
        "layers.1.mlp.up_proj",
    ]
    above = find_targets(encoder, "all", without=[encoder.layers[0]])
    assert above == [name for name in linear_layers(encoder) if name.startswith("layers.1.")]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ("atention", r"no linear layer's whole name, such as .*q_proj.*Did you mean 'attention'"),
        ("q_proj", r"expected all, attention, ffn, a regular expression, or a list of ends"),
        (["q_poj"], r"no linear layer 'q_poj'; linear layers: .*Did you mean 'q_proj'"),
    ],
)
def test_what_names_nothing_is_refused(targets: str | list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_targets(encoder_of("llama"), targets)


def test_a_decoder_is_asked_together_with_its_encoder() -> None:
    decoder = ["layers.0.encoder_attn.q_proj", "layers.0.fc1"]
    for targets, expected in (
        ("attention", decoder[:1]),
        ("ffn", decoder[1:]),
        ("all", decoder),
        (r".*encoder_attn.*", decoder[:1]),
        (["fc1", "encoder_attn.q_proj"], decoder),
    ):
        assert find(encoder_of("bart"), targets, decoder=decoder)["decoder"] == expected
