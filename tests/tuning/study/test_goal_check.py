"""What a study is to reach is checked against its tasks, at the line where it stands."""

from pathlib import Path

import pytest

from mtl_core.errors import ConfigError
from tuning.study.load import load_study

STUDY = """run:
  encoder: {name: any}
  datasets: {demo: {kind: sample}}
  tasks:
    intent: {kind: classification, dataset: demo, column: intent}
    slots: {kind: tagging, dataset: demo, column: slots}
    words: {kind: classification, dataset: demo, column: intent, auxiliary: true}
study:
  objective:
    GOAL
"""


def load(tmp_path: Path, goal: str, *assignments: str) -> str:
    """Loads a study whose objective begins in line 10; returns what is wrong with it, or ""."""
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.replace("GOAL", goal.replace("\n", "\n    ")))
    try:
        load_study(str(path), assignments)
    except ConfigError as error:
        return str(error).replace(f"{tmp_path}/", "")
    return ""


@pytest.mark.parametrize(
    "goal",
    [
        "kind: mean",
        "kind: mean\nweights: {slots: 2}",
        "kind: pareto",
        "kind: pareto\ntasks: [slots, intent]\nfloors: {intent: 0.97}",
    ],
)
def test_objectives_that_go_with_the_tasks(tmp_path: Path, goal: str) -> None:
    assert load(tmp_path, goal) == ""


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (
            "kind: mean\nweights:\n  intent: 2\n  slot: 3",
            "study.yaml:13: study.objective.weights.slot: no task 'slot' that is not auxiliary; "
            "allowed: intent, slots. Did you mean 'slots'?",
        ),
        (
            "kind: pareto\nfloors: {words: 0.9}",
            "study.yaml:11: study.objective.floors.words: no task 'words' that is not auxiliary; "
            "allowed: intent, slots.",
        ),
        (
            "kind: pareto\ntasks: [intent]",
            "study.yaml:11: study.objective.tasks: pareto needs two tasks or more that are not "
            "auxiliary; found intent; of one task take the mean",
        ),
        (
            "kind: pareto\nfloors: {intent: 97}",
            "study.yaml:11: study.objective.floors.intent: expected a number less than or equal to "
            "1, found 97",
        ),
    ],
)
def test_what_does_not_go_with_them_is_told_at_its_line(
    tmp_path: Path, goal: str, said: str
) -> None:
    assert load(tmp_path, goal) == said


def test_an_objective_on_the_command_line_is_told_as_it_was_typed(tmp_path: Path) -> None:
    found = load(tmp_path, "kind: mean", "study.objective={kind: pareto, floors: {slotz: 0.5}}")
    assert found.startswith("--set study.objective=")
    assert "study.objective.floors.slotz: no task 'slotz' that is not auxiliary" in found


def test_limits_name_tasks_and_lie_in_their_ranges(tmp_path: Path) -> None:
    assert load(tmp_path, "kind: mean", "study.constraints={floors: {slots: 0.5}}") == ""
    found = load(tmp_path, "kind: mean", "study.constraints={floors: {slotz: 0.5}}")
    assert "study.constraints.floors.slotz: no task 'slotz' that is not auxiliary" in found
    for wrong in ("parameters: 0", "ms_per_sentence: -1", "floors: {slots: 90}"):
        assert "than" in load(tmp_path, "kind: mean", f"study.constraints={{{wrong}}}")


def test_a_sampler_of_one_objective_is_refused_for_several(tmp_path: Path) -> None:
    search = ("search={optimizer.head_lr: {range: [0.1, 0.2]}}", "study.trials=3")
    assert load(tmp_path, "kind: mean", *search, "study.sampler={kind: cma_es}") == ""
    found = load(tmp_path, "kind: pareto", *search, "study.sampler={kind: cma_es}")
    assert "study.sampler.kind: found 'cma_es', which takes one objective; allowed: tpe" in found


@pytest.mark.parametrize(
    ("goal", "is_gain"),
    [("kind: mean", False), ("kind: relative_gain\nbaselines: {intent: 0.9, slots: 0.9}", True)],
)
def test_a_goal_knows_whether_it_is_a_gain(tmp_path: Path, goal: str, is_gain: bool) -> None:
    assert load(tmp_path, goal) == ""
    assert load_study(str(tmp_path / "study.yaml"), ()).goal.is_gain == is_gain
