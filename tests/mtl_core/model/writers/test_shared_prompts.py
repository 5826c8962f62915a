"""Prompts that begin alike are read once; what is written then, `test_generating.py` looks at."""

from typing import Any

import numpy as np
import pytest
import torch
from small_writers import WORDS, small_writer
from test_generating import ALIKE, LONG, OTHER, written
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from mtl_core.model.writers.shared_prompts import ends_of_chains, read_prompts
from mtl_core.tasks.decoding.base import Decoding
from mtl_core.tasks.decoding.beam import Beam
from mtl_core.tasks.decoding.greedy import Greedy
from mtl_core.tasks.decoding.sample import Sample

_BERT: dict[str, Any] = {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64,
}  # fmt: skip
OTHERS: dict[str, dict[str, Any]] = {
    "bloom": {"hidden_size": 24, "n_layer": 2, "n_head": 2},  # is told no positions
    "mistral": _BERT | {"num_key_value_heads": 1, "head_dim": 12, "sliding_window": 4},
    "lfm2": _BERT | {"num_key_value_heads": 1, "layer_types": ["conv", "full_attention"]},
    "openai-gpt": {"n_embd": 24, "n_layer": 2, "n_head": 2, "n_positions": 64},  # keeps nothing
    "roberta": _BERT | {"is_decoder": True},  # counts positions from the id of padding
}


def test_prompts_that_others_go_on_from() -> None:
    assert ends_of_chains([]).tolist() == []
    assert ends_of_chains(ALIKE).tolist() == [2, 1, 2, 3, 2, 1, 2, 1]


def test_nothing_goes_on_from_an_end_whatever_the_prompts() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        prompts = [rng.integers(2, size=rng.integers(1, 6)).tolist() for _ in range(8)]
        ends = [prompts[number] for number in ends_of_chains(prompts)]
        for prompt, end in zip(prompts, ends, strict=True):
            assert end[: len(prompt)] == prompt
            assert not [one for one in prompts if one != end and one[: len(end)] == end]


def test_what_is_drawn_is_the_same() -> None:
    model, seeds = small_writer("llama"), list(range(8))
    decoding = Sample(max_new_tokens=8, top_k=20)
    alone = [
        written(model, [row], decoding, seeds=[seed])[0]
        for row, seed in zip(ALIKE, seeds, strict=True)
    ]
    assert written(model, ALIKE, decoding, seeds=seeds) == alone


def read_by(model: PreTrainedModel, prompts: list[list[int]], decoding: Decoding) -> list[int]:
    """Returns how many tokens, padding among them, each pass through the decoder takes."""
    found: list[int] = []

    def count(_: Any, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        found.append((args[0] if args else kwargs["input_ids"]).numel())

    hook = model.get_decoder().register_forward_hook(count, with_kwargs=True)
    written(model, prompts, decoding)
    hook.remove()
    return found


def test_a_dialogue_is_read_once() -> None:
    model, turns = small_writer("llama"), [LONG[:length] for length in range(2, 13)]
    first, *others = read_by(model, turns, Greedy(max_new_tokens=3))
    assert first == len(LONG) - 1
    assert others == [len(turns)] * 3
    # Nothing is saved where no prompt begins with another.
    apart = read_by(model, [LONG, OTHER], Greedy(max_new_tokens=3))
    assert apart == [2 * len(LONG), 2, 2]


def test_turns_of_a_dialogue_are_written_together() -> None:
    """Also where others are of a length in between, and not all of them fit."""
    model, turns = small_writer("llama"), [LONG[:length] for length in range(5, 13)]
    others = [[31, number, *LONG[: number % 8]] for number in range(3, 27)]
    passes = read_by(model, [*others, *turns], Beam(max_new_tokens=2, beams=4))
    # Eight prompts of four beams at once: the turns are one of four groups.
    assert sum(one == len(LONG) - 1 for one in passes) == 1


@pytest.mark.parametrize("family", OTHERS)
def test_models_that_keep_or_count_otherwise(family: str) -> None:
    torch.manual_seed(0)
    special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
    sizes = {"vocab_size": WORDS, "initializer_range": 0.6, **special, **OTHERS[family]}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **sizes)).eval()
    # A prompt that stands there twice, too, which models without positions get side by side.
    prompts = [*ALIKE, ALIKE[0]]
    alone = [written(model, [prompt], Greedy(max_new_tokens=9))[0] for prompt in prompts]
    assert written(model, prompts, Greedy(max_new_tokens=9)) == alone
    assert len({tuple(row) for row in alone}) > 3


def test_a_model_that_keeps_a_window_reads_each_prompt() -> None:
    config = AutoConfig.for_model("mistral", vocab_size=WORDS, pad_token_id=0, **OTHERS["mistral"])
    model = AutoModelForCausalLM.from_config(config).eval()
    token_ids = torch.tensor([LONG, [0] * 5 + LONG[:7]])
    assert read_prompts(model, token_ids, (token_ids > 0).long(), width=1) is None
