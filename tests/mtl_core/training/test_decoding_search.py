"""The search over settings that need no training, against evaluations of models made with them."""

import copy
import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import RunConfigFactory

from mtl_core.assets import Assets, build_collator, build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.arrays import Ragged
from mtl_core.training import decoding_search, dev_half
from mtl_core.training.decoded import Decoded, Tried
from mtl_core.training.decoding_search import (
    LEAST_EVALUATIONS,
    Proposal,
    Proposals,
    Proposer,
    decode_with,
    search_decoding,
)
from mtl_core.training.dev_half import DevHalf, TrainedModel, halves
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import Evaluation, evaluate
from mtl_core.training.objectives.base import Objective
from mtl_core.training.objectives.mean import Mean

CPU = Place(0, 1, torch.device("cpu"))
THRESHOLDS = "tasks.topics.thresholds"
VITERBI = {"tasks.slots.decoding": "viterbi"}


class Listed(Proposer, Proposals):
    """Proposes what a test lists, and takes note of what comes of it."""

    searched = "listed"
    own: Mapping[str, object] = {THRESHOLDS: 0.99}  # type: ignore[assignment]

    def __init__(self, *settings: Mapping[str, object]) -> None:
        self.left = list(settings)
        self.told: list[float] = []

    def proposals(self, known: Sequence[Tried], *, seed: int) -> Proposals:
        return self

    def ask(self) -> Proposal | None:
        return Proposal(one := self.left.pop(0), one, one) if self.left else None  # type: ignore[arg-type]

    def tell(self, proposal: Proposal, gain: float) -> None:
        self.told.append(gain)


class Scripted(Objective):
    """Says the numbers that it is given, whatever the scores are."""

    kind: str = "scripted"
    numbers: list[float]

    def combine(self, main_scores: Mapping[str, float], joint_accuracy: float) -> float:
        return self.numbers.pop(0)


@pytest.fixture(scope="module")
def trained(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A model with random weights, and topics whose thresholds predict nothing."""
    rows = [
        {"text": f"play {n} songs by band {n % 5}", "topics": ["even", "third"][n % 2 : 2 - n % 3]}
        for n in range(24)
    ]
    path = tmp_path_factory.mktemp("topics") / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    topics = {"kind": "multilabel", "dataset": "rows", "column": "topics", "thresholds": 0.99}
    config = run_config(
        {
            "datasets.rows": {
                "kind": "jsonl",
                "splits": dict.fromkeys(("train", "dev"), str(path)),
            },
            "tasks.topics": topics,
        }
    )
    assets = Assets.load(config, device=CPU.device)
    torch.manual_seed(1)
    model = assets.new_model(config, build_tasks(config, assets.data.datasets)).eval()
    collator = build_collator(config, assets.data.tokenizer, batch_size=5)
    return TrainedModel(config, model, assets.data.datasets, Mean(), CPU, "fp32", collator)


def rows_of(ragged: Ragged) -> list[list[int]]:
    return [ragged.row(row).tolist() for row in range(len(ragged))]


def evaluated(trained: TrainedModel, datasets: object = None, split: str = "dev") -> Evaluation:
    """What an evaluation says of a model; it may change the heads of that."""
    return evaluate(
        trained.model, trained.tasks, datasets or trained.datasets, split=split, place=CPU,
        precision="fp32", collator=trained.collator,
    )  # type: ignore[arg-type]  # fmt: skip


def with_heads(trained: TrainedModel) -> Iterator[None]:
    """Gives the model the heads of its configuration for a while."""
    own = {name: trained.model.head(name) for name in trained.config.tasks}
    for name, task in trained.tasks.items():
        trained.model.set_head(name, trained.model.head_for(name, task))
    yield
    for name, head in own.items():
        trained.model.set_head(name, head)


@pytest.mark.parametrize("kept", [2**29, 700, 0])
@pytest.mark.parametrize(
    "settings", [{}, {THRESHOLDS: "each"}, {THRESHOLDS: 0.4, **VITERBI}], ids=str
)
def test_a_half_is_scored_as_an_evaluation_of_it_would(
    trained: TrainedModel,
    settings: dict[str, object],
    kept: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dev_half, "_KEPT_BYTES", kept)
    other = trained.with_settings(settings)
    choosing, judging = halves(trained)
    half = DevHalf(trained, choosing)
    chosen = half.scored(other)
    judged = DevHalf(trained, judging, heads=half.own.heads).scored(other, chosen.heads)
    for _ in with_heads(other):
        first = evaluated(other, choosing)
        # What the first half taught the heads is used on the second, which is another split to it.
        test = {name: replace(one, splits={"test": one.splits["dev"]})
                for name, one in judging.items()}  # fmt: skip
        second = evaluated(other, test, split="test")
    assert (chosen.scores, judged.scores) == (first.scores, second.scores)
    expected = [other.combined(one.main, one.joint_accuracy) for one in (first, second)]
    assert [chosen.combined, judged.combined] == expected


def test_halves_are_drawn_by_the_seed_and_share_nothing(trained: TrainedModel) -> None:
    def texts(one: TrainedModel) -> list[dict[str, list[tuple[int, ...]]]]:
        return [
            {
                name: [tuple(row) for row in rows_of(split.token_ids)]
                for name, dataset in half.items()
                if (split := dataset.splits["dev"])
            }
            for half in halves(one)
        ]

    first, second = texts(trained)
    every = sorted(map(tuple, rows_of(trained.datasets["rows"].splits["dev"].token_ids)))
    assert sorted(first["rows"] + second["rows"]) == every
    assert len(first["rows"]) == len(second["rows"]) == 12
    assert texts(trained) == [first, second]
    assert texts(trained.with_settings({"seed": 1})) != [first, second]


def test_what_both_halves_like_is_taken_and_scored_on_all_of_dev(trained: TrainedModel) -> None:
    before = {name: value.clone() for name, value in trained.model.state_dict().items()}
    heads = [trained.model.head(name) for name in trained.config.tasks]
    listed = Listed({THRESHOLDS: 0.98}, {THRESHOLDS: "shared"}, VITERBI)
    found = search_decoding(trained, listed, number=7)
    assert found.taken is not None
    assert found.judged is not None
    assert (found.number, found.searched) == (7, "listed")
    assert found.taken.settings == found.taken.parameters == {THRESHOLDS: "shared"}
    assert [one.gain for one in found.tried] == listed.told
    assert listed.told[0] == 0 < listed.told[1]
    assert 0 <= found.judged.before < found.judged.after
    assert found.judged.rows == 12 + 12  # of both data sets, `corpus` and `rows`
    # The model is left as it was.
    assert [trained.model.head(name) for name in trained.config.tasks] == heads
    for name, value in trained.model.state_dict().items():
        assert torch.equal(value, before[name])
    other = trained.with_settings(found.taken.settings)
    for _ in with_heads(other):
        whole = evaluated(other)
    taken = found.taken
    assert taken.own == {THRESHOLDS: 0.99}
    assert (taken.dev, taken.joint_accuracy) == (whole.scores, whole.joint_accuracy)
    assert taken.combined == Mean().combine(whole.main, whole.joint_accuracy)


@pytest.mark.parametrize(
    ("numbers", "taken"),
    [
        # The first half with the run's own settings, and with the two proposals; the second half
        # with the run's own and the better one; all of dev.
        ([0.5, 0.6, 0.7, 0.4, 0.5, 0.6], 0.6),
        ([0.5, 0.6, 0.7, 0.4, 0.4], None),
        ([0.5, 0.6, 0.7, 0.4, 0.3], None),
        ([0.5, 0.5, 0.4], None),
        ([0.5, math.nan, 0.4], None),
        ([math.nan, 0.6, 0.4], None),
    ],
)
def test_settings_are_taken_only_when_the_other_half_likes_them_better(
    trained: TrainedModel, numbers: list[float], taken: float | None
) -> None:
    objective = Scripted(numbers=[])
    object.__setattr__(objective, "numbers", list(numbers))
    listed = Listed({THRESHOLDS: 0.4}, {THRESHOLDS: 0.5})
    found = search_decoding(replace(trained, objective=objective), listed, number=1)
    assert objective.numbers == []
    if taken is None:
        assert found.taken is None
    else:
        assert found.taken is not None
        assert (found.taken.combined, found.taken.settings) == (taken, {THRESHOLDS: 0.5})
    np.testing.assert_equal(listed.told, [one - numbers[0] for one in numbers[1:3]])


class Clock:
    """Stands still, but for what is said to take time."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def taking(self, seconds: float, does: Any) -> Any:
        """Returns a function that takes so long."""

        def slowly(*args: Any, **more: Any) -> Any:
            self.now += seconds
            return does(*args, **more)

        return slowly


@pytest.mark.parametrize(("limit_s", "tries"), [(59.0, 0), (60.0, 1), (69.0, 1), (100.0, 5)])
def test_the_whole_search_takes_no_longer_than_it_may(
    trained: TrainedModel, monkeypatch: pytest.MonkeyPatch, limit_s: float, tries: int
) -> None:
    """The texts of half of dev take 10 seconds here, and an evaluation on all of it 20."""
    clock = Clock()
    for module in (decoding_search, dev_half):
        monkeypatch.setattr(module, "time", clock)
    writes = clock.taking(10, dev_half.with_texts_of_a_half)
    monkeypatch.setattr(dev_half, "with_texts_of_a_half", writes)
    monkeypatch.setattr(decoding_search, "evaluate", clock.taking(20, evaluate))
    # All that is tried is better than what was there, so that nothing is left out.
    objective = Scripted(numbers=[])
    object.__setattr__(objective, "numbers", [float(number) for number in range(30)])
    listed = Listed(*[{THRESHOLDS: 0.1 + number / 100} for number in range(9)])
    found = search_decoding(
        replace(trained, objective=objective), listed, number=1, limit_s=limit_s
    )
    assert len(found.tried) == tries
    assert (found.taken is not None) == (tries > 0)
    assert found.seconds == clock.now == (10 if tries == 0 else 50 + 10 * tries) <= limit_s
    if tries == 1:
        assert found.seconds == LEAST_EVALUATIONS * 20


def test_settings_that_take_longer_are_tried_less_often(
    trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts of half of dev take 10 seconds, and 20 of them with other settings, such as beams."""
    clock, writes = Clock(), dev_half.with_texts_of_a_half
    for module in (decoding_search, dev_half):
        monkeypatch.setattr(module, "time", clock)
    # The run's own settings and two that are tried on one half, its own and the best on the other.
    left = [10, 20, 20, 10, 20]

    def slowly(*args: Any, **more: Any) -> Any:
        clock.now += left.pop(0)
        return writes(*args, **more)

    monkeypatch.setattr(dev_half, "with_texts_of_a_half", slowly)
    monkeypatch.setattr(decoding_search, "evaluate", clock.taking(40, evaluate))
    objective = Scripted(numbers=[])
    object.__setattr__(objective, "numbers", [float(number) for number in range(30)])
    scripted = replace(trained, objective=objective)
    listed = Listed(*[{THRESHOLDS: 0.1 + number / 100} for number in range(9)])
    found = search_decoding(scripted, listed, number=1, limit_s=120)
    assert len(found.tried) == 2
    assert left == []
    assert found.seconds == 10 + 2 * 20 + 30 + 40 == 120


@pytest.mark.parametrize("least", [0, 1])
def test_a_search_that_is_late_tries_no_more_than_it_has_to(
    trained: TrainedModel, least: int
) -> None:
    listed = Listed(*[{THRESHOLDS: 0.1 + number / 100} for number in range(9)])
    found = search_decoding(trained, listed, number=1, limit_s=0, least=least)
    assert (len(found.tried), len(listed.left)) == (least, 9 - least)


def test_a_model_with_what_was_found_learns_from_dev_what_is_learnt_there(
    trained: TrainedModel,
) -> None:
    other = trained.with_settings({THRESHOLDS: "each"})
    own = {name: trained.model.head(name) for name in trained.config.tasks}
    scores = decode_with(other)
    assert 0.5 not in trained.model.head("topics").get_buffer("thresholds").tolist()
    assert evaluated(other).scores == scores.scores
    for name, head in own.items():
        trained.model.set_head(name, head)


def test_two_workers_find_what_one_finds(trained: TrainedModel) -> None:
    alone = search_decoding(trained, Listed({THRESHOLDS: "shared"}, VITERBI), number=1)
    meeting = threading.Barrier(2, timeout=60)
    values: dict[int, object] = {}

    class Worker(Place):
        def gather(self, value: object) -> list[object]:  # type: ignore[override]
            values[self.rank] = value
            meeting.wait()
            found = [values[0], values[1]]
            meeting.wait()
            return found

    def work(rank: int) -> Decoded:
        one = replace(
            trained, place=Worker(rank, 2, CPU.device), model=copy.deepcopy(trained.model)
        )
        return search_decoding(one, Listed({THRESHOLDS: "shared"}, VITERBI), number=1)

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(work, range(2))
    assert replace(first, seconds=0.0) == replace(second, seconds=0.0)
    assert replace(first, seconds=0.0) == replace(alone, seconds=0.0)


def test_a_run_without_dev_rows_of_a_task_keeps_its_settings(run_config: RunConfigFactory) -> None:
    config: RunConfig = run_config({"datasets.corpus.limit": {"dev": 1}})
    assets = Assets.load(config, device=CPU.device)
    model = assets.new_model(config, build_tasks(config, assets.data.datasets)).eval()
    collator = build_collator(config, assets.data.tokenizer)
    trained = TrainedModel(config, model, assets.data.datasets, Mean(), CPU, "fp32", collator)
    found = search_decoding(trained, Listed(VITERBI), number=1)
    assert found.taken is None
