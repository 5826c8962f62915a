"""Tasks and batches for tests of tasks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mtl_core.data.arrays import Int64Array
from mtl_core.data.batching import Batch, WordPlaces
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


def batch_of(
    is_there: Sequence[Sequence[bool]], *, token_ids: Tensor | None = None, **places: Tensor
) -> Batch:
    """Returns a batch of words of one sub-word each; `places` are fields of `WordPlaces`."""
    words = torch.tensor(is_there)
    starts = (torch.arange(1, words.shape[1] + 1) * words).long()
    ends = torch.where(words, starts + 1, 0)
    if token_ids is None:
        token_ids = torch.zeros(len(words), words.shape[1] + 2, dtype=torch.int64)
    found = WordPlaces(starts, ends, words, words.sum(dim=1))
    return Batch(token_ids, torch.ones_like(token_ids), replace(found, **places), labels={})
