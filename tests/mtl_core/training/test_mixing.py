"""Mixing and the plan of an epoch: what each kind draws, equal compute, the same by seed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from conftest import RunConfigFactory
from pydantic import TypeAdapter

from mtl_core.data.arrays import Ragged
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.encoded import EncodedSplit, TaskLabels
from mtl_core.data.store import EncodedDataset
from mtl_core.training.loop import train
from mtl_core.training.mixing import MixingSection, movement, quotas
from mtl_core.training.plan import GlobalBatch, TrainingPlan, micro_batch_rows

KINDS: TypeAdapter[MixingSection] = TypeAdapter(MixingSection)
SIZES = {"large": 400, "middle": 100, "small": 20}
STEPS = 50 + 13 + 3  # of batches of 8


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


def dataset(name: str, split: EncodedSplit) -> EncodedDataset:
    names = LabelNames(("a", "b", "c", "d", "e"), ())
    return EncodedDataset(name, {"train": split}, dict.fromkeys(split.labels, names), "")


def plan(
    kind: str, *, sizes: Mapping[str, int] = SIZES, epochs: int = 5, **settings: float
) -> TrainingPlan:
    datasets = {
        name: dataset(
            name,
            EncodedSplit(
                Ragged.from_rows([[1] * (3 + row % 7) for row in range(size)]),
                Ragged.from_rows([[1]] * size),
                TaskLabels([(LabelColumn(f"task_{name}", "c"), np.zeros(size, dtype=np.int32))]),
            ),
        )
        for name, size in sizes.items()
    }
    section = KINDS.validate_python({"kind": kind, **settings})
    tasks = {f"task_{name}" for name in sizes}
    return TrainingPlan(datasets, tasks, batch_size=8, mixing=section, epochs=epochs)


def steps(
    kind: str,
    epoch: int = 1,
    seed: int = 0,
    main_scores: Sequence[Mapping[str, float]] = (),
    **settings: float,
) -> list[GlobalBatch]:
    made = plan(kind, **settings)
    return list(made.epoch(epoch, np.random.default_rng(seed), main_scores))


def drawn(batches: Sequence[GlobalBatch]) -> Counter[str]:
    """Returns data set -> steps that drew from it."""
    return Counter(name for batch in batches for name, _ in batch.pieces)


KIND_NAMES = [
    "proportional", "uniform", "temperature", "annealed", "round_robin", "joint", "progress"
]  # fmt: skip


def test_every_kind_is_tested() -> None:
    kinds = KINDS.json_schema()["discriminator"]["mapping"]
    assert sorted(kinds) == sorted(KIND_NAMES)


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_an_epoch_has_the_same_steps_for_every_kind(kind: str) -> None:
    assert len(steps(kind)) == plan(kind).steps_per_epoch == STEPS
    assert plan(kind).rows_per_epoch == 520


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_the_seed_alone_decides_the_steps(kind: str) -> None:
    def rows(seed: int) -> list[list[tuple[str, list[int]]]]:
        return [[(n, r.tolist()) for n, r in batch.pieces] for batch in steps(kind, seed=seed)]

    assert rows(3) == rows(3)
    assert rows(3) != rows(4)


def test_proportional_shows_every_row_once() -> None:
    batches = steps("proportional")
    for name, size in SIZES.items():
        rows = np.concatenate([r for batch in batches for n, r in batch.pieces if n == name])
        assert sorted(rows.tolist()) == list(range(size))
    names = [batch.pieces[0][0] for batch in batches]
    assert names != sorted(names)


@pytest.mark.parametrize("kind", ["uniform", "round_robin"])
def test_uniform_and_round_robin_draw_alike_from_all(kind: str) -> None:
    assert drawn(steps(kind)) == dict.fromkeys(SIZES, STEPS // 3)


def test_round_robin_takes_turns() -> None:
    names = [batch.pieces[0][0] for batch in steps("round_robin")]
    assert names[:6] == [*SIZES, *SIZES]


def test_small_data_sets_come_round_with_every_row_before_any_again() -> None:
    rows = [r.tolist() for batch in steps("uniform") for n, r in batch.pieces if n == "small"]
    assert len(rows) == 22  # 7 rounds of 3 batches, and 1 more
    for start in range(0, 21, 3):
        assert sorted(chain.from_iterable(rows[start : start + 3])) == list(range(20))


def test_temperature_takes_the_root_of_the_sizes() -> None:
    # Square roots of 400, 100 and 20: 20, 10 and 4.47.
    expected = {"large": 20, "middle": 10, "small": 20**0.5}
    total = sum(expected.values())
    found = drawn(steps("temperature", temperature=2))
    assert all(abs(found[n] - STEPS * root / total) <= 1 for n, root in expected.items())
    by_size = drawn(steps("temperature", temperature=1))
    assert all(abs(by_size[n] - STEPS * size / 520) <= 1 for n, size in SIZES.items())
    assert max(drawn(steps("temperature", temperature=1000)).values()) == 22


def test_annealed_goes_from_proportional_to_uniform() -> None:
    small = [drawn(steps("annealed", epoch, fall=1))["small"] for epoch in range(1, 6)]
    assert abs(small[0] - STEPS * 20 / 520) <= 1
    assert small[-1] == 22
    assert small == sorted(small)
    # Exponent 1 - 0.8 * 2 / 4 = 0.6 in the third of five epochs.
    third = drawn(steps("annealed", 3))
    total = sum(size**0.6 for size in SIZES.values())
    assert abs(third["middle"] - STEPS * 100**0.6 / total) <= 1


def test_joint_steps_hold_rows_of_every_data_set() -> None:
    batches = steps("joint")
    for batch in batches:
        sizes = {name: len(rows) for name, rows in batch.pieces}
        assert sizes.keys() == SIZES.keys()
        assert batch.counts == {f"task_{name}": size for name, size in sizes.items()}
    usual = Counter(tuple(len(rows) for _, rows in batch.pieces) for batch in batches)
    # The last batch of a round through a data set holds what is left.
    assert usual.most_common(1)[0][0] == (3, 3, 2)
    rows = [row for batch in batches for name, r in batch.pieces if name == "small" for row in r]
    assert set(Counter(rows).values()) <= {6, 7}


def test_progress_follows_the_scores_that_move() -> None:
    scores = [
        {"task_large": 0.90, "task_middle": 0.5, "task_small": 0.7},
        {"task_large": 0.91, "task_middle": 0.8, "task_small": 0.7},
    ]
    before = drawn(steps("progress", 2, main_scores=scores[:1]))
    assert all(abs(before[n] - STEPS * size / 520) <= 1 for n, size in SIZES.items())
    after = drawn(steps("progress", 3, main_scores=scores, floor=0.4))
    shares = {"large": 0.4 * 400 / 520 + 0.6 / 31, "middle": 0.4 * 100 / 520 + 0.6 * 30 / 31}
    assert all(abs(after[n] - STEPS * share) <= 1 for n, share in shares.items())
    assert after["small"] >= 1


def test_movement_is_the_mean_change_of_the_tasks_of_a_data_set() -> None:
    datasets = {"a": ["x", "y"], "b": ["y"], "c": ["unscored"]}
    found = movement(datasets, [{"x": 0.5, "y": 0.5}, {"x": 0.5, "y": 0.4}, {"x": 0.7, "y": 0.5}])
    assert found is not None
    assert found.tolist() == pytest.approx([0.15, 0.1, 0])


def test_quotas_add_up_and_leave_nobody_out() -> None:
    assert quotas(np.array([0.5, 0.3, 0.2]), 10).tolist() == [5, 3, 2]
    assert quotas(np.array([0.55, 0.25, 0.2]), 9).tolist() == [5, 2, 2]
    assert quotas(np.array([0.98, 0.01, 0.01]), 20).tolist() == [18, 1, 1]
    assert quotas(np.array([0.98, 0.01, 0.01]), 2).sum() == 2


def test_plan_counts_the_labels_that_train(split: EncodedSplit) -> None:
    made = TrainingPlan({"d": dataset("d", split)}, {"intent", "slots"}, batch_size=3)
    [batch] = made.epoch(1, np.random.default_rng(0))
    assert (made.steps_per_epoch, made.rows_per_epoch) == (1, 3)
    assert batch.counts == {"intent": 2, "slots": 3}


def test_plan_leaves_out_rows_that_no_trained_task_labels(split: EncodedSplit) -> None:
    for trained, rows in (("slots", [0, 2]), ("intent", [0, 1])):
        made = TrainingPlan({"d": dataset("d", split)}, {trained}, batch_size=3)
        [batch] = made.epoch(1, np.random.default_rng(0))
        assert sorted(batch.pieces[0][1].tolist()) == rows
        assert set(batch.counts) == {trained}


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_parts_of_a_batch_are_its_rows(parts: int) -> None:
    rows = np.array([7, 2, 5])
    dealt = [micro_batch_rows(rows, number, parts) for number in range(parts)]
    assert sorted(row for own, is_padding in dealt if not is_padding for row in own) == [2, 5, 7]
    assert all(len(own) > 0 for own, _ in dealt)


def test_a_resumed_progress_run_is_the_uninterrupted_one(
    run_config: RunConfigFactory, corpus: Path, tmp_path: Path
) -> None:
    config = run_config(
        {
            "datasets.other": {"kind": "seq_in_out", "path": str(corpus), "limit": 20},
            "tasks.slots.dataset": "other",
            "mixing": {"kind": "progress", "floor": 0.0},
            "training.epochs": 4,
            "training.batch_size": 4,
            "optimizer.head_lr": 1e-2,
        }
    )
    whole = [report.losses for report in train(config)]
    run = train(config, checkpoint=tmp_path / "run")
    for _ in range(3):
        next(run)
    run.close()
    resumed = train(config, checkpoint=tmp_path / "run")
    assert [report.losses for report in resumed] == whole
