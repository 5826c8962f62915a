"""Generation: loss and scores are those of the libraries, and what cannot be is told."""

from typing import Any

import numpy as np
import pytest
import torch
from letter_tokenizers import STOP, letters
from pydantic import ValidationError
from sacrebleu.metrics.bleu import BLEU
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.modeling_outputs import CausalLMOutput
from transformers.trainer_pt_utils import LabelSmoother

from mtl_core.data.batching import Batch, make_batch
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.messages import Message
from mtl_core.errors import ConfigError
from mtl_core.model.writers.causal import CausalWriter
from mtl_core.model.writers.generating import end_tokens
from mtl_core.tasks.base import Head
from mtl_core.tasks.generation import Generation
from mtl_core.tasks.hidden import Hidden, HiddenSize
from mtl_core.tasks.outcome import Outcome

TURNS = tuple(
    Message(role, text)
    for role, text in [("user", "hi"), ("assistant", "who ?"), ("user", "me"), ("assistant", "ok")]
)
EXAMPLES = [
    Example(("a", "long", "text"), {"reply": "short"}),
    Example(("hi", "who", "me", "ok"), {"reply": ("who ?", "ok")}, messages=TURNS),
    Example(("nothing",)),
]


def section(**settings: Any) -> Generation:
    return Generation.model_validate({"dataset": "d", "column": "reply", **settings})


@pytest.fixture(scope="module")
def model() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=300, n_embd=16, n_layer=2, n_head=2)).eval()


def made(model: GPT2LMHeadModel, **settings: Any) -> tuple[EncodedSplit, Batch, Head, Tensor]:
    """Returns the examples as rows and as a batch, a head, and its logits."""
    one = section(**settings)
    split = one.layout(reads_targets=True).encode(
        EXAMPLES, letters(), [one.column_in("d", "t")], {"t": NoLabels()}, max_length=200
    )
    batch = make_batch(split, np.arange(len(split)), pad_token_id=0)
    writer = CausalWriter(model, model.transformer, letters())
    head = one.build("t", NoLabels()).make_head(HiddenSize(16, writer=writer))
    states = model.transformer(batch.token_ids, attention_mask=batch.attention_mask)
    logits = head(Hidden(states.last_hidden_state, batch, lambda *_: states.last_hidden_state))
    return split, batch, head, logits


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("chat", [False, True])
def test_loss_is_that_of_transformers_over_targets_alone(
    chat: bool, smoothing: float, model: GPT2LMHeadModel
) -> None:
    split, batch, head, logits = made(model, chat=chat, label_smoothing=smoothing)
    smoother = LabelSmoother(epsilon=smoothing)
    rows = []
    for number in (0, 1):
        ids = torch.tensor(split.token_ids.row(number)[None]).long()
        labels = torch.tensor(split.labels["t"].row(number)[None]).long()  # type: ignore[union-attr]
        found = CausalLMOutput(logits=model(ids).logits)
        rows.append(smoother(found, labels, shift_labels=True))
    loss = head.loss_sum(logits, batch.labels["t"], batch)
    torch.testing.assert_close(loss, torch.stack(rows).sum())
    assert not list(head.parameters())


def test_scores_are_of_the_texts_as_they_stand_in_the_data(model: GPT2LMHeadModel) -> None:
    split, batch, head, logits = made(model)
    task = section(scores=["bleu", "exact_match"]).build("t", NoLabels())
    # Nothing was written for the first row.
    decoded, written = head.decode(logits.detach(), batch), {1: ("who then ?", "ok")}
    outcome = Outcome(decoded, split.gold("t"), split.source, written)
    scores = task.score(task.collect(outcome))
    expected = BLEU(force=True).corpus_score(["who then ?", "ok"], [["who ?", "ok"]]).score / 100
    assert list(scores) == ["bleu", "exact_match", "token_accuracy", "perplexity"]
    assert scores["bleu"] == pytest.approx(expected)
    assert scores["exact_match"] == 0.5
    loss = sum(row[0] for row in outcome.predicted) / sum(row[2] for row in outcome.predicted)
    assert scores["perplexity"] == pytest.approx(np.exp(loss))
    assert task.is_right(outcome) is None


def test_the_end_of_a_reply_in_the_chat_template_ends_a_text(model: GPT2LMHeadModel) -> None:
    tokenizer = letters()
    stop = tokenizer.convert_tokens_to_ids(STOP)
    assert stop not in tokenizer.all_special_ids  # as with Qwen's base models, whose end is another
    split, *_ = made(model, chat=True)
    assert split.gold("t")[0][-1] == stop
    assert {stop, tokenizer.eos_token_id} <= set(end_tokens(model, tokenizer))


def test_its_prompt_reads_columns_of_the_data() -> None:
    column = section(prompt="{to}: {text} {text_pair} ({from}, {to})").column_in("d", "t")
    assert dict(column.reads) == {"reply": "target", "to": "target", "from": "target"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompt": "Sum up"}, "prompt: it names no column, so that it would be the same for"),
        ({"prompt": "{}"}, r"prompt: expected names of columns in braces, such as \{text\}"),
        ({"prompt": "{a!r}"}, "prompt: expected names of columns in braces"),
        ({"prompt": "{a"}, r"prompt: expected '}' before end of string; write \{\{ or \}\} for"),
        ({"prompt": "{text} {reply}"}, "prompt: 'reply' is what is to be written; leave it out"),
        ({"column": ""}, "column: expected the column of the text to write, found none"),
        ({"column": {"d": "x", "e": ""}}, "column: expected the column of the text to write"),
        ({"scores": ["bleu", "bleu"]}, "scores: each can be there once; found bleu, bleu"),
        ({"scores": []}, "scores\n"),
        ({"scores": ["richness", "bleu"]}, "scores: richness has no highest value"),
        ({"head": {"kind": "mlp"}}, "head: kind generation has no layers of its own"),
    ],
)
def test_what_it_cannot_be_is_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        section(**settings)


def test_a_model_that_does_not_write_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^run\.tasks\.t\.kind: generation needs a model that"):
        section().build("t", NoLabels()).make_head(HiddenSize(8))
