"""Word dropout: which words are hidden, that the rest stays, and that a run reads dev whole."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RunConfigFactory
from pydantic import ValidationError
from small_decoders import save_decoder

from mtl_core.assets import build_collator, load_data
from mtl_core.config import RunConfig
from mtl_core.data.batching import Batch, make_batch
from mtl_core.data.collate import Collator
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.word_dropout import WordDropout
from mtl_core.errors import ConfigError
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.run import Run

SHARE = 0.25
SEED = (3, 1)


@pytest.fixture(scope="module")
def config(run_config: RunConfigFactory) -> RunConfig:
    return run_config({"training.word_dropout": SHARE})


@pytest.fixture(scope="module")
def train(config: RunConfig) -> EncodedSplit:
    return load_data(config).datasets["corpus"].splits["train"]


@pytest.fixture(scope="module")
def collator(config: RunConfig) -> Collator:
    return build_collator(config, load_data(config).tokenizer)


def hidden_words(collator: Collator, plain: Batch, changed: Batch) -> list[list[int]]:
    """The hidden words of each row, by looking at every place; all others are unchanged."""
    assert collator.word_dropout is not None
    mask, found = collator.word_dropout.mask_id, []
    for row in range(len(plain.token_ids)):
        places: dict[int, int] = {}
        for word in np.flatnonzero(plain.words.is_there[row]):
            span = range(int(plain.words.starts[row, word]), int(plain.words.ends[row, word]))
            places |= dict.fromkeys(span, int(word))
        is_hidden: dict[int, set[bool]] = {}
        for place, (old, new) in enumerate(
            zip(plain.token_ids[row].tolist(), changed.token_ids[row].tolist(), strict=True)
        ):
            if place in places:
                is_hidden.setdefault(places[place], set()).add(new == mask)
            assert new == old or (new == mask and place in places)
        # A word is hidden as a whole, or not at all.
        assert all(len(kinds) == 1 for kinds in is_hidden.values())
        found.append([word for word, kinds in is_hidden.items() if kinds == {True}])
    return found


def test_whole_words_are_hidden_and_nothing_else(collator: Collator, train: EncodedSplit) -> None:
    rows = np.arange(len(train))
    plain = make_batch(train, rows, pad_token_id=collator.pad_token_id)
    # Words of several sub-words are among them, or this would show less.
    assert (plain.words.ends - plain.words.starts).max() > 3
    hidden, words = 0, 0
    for epoch in range(1, 21):
        changed = collator(train, rows, seed=(0, epoch))
        hidden += sum(map(len, hidden_words(collator, plain, changed)))
        words += int(plain.words.is_there.sum())
        for task, labels in plain.labels.items():
            assert torch.equal(changed.labels[task], labels)
    # Binomial: 4 standard deviations.
    assert abs(hidden / words - SHARE) < 4 * (SHARE * (1 - SHARE) / words) ** 0.5


def test_what_is_hidden_depends_on_seed_and_row_alone(
    collator: Collator, train: EncodedSplit
) -> None:
    lengths = train.token_ids.lengths()
    short, long = int(lengths.argmin()), int(lengths.argmax())
    alone = collator(train, np.array([short]), seed=SEED).token_ids[0]
    beside = collator(train, np.array([long, short]), seed=SEED).token_ids[1]
    assert torch.equal(beside[: len(alone)], alone)
    rows = np.arange(len(train))
    first = collator(train, rows, seed=SEED).token_ids
    assert torch.equal(collator(train, rows, seed=SEED).token_ids, first)
    for other in ((3, 2), (4, 1)):
        assert not torch.equal(collator(train, rows, seed=other).token_ids, first)


def test_evaluations_read_whole_texts(collator: Collator, train: EncodedSplit) -> None:
    rows = np.arange(len(train))
    plain = make_batch(train, rows, pad_token_id=collator.pad_token_id)
    assert torch.equal(collator(train, rows, seed=()).token_ids, plain.token_ids)


def test_words_that_were_cut_off_are_not_hidden(config: RunConfig) -> None:
    short = config.model_copy(
        update={"encoder": config.encoder.model_copy(update={"max_length": 8})}
    )
    data = load_data(short)
    split, rows = data.datasets["corpus"].splits["train"], np.arange(20)
    whole = WordDropout.of(data.tokenizer, share=1 - 1e-12)
    assert whole is not None
    plain = make_batch(split, rows, pad_token_id=0)
    assert not plain.words.is_there.all()
    changed = whole(plain, rows, seed=SEED)
    is_hidden = changed.token_ids == whole.mask_id
    lengths = plain.words.ends - plain.words.starts
    assert int(is_hidden.sum()) == int(lengths[plain.words.is_there].sum())
    # The special tokens at both ends of each row stay.
    ends = plain.attention_mask.sum(dim=1) - 1
    assert not is_hidden[:, 0].any()
    assert not is_hidden[torch.arange(len(rows)), ends].any()


def test_the_mask_token_trains_with_the_words(run_config: RunConfigFactory) -> None:
    """Word embeddings train by the rows of a step, of which the mask token has to be one."""
    for share, is_moved in ((0.0, False), (SHARE, True)):
        settings = {"training.word_dropout": share, "optimizer.weight_decay": 0}
        run = Run(run_config(settings), Mean())
        mask = run.assets.data.tokenizer.mask_token_id
        weight = run.state.model.encoder.get_input_embeddings().weight
        before = weight[mask].detach().clone()
        for _ in run.run_epoch(1):
            assert torch.equal(weight[mask], before) != is_moved


def test_nothing_is_hidden_where_a_task_hides_words_itself(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("one two three four five\n" * 40, encoding="utf-8")
    splits = dict.fromkeys(("train", "dev"), str(tmp_path / "text.txt"))
    settings = {
        "datasets.text": {"kind": "lines", "splits": splits},
        "tasks.words": {"kind": "masked_lm", "dataset": "text", "chunk": 16},
    }
    found = []
    for share in (0.0, 0.9):
        config = run_config({**settings, "training.word_dropout": share})
        data = load_data(config)
        split = data.datasets["text"].splits["train"]
        found.append(build_collator(config, data.tokenizer)(split, np.arange(4), seed=SEED))
    assert torch.equal(found[0].token_ids, found[1].token_ids)


def test_who_cannot_hide_words_is_told(
    run_config: RunConfigFactory,
    config: RunConfig,
    tmp_path: Path,
    sample: dict[str, list[Example]],
) -> None:
    tokenizer = load_data(config).tokenizer
    tokenizer.mask_token = None
    with pytest.raises(ConfigError, match=r"training\.word_dropout: needs a tokenizer with a mask"):
        WordDropout.of(tokenizer, share=0.1)
    assert WordDropout.of(tokenizer, share=0.0) is None
    save_decoder(tmp_path, "gpt2", sample["train"])
    decoder = {"kind": "decoder", "name": str(tmp_path)}
    assert run_config({"encoder": decoder}).training.word_dropout == 0
    with pytest.raises(
        ValidationError, match=r"word_dropout: with encoder\.kind decoder a word is"
    ):
        run_config({"encoder": decoder, "training.word_dropout": 0.1})
