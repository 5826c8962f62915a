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
