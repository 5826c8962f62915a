"""A bench for a kind of task: it stands on random vectors, with examples and no encoder.

`mtl_core.testing` puts kinds on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from torch import Tensor, nn
from torch.nn.functional import linear

from mtl_core.data.arrays import NO_LABEL, Int64Array
from mtl_core.data.batching import Batch
from mtl_core.data.collate import Collator
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.layouts.base import Layout
from mtl_core.tasks.base import Head, Task, TaskSection
from mtl_core.tasks.building import build_task
from mtl_core.tasks.decoding.base import Decoding
from mtl_core.tasks.hidden import Hidden, HiddenSize, Vocabulary
from mtl_core.tasks.writer import Writer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_WIDTH = 8
MAX_LENGTH = 32
"""Longest row, in sub-words."""
_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True, slots=True)
class Bench:
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
    ) -> "Bench":
        """Returns a kind with the examples; `writer` stands for what writes, None = nothing does.

        Raises:
            AssertionError: The kind breaks the contract.
        """
        column = section.column_in(section.datasets[0], name)
        must(column.task_name == name, "make_column: the column has to carry the task's name")
        labels = column.collect({"train": examples, "dev": examples}, where="examples")
        tokenizer = _tokenizer(examples)
        layout = section.layout(reads_targets=writer is not None and writer.reads_targets)
        split = layout.encode(examples, tokenizer, [column], {name: labels}, max_length=MAX_LENGTH)
        task = build_task(name, section, labels)
        must(task.name == name, "build: the task has to have the name that it is given")
        must(bool(task.main_score), "main_score: the task has to name the score that counts")
        change = section.batch_change(name, tokenizer)
        collator = Collator(tokenizer.pad_token_id or 0, {} if change is None else {name: change})
        table = nn.Embedding(len(tokenizer), _WIDTH)
        features = 0 if split.features is None else split.features.shape[1]
        made = None if writer is None else writer(table, tokenizer)
        size = HiddenSize(_WIDTH, features * column.takes_features, Vocabulary(table), made)
        head = task.make_head(size).eval()
        return cls(task, head, layout, split, collator, tokenizer, table, size)

    def batch(self, rows: Int64Array) -> Batch:
        """Returns a batch of rows, by their numbers, (batch,)."""
        return self.collator(self.split, rows, seed=(0,))

    def logits(self, batch: Batch, head: Head | None = None) -> Tensor:
        """Returns what a head says of a batch; None = the head that is on the bench."""
        # The table stands for the encoder: (batch, seq) -> (batch, seq, hidden).
        hidden = Hidden(self.table(batch.token_ids), batch, _mean)
        logits: Tensor = (head or self.head)(hidden)
        return logits

    def loss(self, batch: Batch) -> Tensor:
        """Returns the loss of a batch."""
        return self.head.loss_sum(self.logits(batch), batch.labels[self.task.name], batch)

    @property
    def every(self) -> Int64Array:
        """The numbers of all rows, (rows,)."""
        return np.arange(len(self.split))


def must(holds: bool, message: str) -> None:
    """Raises an AssertionError, also where Python runs without `assert`."""
    if not holds:
        raise AssertionError(message)


class _Table(Writer):
    """Stands for what writes; its whole is the table."""

    def write(self, prompts: Batch, decoding: Decoding, **others: object) -> list[list[int]]:
        return [[] for _ in prompts.token_ids]  # What a kind learns is checked, not what it writes.


class GoesOn(_Table):
    """Stands for a decoder: foresees a token by the one before it."""

    reads_targets: ClassVar[bool] = True

    def logits(self, hidden: Hidden, labels: Tensor) -> Tensor:
        """Returns logits of the targets, (targets, vocabulary)."""
        chosen = hidden.tokens[:, :-1][labels[:, 1:] != NO_LABEL]
        return linear(chosen, self.whole.weight)


class Answers(_Table):
    """Stands for an encoder-decoder: foresees a token by the one before it and the source."""

    reads_targets: ClassVar[bool] = False

    def logits(self, hidden: Hidden, labels: Tensor) -> Tensor:
        """Returns logits of the targets, (targets, vocabulary)."""
        before = labels.roll(1, dims=1).clamp(min=0)
        before[:, 0] = 0
        source = _mean(hidden.tokens, hidden.batch.attention_mask).unsqueeze(1)
        return linear((self.whole(before) + source)[labels != NO_LABEL], self.whole.weight)


def _mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """Returns the mean over sub-words, (batch, hidden), of (batch, seq, hidden)."""
    weights = mask.unsqueeze(-1).float()  # (batch, seq, 1)
    return (tokens * weights).sum(dim=1) / weights.sum(dim=1)


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
