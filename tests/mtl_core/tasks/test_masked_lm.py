"""Running text: chunks, whole-word masking, and the loss of hidden sub-words."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast

from mtl_core.data.batching import Batch, make_batch
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.columns.text import TextColumn
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.layouts.chunks import Chunks
from mtl_core.errors import ConfigError
from mtl_core.model.backbones.tokenizer import load_tokenizer
from mtl_core.tasks.hidden import Hidden, HiddenSize, Vocabulary
from mtl_core.tasks.masked_lm import MaskedLm, Masking
from mtl_core.tasks.outcome import Outcome

COLUMN = TextColumn("mlm", "")


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(tiny_encoder))


@pytest.fixture(scope="module")
def chunks(sample: dict[str, list[Example]], tokenizer: PreTrainedTokenizerFast) -> EncodedSplit:
    labels = {"mlm": NoLabels()}
    return Chunks(32).encode(sample["train"][:600], tokenizer, [COLUMN], labels, max_length=64)


@pytest.fixture(scope="module")
def masking(tokenizer: PreTrainedTokenizerFast) -> Masking:
    return Masking.of(tokenizer, "mlm", probability=0.15)


def masked(split: EncodedSplit, masking: Masking, seed: int = 0) -> tuple[Batch, Batch]:
    rows = np.arange(len(split))
    batch = make_batch(split, rows, pad_token_id=0)
    return batch, masking(batch, rows, seed=(seed,))


def test_words_are_hidden_as_a_whole_and_as_often_as_asked(
    chunks: EncodedSplit, masking: Masking
) -> None:
    batch, hidden = masked(chunks, masking)
    is_hidden = hidden.labels["mlm"] != -100
    assert torch.equal(hidden.labels["mlm"][is_hidden], batch.token_ids[is_hidden])
    assert torch.equal(hidden.token_ids[~is_hidden], batch.token_ids[~is_hidden])
    for row in range(len(chunks)):
        count = 0
        for start, end in zip(chunks.word_starts.row(row), chunks.word_ends.row(row), strict=True):
            piece = is_hidden[row, start:end]
            assert piece.all() or not piece.any()
            count += bool(piece.any())
        assert count == max(1, round(0.15 * len(chunks.word_starts.row(row))))


def test_of_hidden_words_most_become_the_mask(chunks: EncodedSplit, masking: Masking) -> None:
    batch, hidden = masked(chunks, masking)
    is_hidden = hidden.labels["mlm"] != -100
    shown = hidden.token_ids[is_hidden]
    is_mask = (shown == masking.mask_id).float().mean().item()
    is_same = (shown == batch.token_ids[is_hidden]).float().mean().item()
    # 0.8 and 0.1 of some hundred words, give or take three standard deviations.
    deviation = 3 * math.sqrt(0.8 * 0.2 / (len(chunks) * 2))
    assert is_mask == pytest.approx(0.8, abs=deviation)
    assert is_same == pytest.approx(0.1, abs=deviation)


def test_what_is_hidden_depends_on_seed_and_row_alone(
    chunks: EncodedSplit, masking: Masking
) -> None:
    _, whole = masked(chunks, masking)
    rows = np.array([7, 3])
    part = masking(make_batch(chunks, rows, pad_token_id=0), rows, seed=(0,))
    for place, row in enumerate(rows):
        size = len(chunks.token_ids.row(row))
        assert torch.equal(part.token_ids[place, :size], whole.token_ids[row, :size])
    _, other = masked(chunks, masking, seed=1)
    assert not torch.equal(other.token_ids, whole.token_ids)


def test_tokenizer_without_a_mask_is_refused() -> None:
    class Plain:
        mask_token_id = None

    with pytest.raises(ConfigError, match=r"run.tasks.mlm.kind: masked_lm needs a tokenizer"):
        Masking.of(Plain(), "mlm", probability=0.1)  # type: ignore[arg-type]


def test_loss_and_scores_are_those_of_the_whole_vocabulary(
    chunks: EncodedSplit, masking: Masking
) -> None:
    torch.manual_seed(0)
    _, batch = masked(chunks, masking)
    embeddings = torch.nn.Embedding(masking.vocabulary, 6)
    task = MaskedLm(dataset="d", head={"dropout": 0}).build("mlm", NoLabels())
    head = task.make_head(HiddenSize(8, vocabulary=Vocabulary(embeddings)))
    tokens = torch.randn(*batch.token_ids.shape, 8)
    labels = batch.labels["mlm"]
    with torch.no_grad():
        logits = head(Hidden(tokens, batch, lambda *_: tokens))
        vectors = head.norm(torch.nn.functional.gelu(head.body(tokens)))  # type: ignore[operator]
        everywhere = vectors @ embeddings.weight.T
    each = cross_entropy(everywhere.transpose(1, 2), labels, reduction="none")
    is_hidden = labels != -100
    per_row = each.sum(dim=1) / is_hidden.sum(dim=1)
    torch.testing.assert_close(head.loss_sum(logits, labels, batch), per_row.sum())
    scores = task.score(Outcome(head.decode(logits, batch)))
    assert scores["perplexity"] == pytest.approx(math.exp(each[is_hidden].mean().item()), rel=1e-5)
    right = (everywhere.argmax(dim=-1) == labels)[is_hidden].float().mean().item()
    assert scores["accuracy"] == pytest.approx(right)


def test_output_weights_are_the_input_embeddings() -> None:
    embeddings = torch.nn.Embedding(20, 6)
    task = MaskedLm(dataset="d").build("mlm", NoLabels())
    head = task.make_head(HiddenSize(8, vocabulary=Vocabulary(embeddings)))
    assert all(parameter is not embeddings.weight for parameter in head.parameters())
    with pytest.raises(ConfigError, match=r"needs an encoder with word embeddings"):
        task.make_head(HiddenSize(8))
