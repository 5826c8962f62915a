"""Scores on draws of the rows of a split: all tasks of a data set on the same rows."""

import numpy as np
import pytest
from scipy.stats import binom
from task_cases import build, ids

from mtl_core.data.arrays import Ragged
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.source import Source
from mtl_core.tasks.base import Task
from mtl_core.tasks.classification import Classification
from mtl_core.tasks.outcome import Outcome
from mtl_core.training.drawn import drawn_scores
from mtl_core.training.evaluation import Evaluation, joint_accuracy, score_task
from mtl_core.training.objectives.base import Objective
from mtl_core.training.objectives.joint_accuracy import JointAccuracy
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.objectives.minimum import Minimum

NAMES = LabelNames(tuple("ab"), ())


def task(name: str) -> Task:
    found = build(Classification, NAMES)
    found.name = name
    return found


TASKS = {"one": task("one"), "two": task("two")}


def outcome(is_right: np.ndarray, source: Source | None = None) -> Outcome:  # type: ignore[type-arg]
    return Outcome([ids(int(right)) for right in is_right], [ids(1)] * len(is_right), source)


def evaluation(outcomes: dict[str, dict[str, Outcome]], **examples: int) -> Evaluation:
    """Of data set -> task -> outcome."""
    scores = {}
    for name, one in TASKS.items():
        carriers = {key: some[name] for key, some in outcomes.items() if name in some}
        if carriers:
            scores[name], _ = score_task(one, None, carriers, calibrates=False)  # type: ignore[arg-type]
    main = {name: found["accuracy"] for name, found in scores.items()}
    sizes = {key: len(next(iter(some.values())).predicted) for key, some in outcomes.items()}
    joint = joint_accuracy(TASKS, list(outcomes.values()))
    return Evaluation(scores, main, joint, sum(sizes.values()), outcomes, sizes | examples)


def right(share: float, rows: int, seed: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(seed).random(rows) < share


def test_draws_spread_as_a_share_of_so_many_rows_does() -> None:
    found = drawn_scores(evaluation({"d": {"one": outcome(right(0.8, 400))}}), TASKS, Mean())
    scores = found["one/accuracy"]
    assert scores.shape == (1001,)
    assert scores[1:].std() == pytest.approx(binom.std(400, scores[0]) / 400, rel=0.08)


def test_all_tasks_of_a_data_set_see_the_same_rows_and_other_data_sets_others() -> None:
    rows = right(0.7, 200)
    both = drawn_scores(
        evaluation({"d": {"one": outcome(rows), "two": outcome(~rows)}}), TASKS, Mean()
    )
    # What the one has right the other has wrong: their mean never changes.
    assert both["one/accuracy"].std() > 0.02
    assert both["combined"] == pytest.approx(0.5)
    assert both["joint_accuracy"] == pytest.approx(0)
    apart = drawn_scores(
        evaluation({"d": {"one": outcome(rows)}, "e": {"two": outcome(rows)}}), TASKS, Mean()
    )
    correlation = np.corrcoef(apart["one/accuracy"][1:], apart["two/accuracy"][1:])[0, 1]
    assert abs(correlation) < 0.13  # 4 / sqrt(1000)


def test_a_task_on_several_data_sets_is_scored_on_all_their_rows() -> None:
    parts = {"d": outcome(right(0.5, 100)), "e": outcome(right(0.9, 300, seed=1))}
    found = drawn_scores(
        evaluation({key: {"one": one} for key, one in parts.items()}), TASKS, Mean()
    )["one/accuracy"]
    shares = [one.is_right().mean() for one in parts.values()]
    assert found[0] == pytest.approx((100 * shares[0] + 300 * shares[1]) / 400)
    variance = sum(
        count * share * (1 - share) for count, share in zip((100, 300), shares, strict=True)
    )
    assert found[1:].std() == pytest.approx(variance**0.5 / 400, rel=0.08)


@pytest.mark.parametrize("objective", [Mean(), Minimum(), JointAccuracy()])
def test_the_combined_score_of_each_draw_is_that_of_the_objective(objective: Objective) -> None:
    tasks = {"one": outcome(right(0.8, 100)), "two": outcome(right(0.7, 100, seed=1))}
    found = drawn_scores(evaluation({"d": tasks}), TASKS, objective, count=20)
    one, two = found["one/accuracy"], found["two/accuracy"]
    expected = {"mean": (one + two) / 2, "minimum": np.minimum(one, two)}
    assert found["combined"] == pytest.approx(expected.get(objective.kind, found["joint_accuracy"]))


def test_every_process_and_every_number_of_draws_at_a_time_draws_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = evaluation({"d": {"one": outcome(right(0.8, 50))}})
    whole = drawn_scores(one, TASKS, Mean(), count=30)["one/accuracy"]
    monkeypatch.setattr("mtl_core.training.drawn._NUMBERS", 350)
    assert np.array_equal(drawn_scores(one, TASKS, Mean(), count=30)["one/accuracy"], whole)
    # Runs of other sessions and versions have the same draws, so they are known beforehand.
    assert whole[1:5].round(2).tolist() == [0.76, 0.66, 0.8, 0.8]


def test_pieces_of_a_text_are_drawn_together() -> None:
    nothing = Ragged(np.zeros(0, dtype=np.int32), np.zeros(91, dtype=np.int64))
    source = Source(np.arange(90, dtype=np.int32) // 3, nothing, nothing, ["t"] * 30, [()] * 30)
    pieces = np.repeat(right(0.5, 30), 3)
    found = drawn_scores(evaluation({"d": {"one": outcome(pieces, source)}}, d=30), TASKS, Mean())[
        "one/accuracy"
    ]
    # As sure as 30 texts, not as 90.
    assert found[1:].std() == pytest.approx(binom.std(30, found[0]) / 30, rel=0.08)


def test_what_cannot_be_scored_anew_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TASKS["two"], "rescore", lambda _: None)
    tasks = {"one": outcome(right(0.8, 100)), "two": outcome(right(0.7, 100))}
    found = drawn_scores(evaluation({"d": tasks}), TASKS, Mean(), count=5)
    assert found.keys() == {"one/accuracy", "joint_accuracy"}
