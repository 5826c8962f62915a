"""Tasks and batches for tests of tasks."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mtl_core.data.arrays import Int64Array
from mtl_core.data.batching import Batch
from mtl_core.data.columns.label_names import Labels
from mtl_core.tasks.base import Task, TaskSection
from mtl_core.tasks.hidden import HiddenSize

TAGS = ("B-x", "B-y", "I-x", "I-y", "O")


SIZE = HiddenSize(4)


def ids(*values: int) -> Int64Array:
    return np.array(values, dtype=np.int64)


def build(section: type[TaskSection], labels: Labels, **settings: object) -> Task:
    plain = {"dataset": "d", "column": "c", **settings}
    return section.model_validate(plain).build("task", labels)


def batch_of(is_word: Sequence[Sequence[bool]], **arrays: Tensor) -> Batch:
    words = torch.tensor(is_word)
    token_ids = torch.zeros(len(words), words.shape[1] + 2, dtype=torch.int64)
    starts = (torch.arange(1, words.shape[1] + 1) * words).long()
    ends = torch.where(words, starts + 1, 0)
    base = {
        "token_ids": token_ids,
        "attention_mask": torch.ones_like(token_ids),
        "word_starts": starts,
        "word_ends": ends,
        "is_word": words,
        "num_words": words.sum(dim=1),
    }
    return Batch(**(base | arrays), labels={})  # type: ignore[arg-type]
