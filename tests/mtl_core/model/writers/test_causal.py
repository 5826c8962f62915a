"""The output layer of decoders: logits of targets, against the whole model of Transformers."""

import numpy as np
import pytest
import torch
from small_writers import small_writer_tokenizer
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from mtl_core.data.arrays import NO_LABEL
from mtl_core.data.batching import Batch, WordPlaces
from mtl_core.model.backbones.decoder import Decoder
from mtl_core.tasks.decoding.greedy import Greedy
from mtl_core.tasks.states import Hidden

_BERT: dict[str, object] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}
_LLAMA = _BERT | {"num_key_value_heads": 1, "head_dim": 12}
_GPT: dict[str, object] = {"n_embd": 24, "n_layer": 2, "n_head": 2, "n_positions": 40}
FAMILIES: dict[str, dict[str, object]] = {
    "bloom": {"hidden_size": 24, "n_layer": 2, "n_head": 2},
    "cohere": _LLAMA | {"logit_scale": 0.25},
    "falcon": _BERT,
    "gemma": _LLAMA,
    "gemma2": _LLAMA | {"final_logit_softcapping": 0.5, "sliding_window": 16},
    "gpt2": _GPT,
    "gpt_neo": {"hidden_size": 24, "num_layers": 2, "num_heads": 2, "intermediate_size": 32,
                "attention_types": [[["global", "local"], 1]], "max_position_embeddings": 40},
    "gpt_neox": _BERT,
    "granite": _LLAMA | {"logits_scaling": 8.0},
    "gptj": _GPT | {"rotary_dim": 8},
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "mpt": {"d_model": 24, "n_heads": 2, "n_layers": 2, "max_seq_len": 40},
    "olmoe": _LLAMA | {"num_experts": 4, "num_experts_per_tok": 2},
    "opt": _BERT | {"ffn_dim": 32, "word_embed_proj_dim": 16},
    "phi": _BERT,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
}  # fmt: skip
"""Tied, untied, with a bias (phi, gptj), scaled (cohere, granite), bounded (gemma2), projected."""
IDS = torch.tensor([[2, 5, 9, 7, 1, 8, 4], [2, 11, 3, 6, 0, 0, 0]])
MASK = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
LABELS = torch.tensor(
    [[NO_LABEL, NO_LABEL, 9, 7, NO_LABEL, 8, 4], [NO_LABEL, 11, 3] + [NO_LABEL] * 4]
)


def random_decoder(family: str, **settings: object) -> PreTrainedModel:
    sizes = {"vocab_size": 60, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
    config = AutoConfig.for_model(family, **(sizes | FAMILIES[family] | settings))
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


def batch_of(ids: torch.Tensor, mask: torch.Tensor) -> Batch:
    none = torch.zeros(len(ids), 0, dtype=torch.long)
    return Batch(ids, mask, WordPlaces(none, none, none.bool(), none.sum(dim=1)), {})


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_and_loss_of_targets_are_those_of_the_whole(family: str) -> None:
    backbone, whole = Decoder(name="x"), random_decoder(family)
    with torch.no_grad():
        expected = whole(input_ids=IDS, attention_mask=MASK).logits
        kept = backbone.kept(whole)
        states = backbone.encoder_of(kept)(input_ids=IDS, attention_mask=MASK).last_hidden_state
        writer = backbone.writer_of(kept, small_writer_tokenizer())
        found = writer.logits(Hidden(states, batch_of(IDS, MASK), lambda x, _: x), LABELS)
        again = whole(input_ids=IDS, attention_mask=MASK).logits
        loss = whole(input_ids=IDS, attention_mask=MASK, labels=LABELS).loss
    rows, places = (LABELS != NO_LABEL).nonzero(as_tuple=True)
    torch.testing.assert_close(found, expected[rows, places - 1], rtol=1e-4, atol=1e-5)
    assert torch.equal(again, expected)
    torch.testing.assert_close(cross_entropy(found, LABELS[rows, places]), loss)


def test_no_target_has_no_logits_and_yet_a_gradient() -> None:
    backbone, kept = Decoder(name="x"), random_decoder("llama")
    encoder = backbone.encoder_of(backbone.kept(kept))
    states = encoder(input_ids=IDS, attention_mask=MASK).last_hidden_state
    writer = backbone.writer_of(kept, small_writer_tokenizer())
    nothing = torch.full_like(LABELS, NO_LABEL)
    found = writer.logits(Hidden(states, batch_of(IDS, MASK), lambda x, _: x), nothing)
    assert found.shape == (0, 60)
    found.sum().backward()
    assert all(p.grad is not None for p in kept.parameters())


def test_it_writes_what_generate_writes() -> None:
    whole = random_decoder("qwen2")
    writer = Decoder(name="x").writer_of(whole, small_writer_tokenizer())
    found = writer.write(batch_of(IDS, MASK), Greedy(max_new_tokens=5), seeds=np.zeros(2, np.int64))
    for row, ids in enumerate(found):
        prompt = IDS[row : row + 1, : int(MASK[row].sum())]
        expected = whole.generate(prompt, max_new_tokens=5, do_sample=False)[0, prompt.shape[1] :]
        assert ids == [one for one in expected.tolist() if one != 1]
