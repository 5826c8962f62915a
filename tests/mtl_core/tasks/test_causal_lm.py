"""Causal language modelling: loss and perplexity are those of Transformers, and errors are told."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from transformers import GPT2Config, GPT2LMHeadModel

from mtl_core.data.batching import make_batch
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.example import Example
from mtl_core.errors import ConfigError
from mtl_core.model.backbones.tokenizer import load_tokenizer
from mtl_core.model.writers.causal import CausalWriter
from mtl_core.tasks.causal_lm import CausalLm
from mtl_core.tasks.hidden import Hidden, HiddenSize
from mtl_core.tasks.outcome import Outcome


def test_loss_and_scores_are_those_of_transformers(
    sample: dict[str, list[Example]], tiny_encoder: Path
) -> None:
    torch.manual_seed(0)
    tokenizer = load_tokenizer(str(tiny_encoder))
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=2, n_head=2, n_positions=32)
    model = GPT2LMHeadModel(config).eval()
    section = CausalLm(dataset="d", chunk=16)
    column = section.column_in("d", "lm")
    split = section.layout(reads_targets=True).encode(
        sample["train"][:30], tokenizer, [column], {"lm": NoLabels()}, max_length=32
    )
    batch = make_batch(split, np.arange(len(split)), pad_token_id=0)
    task = section.build("lm", NoLabels())
    head = task.make_head(HiddenSize(16, writer=CausalWriter(model, model.transformer, tokenizer)))
    with torch.no_grad():
        states = model.transformer(
            batch.token_ids, attention_mask=batch.attention_mask
        ).last_hidden_state
        logits = head(Hidden(states, batch, lambda *_: states))
        # Transformers' loss of each row, all of which are full but the last: theirs is a mean.
        rows = [torch.tensor(split.token_ids.row(row)[None]).long() for row in range(len(split))]
        means = torch.stack([model(row, labels=row).loss for row in rows])
    assert not list(head.parameters())
    torch.testing.assert_close(head.loss_sum(logits, batch.labels["lm"], batch), means.sum())
    counts = torch.tensor([row.shape[1] - 1 for row in rows])
    assert len(counts.unique()) == 2
    outcome = Outcome(head.decode(logits, batch), split.gold("lm"))
    scores = task.score(task.finish(head, outcome))
    perplexity = math.exp(((means * counts).sum() / counts.sum()).item())
    assert scores["perplexity"] == pytest.approx(perplexity, rel=1e-5)
    text = sum(len(tokenizer.decode(row[0, 1:]).encode()) for row in rows)
    bits = (means * counts).sum().item() / math.log(2)
    assert scores["bits_per_byte"] == pytest.approx(bits / text, rel=1e-5)
    guesses = [model(row).logits[0, :-1].argmax(-1) == row[0, 1:] for row in rows]
    assert scores["accuracy"] == pytest.approx(torch.cat(guesses).float().mean().item())


def test_a_model_that_does_not_write_is_refused() -> None:
    task = CausalLm(dataset="d").build("lm", NoLabels())
    with pytest.raises(ConfigError, match=r"^run\.tasks\.lm\.kind: causal_lm needs a model that"):
        task.make_head(HiddenSize(8))


@pytest.mark.parametrize(
    "settings", [{"head": {"kind": "mlp"}}, {"learning_rate": 0.1}, {"freeze_head": True}]
)
def test_settings_of_layers_that_it_has_not_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=f"{next(iter(settings))}: kind causal_lm has no lay"):
        CausalLm.model_validate({"dataset": "d", **settings})
    assert CausalLm.model_validate(CausalLm(dataset="d").model_dump()) == CausalLm(dataset="d")
