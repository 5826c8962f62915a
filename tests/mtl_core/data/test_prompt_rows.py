"""Prompts of rows: a dialogue worked by hand, and what seeds hang on."""

import numpy as np

from mtl_core.data.arrays import NO_LABEL, Ragged
from mtl_core.data.columns.target import TargetColumn
from mtl_core.data.encoded import EncodedSplit, TaskLabels
from mtl_core.data.prompt_rows import Prompts

N = NO_LABEL
USER, SYSTEM = 1, 2
"""What turns begin with; 3 ends those of the system."""


def split_of(rows: list[list[int]], labels: list[list[int]]) -> EncodedSplit:
    words = Ragged.from_rows([[0]] * len(rows))
    target = TargetColumn("reply", "reply"), Ragged.from_rows(labels)
    return EncodedSplit(Ragged.from_rows(rows), words, TaskLabels([target]))


def rows_of(prompts: Prompts) -> list[list[int]]:
    return [prompts.token_ids.row(number).tolist() for number in range(len(prompts))]


def test_each_turn_of_the_system_has_all_before_it_as_its_prompt() -> None:
    dialogue = [USER, 10, SYSTEM, 20, 21, 3, USER, 11, 12, SYSTEM, 22, 3]
    labels = [N, N, N, 20, 21, 3, N, N, N, N, 22, 3]
    split = split_of(
        [[USER, 13, SYSTEM, 23, 3], dialogue, [USER, 14, SYSTEM]],
        [[N, N, N, 23, 3], labels, [N] * 3],
    )
    prompts = Prompts.of(split, "reply", np.arange(3), reads_targets=True)
    assert rows_of(prompts) == [
        [USER, 13, SYSTEM],
        [USER, 10, SYSTEM],
        [USER, 10, SYSTEM, 20, 21, 3, USER, 11, 12, SYSTEM],
    ]
    assert prompts.of_row.tolist() == [0, 1, 1]


def test_the_source_is_the_prompt_where_the_target_stands_apart() -> None:
    split = split_of([[5, 6, 7], [8], [9, 9]], [[30, 3], [N], [31, 32, 3]])
    prompts = Prompts.of(split, "reply", np.array([0, 1, 2]), reads_targets=False)
    assert rows_of(prompts) == [[5, 6, 7], [9, 9]]
    assert prompts.of_row.tolist() == [0, 2]


def test_a_target_that_nothing_stands_before_has_no_prompt() -> None:
    split = split_of([[5, 6, 7, 8]], [[5, 6, N, 8]])
    assert rows_of(Prompts.of(split, "reply", np.array([0]), reads_targets=True)) == [[5, 6, 7]]


def test_batches_have_prompts_of_similar_length_and_all_of_them() -> None:
    lengths = [3, 1, 2, 3, 3, 2, 3]
    split = split_of([[7] * length for length in lengths], [[30]] * 7)
    prompts = Prompts.of(split, "reply", np.arange(7), reads_targets=False)
    batches = prompts.batches(most=3)
    assert [[lengths[n] for n in batch] for batch in batches] == [[3] * 3, [3, 2, 2], [1]]
    assert sorted(np.concatenate(batches).tolist()) == list(range(7))


def test_a_seed_hangs_on_its_prompt_alone() -> None:
    split = split_of([[5, 6], [6, 5], [5, 6], [5, 6, 0]], [[30]] * 4)
    prompts = Prompts.of(split, "reply", np.arange(4), reads_targets=False)
    one, two, three, four = prompts.seeds().tolist()
    assert one == three
    assert len({one, two, four}) == 3
    few = Prompts.of(split, "reply", np.array([2]), reads_targets=False)
    assert few.seeds().tolist() == [one]


def test_no_rows_make_no_prompts() -> None:
    split = split_of([[5, 6]], [[N]])
    prompts = Prompts.of(split, "reply", np.array([0]), reads_targets=False)
    assert len(prompts) == len(prompts.batches(most=4)) == len(prompts.seeds()) == 0
