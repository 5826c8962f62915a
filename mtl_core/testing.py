"""`check_task`: checks that a kind of task of your own keeps the contract of `mtl_core.tasks`.

Needs neither pytest nor a pretrained encoder: `check_task` makes a tokenizer from the words of the
examples, and random vectors for its sub-words.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from mtl_core.data.arrays import NO_LABEL, Int64Array
from mtl_core.data.batching import Batch
from mtl_core.data.collate import Collator
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.layouts.base import Layout
from mtl_core.data.words import Cut
from mtl_core.tasks.base import Head, Task, TaskSection
from mtl_core.tasks.building import build_task
from mtl_core.tasks.decoding.base import Decoding
from mtl_core.tasks.hidden import Hidden, HiddenSize, Vocabulary
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.tasks.outputs import TextView, to_plain, to_text
from mtl_core.tasks.writer import Writer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_WIDTH = 8
_MAX_LENGTH = 32
_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def check_task(section: TaskSection, examples: Sequence[Example], *, name: str = "task") -> None:
    """Takes a kind of task through all that a run, a saved model and a predictor ask of it.

    Args:
        section: Its settings; data sets are not read, so `dataset` may be any name.
        examples: A few texts, with labels in `section.column`; some without, if that is allowed.
        name: The task's name.

    Raises:
        AssertionError: It breaks the contract; the message says where and how.
        DataError: The examples are none for this kind.
    """
    # The caller's random numbers stay as they were, and every call draws the same weights.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        # What writes has to do so for decoders as well as for encoder-decoders.
        for writer in (_Answers, _GoesOn) if section.writes else (None,):
            bench = _Bench.of(section, examples, name, writer)
            _check_loss(bench)
            _check_decode(bench)
            _check_scores(bench)
            if bench.task.speaks and bench.task.writing is None:
                _check_says(bench, examples)


@dataclass(frozen=True, slots=True)
class _Bench:
    """A task with its head on encoded examples, and an encoder that is one random table.

    Attributes:
        task: The task.
        head: Its head.
        layout: How the examples become rows.
        split: The examples.
        collator: Makes batches.
        tokenizer: The tokenizer.
        table: A vector for each sub-word.
        size: What heads are made for.
    """

    task: Task
    head: Head
    layout: Layout
    split: EncodedSplit
    collator: Collator
    tokenizer: "PreTrainedTokenizerFast"
    table: nn.Embedding
    size: HiddenSize

    @classmethod
    def of(
        cls,
        section: TaskSection,
        examples: Sequence[Example],
        name: str,
        writer: "type[_Table] | None",
    ) -> "_Bench":
        column = section.column_in(section.datasets[0], name)
        _must(column.task_name == name, "make_column: the column has to carry the task's name")
        labels = column.collect({"train": examples, "dev": examples}, where="examples")
        tokenizer = _tokenizer(examples)
        layout = section.layout(reads_targets=writer is not None and writer.reads_targets)
        split = layout.encode(examples, tokenizer, [column], {name: labels}, max_length=_MAX_LENGTH)
        task = build_task(name, section, labels)
        _must(task.name == name, "build: the task has to have the name that it is given")
        _must(bool(task.main_score), "main_score: the task has to name the score that counts")
        change = section.batch_change(name, tokenizer)
        collator = Collator(tokenizer.pad_token_id or 0, {} if change is None else {name: change})
        table = nn.Embedding(len(tokenizer), _WIDTH)
        features = 0 if split.features is None else split.features.shape[1]
        made = None if writer is None else writer(table, tokenizer)
        size = HiddenSize(_WIDTH, features * column.takes_features, Vocabulary(table), made)
        head = task.make_head(size).eval()
        return cls(task, head, layout, split, collator, tokenizer, table, size)

    def batch(self, rows: Int64Array) -> Batch:
        return self.collator(self.split, rows, seed=(0,))

    def logits(self, batch: Batch, head: Head | None = None) -> Tensor:
        # The table stands for the encoder: (batch, seq) -> (batch, seq, hidden).
        hidden = Hidden(self.table(batch.token_ids), batch, _mean)
        logits: Tensor = (head or self.head)(hidden)
        return logits

    def loss(self, batch: Batch) -> Tensor:
        return self.head.loss_sum(self.logits(batch), batch.labels[self.task.name], batch)

    @property
    def every(self) -> Int64Array:
        return np.arange(len(self.split))


def _check_loss(bench: _Bench) -> None:
    batch = bench.batch(bench.every)
    loss = bench.loss(batch)
    _must(loss.shape == (), f"loss_sum: expected a scalar, found the shape {tuple(loss.shape)}")
    _must(bool(loss.isfinite()), f"loss_sum: the loss is {loss.item()}")
    # A mean over the batch, or padding that counts, shows when rows stand alone.
    single = torch.stack([bench.loss(bench.batch(np.array([row]))) for row in bench.every]).sum()
    _must(
        torch.allclose(loss, single, rtol=1e-3, atol=1e-5),
        "loss_sum: expected the sum over the labels, so that a batch has the loss of its rows one "
        f"by one; found {loss.item():g} and {single.item():g}",
    )
    loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in bench.head.named_parameters():
        _must(parameter.grad is not None, f"loss_sum: the parameter '{name}' has no gradient")
    # A worker whose share of a batch is empty still takes part in the exchange of gradients.
    nothing = bench.loss(batch.without_labels(bench.split.labels.columns))
    _must(
        nothing.requires_grad and nothing.item() == 0,
        f"loss_sum: expected 0 without labels, joined to the parameters; found {nothing}",
    )


def _check_decode(bench: _Bench) -> None:
    whole = _decoded(bench, bench.head)
    for row in bench.every:
        batch = bench.batch(np.array([row]))
        with torch.no_grad():
            found = bench.head.decode(bench.logits(batch), batch)
        _must(len(found) == 1, f"decode: expected one entry per row, found {len(found)} for 1")
        _must(
            # Not bit for bit: other shapes of a batch are summed in another order.
            np.allclose(whole[row], found[0], rtol=1e-3, atol=1e-5, equal_nan=True),
            f"decode: row {row} has {whole[row]} in a batch and {found[0]} alone; what is said of "
            "a row must not depend on the others",
        )


def _check_scores(bench: _Bench) -> None:
    task, head = bench.task, bench.head
    gold = bench.split.gold(task.name)
    # In the order of an evaluation: `score` may only see what `calibrate` and `finish` have set.
    outcome = task.collect(Outcome(_decoded(bench, head), gold, bench.split.source))
    task.calibrate(head, outcome)
    finished = task.finish(head, outcome)
    scores = task.score(finished)
    _must(task.main_score in scores, f"score: '{task.main_score}' is not in {sorted(scores)}")
    first = next(iter(scores))
    # Whoever has the scores alone, such as a report, takes the first for the main one.
    _must(first == task.main_score, f"score: the first is '{first}', not '{task.main_score}'")
    main = scores[task.main_score]
    # NaN where there is nothing to score, such as texts that are not written here.
    is_more = main > 1
    _must(not is_more, f"score: '{task.main_score}' is {main}; expected at most 1, higher = better")
    # Objectives ask with an empty outcome whether the kind knows right from wrong at all.
    for which in (finished, Outcome([], [])):
        right = task.is_right(which)
        shape = None if right is None else right.shape
        _must(
            shape in (None, (len(which.predicted),)),
            f"is_right: expected None or one truth value per row, found the shape {shape}",
        )
    # What a saved model is: a new head with the weights of the old one.
    again = task.make_head(bench.size).eval()
    again.load_state_dict(head.state_dict())
    loaded = task.collect(Outcome(_decoded(bench, again), gold, bench.split.source))
    _must(
        str(task.score(task.finish(again, loaded))) == str(scores),
        "make_head: a head with the same state_dict scores differently; what `calibrate` sets has "
        "to be a parameter or buffer",
    )


def _check_says(bench: _Bench, examples: Sequence[Example]) -> None:
    # As the predictor has them: without columns and labels.
    split = bench.layout.encode(examples, bench.tokenizer, (), {}, max_length=_MAX_LENGTH)
    batch = bench.collator(split, np.arange(len(split)), seed=())
    with torch.no_grad():
        logits = bench.logits(batch)
    read = bench.task.read(bench.head, logits, batch)
    _must(len(read) == len(split), f"read: expected {len(split)} entries, found {len(read)}")
    texts = [_view(example) for example in examples]
    said = bench.task.says(bench.head, read, texts, split.source)
    _must(len(said) == len(texts), f"says: expected {len(texts)} outputs, found {len(said)}")
    for output in said:
        to_text(output)
        try:
            json.dumps(to_plain(output))
        except TypeError as error:
            raise AssertionError(f"says: {output!r} does not become JSON: {error}") from error


def _decoded(bench: _Bench, head: Head) -> list[Decoded]:
    batch = bench.batch(bench.every)
    with torch.no_grad():
        found = head.decode(bench.logits(batch, head), batch)
    count = len(bench.split)
    _must(len(found) == count, f"decode: expected one entry per row, {count}, found {len(found)}")
    return found


class _Table(Writer):
    """Stands for what writes; its whole is the table."""

    def write(self, prompts: Batch, decoding: Decoding, **others: object) -> list[list[int]]:
        return [[] for _ in prompts.token_ids]  # What a kind learns is checked, not what it writes.


class _GoesOn(_Table):
    """Stands for a decoder: foresees a token by the one before it."""

    reads_targets: ClassVar[bool] = True

    def logits(self, hidden: Hidden, labels: Tensor) -> Tensor:
        chosen = hidden.tokens[:, :-1][labels[:, 1:] != NO_LABEL]
        return linear(chosen, self.whole.weight)


class _Answers(_Table):
    """Stands for an encoder-decoder: foresees a token by the one before it and the source."""

    reads_targets: ClassVar[bool] = False

    def logits(self, hidden: Hidden, labels: Tensor) -> Tensor:
        before = labels.roll(1, dims=1).clamp(min=0)
        before[:, 0] = 0
        source = _mean(hidden.tokens, hidden.batch.attention_mask).unsqueeze(1)
        return linear((self.whole(before) + source)[labels != NO_LABEL], self.whole.weight)


def _mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """Returns the mean over sub-words, (batch, hidden), of (batch, seq, hidden)."""
    weights = mask.unsqueeze(-1).float()  # (batch, seq, 1)
    return (tokens * weights).sum(dim=1) / weights.sum(dim=1)


def _view(example: Example) -> TextView:
    text = " ".join(example.words)
    return TextView(text, Cut().places(text), example.second)


def _tokenizer(examples: Sequence[Example]) -> "PreTrainedTokenizerFast":
    """Returns a tokenizer of whole words and letters, as the encoders of the BERT family have."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    texts = [f"{' '.join(example.words)} {example.second}".lower() for example in examples]
    words = sorted({word for text in texts for word in text.split()})
    letters = sorted({letter for word in words for letter in word})
    # Every letter is a piece, alone and inside a word: so any word of the same letters has ids. The
    # special tokens come first: padding has the id 0. A dict keeps the order, and drops doubles.
    pieces = dict.fromkeys([*_SPECIALS, *letters, *(f"##{one}" for one in letters), *words])
    ids = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, ids[token]) for token in ("[CLS]", "[SEP]")],
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    specials = dict(zip(names, _SPECIALS, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **specials)


def _must(holds: bool, message: str) -> None:
    """Raises an AssertionError, also where Python runs without `assert`."""
    if not holds:
        raise AssertionError(message)
