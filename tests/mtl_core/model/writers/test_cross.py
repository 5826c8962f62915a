"""The writer of encoder-decoders, against what Transformers makes of the same model."""

import copy
import pickle

import numpy as np
import pytest
import torch
from seq2seq_models import FAMILIES, tiny_seq2seq
from small_writers import WORDS, small_writer_tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from mtl_core.data.arrays import NO_LABEL
from mtl_core.data.batching import Batch, WordPlaces
from mtl_core.errors import ConfigError
from mtl_core.model.writers.cross import CrossWriter, shifted
from mtl_core.tasks.decoding.greedy import Greedy
from mtl_core.tasks.states import Hidden

VOCABULARY = 60
LABELS = torch.tensor([[7, 8, 9, 3], [12, 3, NO_LABEL, NO_LABEL], [NO_LABEL] * 4])
"""Targets of three rows; the last one has none."""


def sources() -> tuple[Tensor, Tensor]:
    """Returns token ids and mask of three sources, (3, 6)."""
    ids = torch.tensor([[2, 11, 12, 13, 14, 3], [2, 21, 22, 3, 0, 0], [2, 31, 3, 0, 0, 0]])
    return ids, (ids != 0).long()


def batch_of(ids: Tensor, mask: Tensor) -> Batch:
    nothing = torch.zeros(len(ids), 0, dtype=torch.long)
    return Batch(ids, mask, WordPlaces(nothing, nothing, nothing.bool(), nothing.sum(1)), {})


def hidden_of(encoder: PreTrainedModel) -> Hidden:
    ids, mask = sources()
    states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    return Hidden(states, batch_of(ids, mask), lambda tokens, mask: tokens[:, 0])


def parts(family: str) -> tuple[PreTrainedModel, PreTrainedModel, CrossWriter]:
    """Returns the whole, its encoder and the writer."""
    whole = tiny_seq2seq(family, vocabulary=VOCABULARY)
    encoder = whole.get_encoder()
    return whole, encoder, CrossWriter(whole, encoder, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore:Version v4.12.0:FutureWarning")
def test_loss_is_that_of_transformers(family: str) -> None:
    whole, encoder, writer = parts(family)
    ids, mask = sources()
    # mBART takes the last token for the first: what stands in front is given in its case.
    given = {"decoder_input_ids": shifted(LABELS, 3)} if family == "mbart" else {}
    expected = whole(input_ids=ids, attention_mask=mask, labels=LABELS, **given).loss
    logits = writer.logits(hidden_of(encoder), LABELS)
    assert logits.shape == (6, VOCABULARY)
    loss = cross_entropy(logits, LABELS[LABELS != NO_LABEL])
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("family", ["t5", "bart", "encoder-decoder"])
def test_only_targets_come_to_the_output_layer(family: str) -> None:
    whole, encoder, writer = parts(family)
    seen: list[torch.Size] = []
    output = whole.get_output_embeddings()
    output.register_forward_hook(lambda module, args, found: seen.append(found.shape))
    writer.logits(hidden_of(encoder), LABELS)
    assert seen == [torch.Size([6, VOCABULARY])]


def test_padding_behind_a_target_changes_nothing() -> None:
    _, encoder, writer = parts("t5")
    hidden = hidden_of(encoder)
    wider = torch.cat([LABELS, torch.full((3, 5), NO_LABEL)], dim=1)
    torch.testing.assert_close(writer.logits(hidden, wider), writer.logits(hidden, LABELS))


@pytest.mark.parametrize("width", [0, 4])
def test_no_target_at_all_is_no_logits_that_hang_on_all_weights(width: int) -> None:
    _, encoder, writer = parts("bart")
    logits = writer.logits(hidden_of(encoder), torch.full((3, width), NO_LABEL))
    assert logits.shape == (0, VOCABULARY)
    logits.sum().backward()
    lacking = [name for name, p in writer.named_parameters() if p.grad is None]
    assert not lacking


@pytest.mark.parametrize("family", FAMILIES)
def test_writer_and_encoder_together_have_every_weight_once(family: str) -> None:
    whole, encoder, writer = parts(family)
    inside = {*encoder.parameters()}
    assert inside | {*writer.parameters()} == {*whole.parameters()}
    names = {name.removeprefix("decoder.") for name in writer.state_dict()}
    assert names < {*whole.state_dict()}
    assert not any(name.startswith(("encoder.", "model.encoder.")) for name in names)


def test_a_buffer_that_moves_moves_in_the_whole() -> None:
    whole, _, writer = parts("marian")
    writer.to(torch.float64)  # as going to a device would
    assert whole.final_logits_bias.dtype == torch.float64


@pytest.mark.parametrize("again", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_are_whole(again) -> None:
    _, encoder, writer = parts("t5")
    other_encoder, other = again((encoder, writer))
    expected = writer.logits(hidden_of(encoder), LABELS)
    torch.testing.assert_close(other.logits(hidden_of(other_encoder), LABELS), expected)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    torch.testing.assert_close(writer.logits(hidden_of(encoder), LABELS), expected)
    assert not other.logits(hidden_of(other_encoder), LABELS).any()


@pytest.mark.parametrize("family", ["t5", "bart", "encoder-decoder"])
def test_texts_are_those_of_generate(family: str) -> None:
    whole = tiny_seq2seq(family, vocabulary=WORDS)
    tokenizer = small_writer_tokenizer(sep_token="<s>")
    writer = CrossWriter(whole, whole.get_encoder(), tokenizer)
    ids, mask = sources()
    found = writer.write(
        batch_of(ids, mask), Greedy(max_new_tokens=5, min_new_tokens=5), seeds=np.zeros(3)
    )
    ends = {"eos_token_id": 1, "pad_token_id": 0}
    for row, text in enumerate(found):
        one = ids[row : row + 1, : mask[row].sum()]
        expected = whole.generate(one, max_new_tokens=5, min_new_tokens=5, **ends)
        assert text == expected[0, 1:].tolist()


def test_targets_are_shifted_by_one() -> None:
    found = shifted(torch.tensor([[7, 8, 3, NO_LABEL, NO_LABEL]]), 2)
    assert found[0, :3].tolist() == [2, 7, 8]
    assert (found >= 0).all()


def test_a_model_without_a_first_token_is_refused() -> None:
    whole = tiny_seq2seq("t5")
    for settings in (whole.config, whole.generation_config):
        settings.decoder_start_token_id = settings.bos_token_id = None
    with pytest.raises(ConfigError, match="names no token that texts begin with"):
        CrossWriter(whole, whole.get_encoder(), None)  # type: ignore[arg-type]
