"""Batching: every row once, little padding, the same by seed."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from mtl_core.data.arrays import Int64Array, Ragged
from mtl_core.data.batching import make_batch, rows_by_length, similar_length_batches
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.encoded import EncodedSplit, FrozenStates, TaskLabels

PAD = 9


@pytest.fixture
def lengths() -> Int64Array:
    return np.random.default_rng(0).integers(3, 40, size=1003)


@pytest.fixture
def split() -> EncodedSplit:
    # The third row lost its last two words and lacks an intent; the second lacks tags.
    return EncodedSplit(
        Ragged.from_rows([[1, 5, 6, 2], [1, 7, 2], [1, 5, 5, 8, 2]]),
        Ragged.from_rows([[1, 2], [1], [1, -1, -1]]),
        TaskLabels(
            [
                (LabelColumn("intent", "intent"), np.array([4, 0, -100], dtype=np.int32)),
                (TagsColumn("slots", "slots"), Ragged.from_rows([[3, 1], [-100], [2, 2, 0]])),
            ]
        ),
    )


def batches_of(lengths: Int64Array, seed: int) -> list[Int64Array]:
    generator = np.random.default_rng(seed)
    return similar_length_batches(lengths, batch_size=16, generator=generator)


def padded_size(lengths: Int64Array, batches: list[Int64Array]) -> int:
    return sum(len(rows) * int(lengths[rows].max()) for rows in batches)


def test_every_row_stands_in_one_batch(lengths: Int64Array) -> None:
    batches = batches_of(lengths, seed=0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(1003))
    # Two windows of 50 batches, each with a smaller last batch at most.
    assert sorted({len(rows) for rows in batches}) == [11, 16]


def test_batches_of_similar_length_need_a_tenth_of_the_padding(lengths: Int64Array) -> None:
    order = np.random.default_rng(0).permutation(len(lengths))
    at_random = [order[start : start + 16] for start in range(0, len(order), 16)]
    ours = padded_size(lengths, batches_of(lengths, seed=0)) - lengths.sum()
    assert ours < 0.1 * (padded_size(lengths, at_random) - lengths.sum())


def test_the_seed_alone_decides_the_batches(lengths: Int64Array) -> None:
    first, again, other = (
        [rows.tolist() for rows in batches_of(lengths, seed)] for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_batch_equals_a_plain_loop(split: EncodedSplit) -> None:
    batch = make_batch(split, [2, 0, 1], pad_token_id=PAD)
    assert batch.token_ids.tolist() == [[1, 5, 5, 8, 2], [1, 5, 6, 2, PAD], [1, 7, 2, PAD, PAD]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 1, 0, 0]]
    assert batch.words.starts.tolist() == [[1, 0, 0], [1, 2, 0], [1, 0, 0]]
    assert batch.labels["intent"].tolist() == [-100, 4, 0]
    assert batch.labels["slots"].tolist() == [[2, -100, -100], [3, 1, -100], [-100, -100, -100]]


def test_evaluation_batches_hold_every_row_in_order_of_length(split: EncodedSplit) -> None:
    assert [rows.tolist() for rows in rows_by_length(split, batch_size=2)] == [[1, 0], [2]]


def test_a_batch_moves_to_a_device_as_a_whole(split: EncodedSplit) -> None:
    states = FrozenStates(2, torch.zeros(len(split.token_ids.values), 4))
    batch = make_batch(replace(split, frozen=states), [2, 0, 1], pad_token_id=PAD)
    moved = batch.to(torch.device("meta"))
    assert moved.frozen is not None
    assert (moved.frozen.depth, moved.frozen.values.shape) == (2, (3, 5, 4))
    tensors = [
        moved.token_ids,
        moved.attention_mask,
        moved.frozen.values,
        *moved.labels.values(),
        *(getattr(moved.words, field.name) for field in fields(moved.words)),
    ]
    assert all(tensor.is_meta for tensor in tensors)


def test_frozen_states_stand_where_the_sub_words_of_their_rows_do(split: EncodedSplit) -> None:
    values = torch.arange(len(split.token_ids.values), dtype=torch.float32).unsqueeze(1)
    frozen = make_batch(
        replace(split, frozen=FrozenStates(1, values)), [1, 2], pad_token_id=PAD
    ).frozen
    assert frozen is not None
    # The rows have four, three and five sub-words.
    assert frozen.values.squeeze(-1).tolist() == [[4, 5, 6, 0, 0], [7, 8, 9, 10, 11]]
