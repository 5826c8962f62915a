"""Written texts: what `generate` writes row by row, whatever stands beside a row."""

from collections.abc import Sequence
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from small_writers import DECODERS, ENCODER_DECODERS, WORDS, small_writer, small_writer_tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from mtl_core.data.arrays import Int64Array
from mtl_core.data.batching import Batch, WordPlaces
from mtl_core.model.attention import use_fast_attention
from mtl_core.model.writers.generating import write_texts
from mtl_core.model.writers.next_token import SeededDraw
from mtl_core.tasks.decoding.base import Decoding
from mtl_core.tasks.decoding.beam import Beam
from mtl_core.tasks.decoding.greedy import Greedy
from mtl_core.tasks.decoding.sample import Sample

FAMILIES = [*DECODERS, *ENCODER_DECODERS]

PROMPTS = [[5, 9, 30], [7, 7], [40, 12, 33, 21, 8], [11, 50], [6, 20, 31]]
LONG = [5, 9, 30, 7, 12, 33, 21, 8, 40, 17, 22, 6]
OTHER = [40, 12, 33, 21, 8, 50]
ALIKE = [LONG[:3], OTHER, LONG, [11, 50], LONG[:7], OTHER[:2], LONG[:8], OTHER[:1]]
"""Two dialogues, one turn after the other, and a prompt that has nothing to do with them."""
SETTINGS = [
    (
        Greedy(max_new_tokens=9, min_new_tokens=5, repetition_penalty=1.5, no_repeat_ngram=2),
        {"max_new_tokens": 9, "min_new_tokens": 5, "repetition_penalty": 1.5,
         "no_repeat_ngram_size": 2},
    ),
    (
        Beam(max_new_tokens=9, beams=3, length_penalty=0.4),
        {"max_new_tokens": 9, "num_beams": 3, "length_penalty": 0.4},
    ),
]  # fmt: skip


def batch_of(rows: Sequence[Sequence[int]]) -> Batch:
    """Returns prompts as a batch, padded on the right."""
    width = max(map(len, rows))
    token_ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    mask = (torch.arange(width) < torch.tensor([[len(row)] for row in rows])).long()
    nothing = torch.zeros(len(rows), 0, dtype=torch.int64)
    return Batch(token_ids, mask, WordPlaces(nothing, nothing, nothing.bool(), nothing), {})


def written(
    model: PreTrainedModel,
    rows: Sequence[Sequence[int]],
    decoding: Decoding,
    *,
    seeds: Sequence[int] = (),
    **special: str | None,
) -> list[list[int]]:
    numbers: Int64Array = np.array(seeds or [0] * len(rows))
    tokenizer = small_writer_tokenizer(**special)
    return write_texts(model, tokenizer, batch_of(rows), decoding, seeds=numbers)


def generated(model: PreTrainedModel, row: Sequence[int], **settings: Any) -> list[int]:
    """Returns what Transformers writes for one prompt, up to the end token."""
    found = model.generate(torch.tensor([row]), **settings)[0].tolist()  # type: ignore[operator]
    text: list[int] = found[1 if model.config.is_encoder_decoder else len(row) :]
    return text[: text.index(1)] if 1 in text else text


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("decoding", "settings"), SETTINGS, ids=["limits", "beam"])
@pytest.mark.parametrize("prompts", [PROMPTS, ALIKE], ids=["apart", "alike"])
def test_texts_are_those_that_generate_writes_row_by_row(
    family: str, decoding: Decoding, settings: dict[str, Any], prompts: list[list[int]]
) -> None:
    model = small_writer(family)
    found = written(model, prompts, decoding)
    assert found == [generated(model, row, **settings) for row in prompts]
    assert len({tuple(row) for row in found}) > 2  # Else texts say nothing of their prompts.


@pytest.mark.parametrize(("family", "calls"), [("llama", 1), ("t5", 1), ("gpt2", 2)])
def test_prompts_of_any_length_are_written_together(
    family: str, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for those whose texts end with the positions: of `gpt2` here the one of 37 tokens."""
    model = small_writer(family)
    generate = Mock(wraps=model.generate)
    monkeypatch.setattr(model, "generate", generate)
    rows = [*PROMPTS, [5] * 37] if family == "gpt2" else PROMPTS
    written(model, rows, Greedy(max_new_tokens=9))
    assert generate.call_count == calls


def test_a_model_that_takes_no_positions_gets_no_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_writer("llama")
    expected = written(model, PROMPTS, Greedy(max_new_tokens=9))
    forward = model.forward

    def without_positions(
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Any = None,
        **others: Any,
    ) -> Any:
        assert attention_mask is None or attention_mask.all()
        return forward(
            input_ids, attention_mask=attention_mask, past_key_values=past_key_values, **others
        )

    monkeypatch.setattr(model, "forward", without_positions)
    assert written(model, PROMPTS, Greedy(max_new_tokens=9)) == expected


def test_some_texts_end_before_they_must() -> None:
    found = written(small_writer("bart"), PROMPTS, Greedy(max_new_tokens=20))
    assert len({len(row) for row in found}) > 1


@pytest.mark.parametrize("family", ["llama", "t5"])
@pytest.mark.parametrize("decoding", [Sample(max_new_tokens=8, top_k=20), Beam(max_new_tokens=8)])
def test_a_text_is_the_same_whatever_stands_beside_it(family: str, decoding: Decoding) -> None:
    model, seeds = small_writer(family), [3, 1, 4, 1, 5]
    together = written(model, PROMPTS, decoding, seeds=seeds)
    turned = written(model, PROMPTS[::-1], decoding, seeds=seeds[::-1])
    alone = [
        written(model, [row], decoding, seeds=[seed])[0]
        for row, seed in zip(PROMPTS, seeds, strict=True)
    ]
    assert together == turned[::-1] == alone


def test_a_seed_makes_a_text_and_another_one_another() -> None:
    model, rows = small_writer("llama"), [PROMPTS[0]] * 3
    one, same, other = written(model, rows, Sample(max_new_tokens=8), seeds=[1, 1, 2])
    assert one == same != other


def test_tokens_are_drawn_by_their_probabilities() -> None:
    logits = torch.tensor([0.5, -1.0, 2.0, float("-inf"), 1.2, 0.0])
    count = 20_000
    scores = logits.expand(count, -1)
    drawn = SeededDraw(np.arange(count))(torch.zeros(count, 1), scores).argmax(dim=1)
    shares = torch.bincount(drawn, minlength=6) / count
    expected = logits.softmax(dim=0)
    # Four standard deviations of a share.
    assert ((shares - expected).abs() <= 4 * (expected * (1 - expected) / count).sqrt()).all()
    assert shares[3] == 0


@pytest.mark.parametrize(
    "settings",
    [{"temperature": 0.6}, {"top_k": 4}, {"top_p": 0.7}, {"min_p": 0.2},
     {"temperature": 1.4, "top_k": 12, "top_p": 0.8, "min_p": 0.05}],
)  # fmt: skip
def test_sampling_sees_the_scores_that_generate_would_draw_from(settings: dict[str, Any]) -> None:
    model, prompt = small_writer("llama"), torch.tensor([PROMPTS[2]])
    expected = model.generate(  # type: ignore[operator]
        prompt, do_sample=True, max_new_tokens=1, output_scores=True,
        return_dict_in_generate=True, **{"top_k": 0, **settings},
    ).scores[0]  # fmt: skip
    scores = model(prompt).logits[:, -1].float()
    for warper in Sample.model_validate(settings).warpers():
        scores = warper(prompt, scores)
    torch.testing.assert_close(scores, expected)
    assert not model.generation_config.do_sample


def test_a_text_ends_where_a_string_says() -> None:
    model, rows = small_writer("llama"), PROMPTS
    tokenizer = small_writer_tokenizer()
    whole = written(model, rows, Greedy(max_new_tokens=12))
    texts = [tokenizer.decode(row) for row in whole]
    stop = texts[0][3:5]
    decoding = Greedy(max_new_tokens=12, stop=(stop, "nowhere"))
    found = written(model, rows, decoding)
    assert [decoding.cut(tokenizer.decode(row)) for row in found] == [
        text.split(stop)[0] for text in texts
    ]
    # Nothing is written behind the token that completes it, also where others go on.
    assert stop in tokenizer.decode(found[0])
    assert stop not in tokenizer.decode(found[0][:-1])
    # Also where no token ends a text, so that `generate` goes on with rows that have ended.
    endless = written(model, rows, decoding, eos_token=None)
    assert endless[0] == found[0]


def test_without_an_end_token_texts_have_the_longest_length() -> None:
    model = small_writer("gpt2", eos_token_id=None)
    for decoding in (Greedy(max_new_tokens=6), Beam(max_new_tokens=6)):
        assert [len(row) for row in written(model, PROMPTS, decoding, eos_token=None)] == [6] * 5


def test_a_text_ends_with_the_positions_of_the_model() -> None:
    model = small_writer("gpt2", eos_token_id=None)
    rows = [[5] * 40, [5] * 37, [5] * 2]
    found = written(model, rows, Greedy(max_new_tokens=10, min_new_tokens=4), eos_token=None)
    assert [len(row) for row in found] == [0, 3, 10]


def test_positions_behind_the_id_of_padding_are_not_all_there() -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = AutoConfig.for_model(
        "roberta", vocab_size=WORDS, intermediate_size=16, max_position_embeddings=12,
        is_decoder=True, pad_token_id=1, bos_token_id=0, eos_token_id=None, **sizes,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).eval()
    # Twelve rows, of which the first two stand for nothing and for padding.
    found = written(model, [[5] * 4], Greedy(max_new_tokens=20), eos_token=None)
    assert [len(row) for row in found] == [6]


def test_a_model_of_other_habits_writes_as_the_study_says() -> None:
    model = small_writer("bart")
    expected = written(model, PROMPTS, Greedy(max_new_tokens=8))
    habits = GenerationConfig.from_dict(
        model.generation_config.to_dict()
        | {"num_beams": 4, "min_length": 7, "max_length": 9, "no_repeat_ngram_size": 2,
           "repetition_penalty": 2.0, "do_sample": True, "top_k": 3}
    )  # fmt: skip
    model.generation_config = habits
    assert written(model, PROMPTS, Greedy(max_new_tokens=8)) == expected
    assert model.generation_config is habits


def test_other_end_tokens_count_where_they_are_special() -> None:
    model = small_writer("llama")
    [text] = written(model, PROMPTS[:1], Greedy(max_new_tokens=12))
    model.generation_config.eos_token_id = [1, text[4]]
    # A word of the tokenizer: the model's settings were made for another one.
    assert written(model, PROMPTS[:1], Greedy(max_new_tokens=12)) == [text]
    word = small_writer_tokenizer().convert_ids_to_tokens(text[4])
    ended = written(model, PROMPTS[:1], Greedy(max_new_tokens=12), unk_token=word)
    assert ended == [text[: text.index(text[4])]]


@pytest.mark.parametrize("family", ["llama", "gpt2", "bart"])
def test_fast_attention_and_dropout_write_the_same(family: str) -> None:
    plain, fast = small_writer(family), small_writer(family)
    use_fast_attention(fast.get_decoder())
    rows = [*PROMPTS, list(np.arange(3, 25) % WORDS)]
    for decoding in (Greedy(max_new_tokens=9), Beam(max_new_tokens=9)):
        assert written(fast, rows, decoding) == written(plain, rows, decoding)
