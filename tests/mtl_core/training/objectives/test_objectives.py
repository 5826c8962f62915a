"""Every kind of objective: what it makes of scores, and what is wrong with it."""

from typing import get_args

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from mtl_core.errors import ConfigError
from mtl_core.training.objectives.base import Objective
from mtl_core.training.objectives.kinds import ObjectiveSection, objective_of

COMBINED = {
    # kind -> settings, and the combined score of {intent: 0.25, slots: 1} with 0.1 for both at once
    "mean": ({}, 0.625),
    "geometric_mean": ({}, 0.5),
    "minimum": ({}, 0.25),
    "joint_accuracy": ({}, 0.1),
    "pareto": ({}, 0.625),
    # 0.25 is half of 0.5, and 1 is 25 percent more than 0.8: (-0.5 + 0.25) / 2
    "relative_gain": ({"baselines": {"intent": 0.5, "slots": 0.8}}, -0.125),
}
SECTIONS = get_args(get_args(ObjectiveSection)[0])


def read(kind: str, **settings: object) -> Objective:
    return TypeAdapter(ObjectiveSection).validate_python({"kind": kind, **settings})


def kind_of(section: type[Objective]) -> str:
    return str(section.model_fields["kind"].default)


@pytest.mark.parametrize("section", SECTIONS, ids=kind_of)
def test_an_objective_is_read_by_its_kind_and_combines_main_scores(
    section: type[Objective],
) -> None:
    settings, expected = COMBINED[kind_of(section)]
    objective = read(kind_of(section), **settings)
    assert type(objective) is section
    assert objective.combine({"intent": 0.25, "slots": 1.0}, 0.1) == expected
    assert not list(objective.problems(["intent", "slots"]))
    assert objective.weight_of("slots") == 1
    assert objective.worth_in_rows({"intent": {"a": 90}, "slots": {"a": 90}}) == 90
    assert objective.worth_in_rows({"intent": {"a": 90}, "slots": {}}) == 0
    assert objective.worth_in_rows({}) == 0


@pytest.mark.parametrize("section", SECTIONS, ids=kind_of)
def test_only_a_gain_lies_beyond_the_main_scores(section: type[Objective]) -> None:
    settings, _ = COMBINED[kind_of(section)]
    objective, generator = read(kind_of(section), **settings), np.random.default_rng(0)
    found = []
    for intent, slots in generator.random((200, 2)) ** 3:
        both = min(intent, slots) / 2  # No more rows are right in both than in either.
        found.append(objective.combine({"intent": intent, "slots": slots}, both))
    assert (min(found) < 0 or max(found) > 1) == objective.is_gain


def test_weights_of_the_mean_are_relative_and_default_to_one() -> None:
    scores = {"intent": 0.25, "slots": 1.0, "topic": 0.5}
    objective = read("mean", weights={"intent": 3})
    assert objective.combine(scores, 0.1) == pytest.approx((3 * 0.25 + 1.0 + 0.5) / 5)
    same = read("mean", weights={"intent": 6, "slots": 2, "topic": 2})
    assert same.combine(scores, 0.1) == pytest.approx(objective.combine(scores, 0.1))


def test_a_relative_gain_learns_what_it_is_relative_to() -> None:
    asked = read("relative_gain", baselines={"intent": 0.5})
    assert asked.unmeasured(["intent", "slots"]) == ["slots"]
    with pytest.raises(ConfigError, match="does not know the score of slots alone"):
        asked.combine({"intent": 0.25, "slots": 1.0}, 0.1)
    # What is given by hand stays.
    known = asked.over({"intent": 0.9, "slots": 0.8})
    assert known.unmeasured(["intent", "slots"]) == []
    assert known.combine({"intent": 0.25, "slots": 1.0}, 0.1) == pytest.approx(-0.125)
    assert objective_of(known.model_dump(mode="json")) == known
    with pytest.raises(ConfigError, match="'slots' alone has a main score of 0 on dev"):
        asked.over({"slots": 0.0})


def test_several_objectives_are_the_tasks_that_are_named_or_all() -> None:
    assert read("mean").goals(["intent", "slots"]) == {}
    assert read("pareto").goals(["intent", "slots"]) == {"intent": None, "slots": None}
    objective = read("pareto", tasks=["slots", "topic"], floors={"topic": 0.9})
    assert objective.goals(["intent", "slots", "topic"]) == {"slots": None, "topic": 0.9}
    assert objective.combine({"intent": 0.0, "slots": 1.0, "topic": 0.5}, 0.1) == 0.75


@pytest.mark.parametrize(
    ("settings", "path", "said"),
    [
        (
            {"kind": "mean", "weights": {"intnet": 2}},
            ("weights", "intnet"),
            "no task 'intnet' that is not auxiliary; allowed: intent, slots. "
            "Did you mean 'intent'?",
        ),
        (
            {"kind": "pareto", "tasks": ["intent", "slot"]},
            ("tasks", "1"),
            "no task 'slot' that is not auxiliary; allowed: intent, slots. Did you mean 'slots'?",
        ),
        (
            {"kind": "pareto", "tasks": ["slots"]},
            ("tasks",),
            "pareto needs two tasks or more that are not auxiliary; found slots; "
            "of one task take the mean",
        ),
        (
            {"kind": "pareto", "tasks": ["slots", "slots"]},
            ("tasks",),
            "a task stands twice among slots, slots",
        ),
        (
            {"kind": "pareto", "floors": {"intents": 0.9}},
            ("floors", "intents"),
            "no task 'intents' that is not auxiliary; allowed: intent, slots. "
            "Did you mean 'intent'?",
        ),
    ],
)
def test_what_does_not_go_with_the_tasks_is_told_with_its_key(
    settings: dict[str, object], path: tuple[str, ...], said: str
) -> None:
    objective: Objective = TypeAdapter(ObjectiveSection).validate_python(settings)
    assert list(objective.problems(["intent", "slots"])) == [(path, said)]


def test_pareto_needs_two_tasks_and_floors_of_these() -> None:
    [(path, said)] = read("pareto").problems(["intent"])
    assert path == ("kind",)
    assert said.startswith("pareto needs two tasks or more that are not auxiliary; found intent")
    three = ["intent", "slots", "topic"]
    [(path, said)] = read("pareto", tasks=three[:2], floors={"topic": 0.5}).problems(three)
    assert (path, said.partition(";")[0]) == (("floors", "topic"), "no task 'topic' among them")


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "pareto", "floors": {"intent": 97}},
        {"kind": "pareto", "floors": {"intent": 0}},
        {"kind": "mean", "weights": {"intent": 0}},
        {"kind": "mean", "weights": {"intent": -1}},
    ],
)
def test_numbers_out_of_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="than"):
        TypeAdapter(ObjectiveSection).validate_python(settings)


@pytest.mark.parametrize(
    ("tasks", "settings"),
    [
        ([{"a": 700}], {"kind": "mean"}),
        ([{"a": 700}, {"a": 700}], {"kind": "mean"}),
        ([{"a": 2000}, {"b": 200}], {"kind": "mean"}),
        ([{"a": 2000}, {"b": 200}], {"kind": "mean", "weights": {"0": 3}}),
        ([{"a": 2000}, {"b": 200}, {"b": 200}], {"kind": "geometric_mean"}),
        ([{"a": 400}, {"a": 400, "b": 900}], {"kind": "pareto"}),
    ],
)
def test_a_score_varies_as_a_share_of_the_rows_it_is_worth(
    tasks: list[dict[str, int]], settings: dict[str, object]
) -> None:
    """Simulated: whether a row of a data set is right is the same for all tasks on it."""
    share, draws = 0.8, 20_000
    generator = np.random.default_rng(0)
    sizes = {name: count for rows in tasks for name, count in rows.items()}
    right = {name: generator.binomial(n, share, draws) for name, n in sizes.items()}
    scores = [sum(right[name] for name in rows) / sum(rows.values()) for rows in tasks]
    named = {str(at): rows for at, rows in enumerate(tasks)}
    objective: Objective = TypeAdapter(ObjectiveSection).validate_python(settings)
    weights = [objective.weight_of(name) for name in named]
    variance = np.average(scores, axis=0, weights=weights).var()
    found = objective.worth_in_rows(named)
    assert share * (1 - share) / found == pytest.approx(variance, rel=0.05)


def test_what_rows_other_objectives_are_worth() -> None:
    tasks = {"x": {"a": 100, "b": 50}, "y": {"a": 90}, "z": {"c": 400}}
    assert read("minimum").worth_in_rows(tasks) == 90
    assert read("joint_accuracy").worth_in_rows(tasks) == 100 + 50 + 400
