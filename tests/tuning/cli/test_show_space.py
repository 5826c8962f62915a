"""The search space as `mtl check` prints it: whole keys on 80 columns; points tried first."""

import pytest
from conftest import RunConfigFactory
from rich.console import Console

from tuning.cli.show_space import first_points, space_table
from tuning.study.config import StudyFile

SEARCH = {
    "optimizer.encoder_lr": {"log_range": [1e-5, 1e-3], "prior": {"likely": 1e-4}},
    "optimizer.warmup": {"range": [0.0, 0.3], "step": 0.05},
    "training.batch_size": {"ordered": [16, 32, 64]},
    "weighting.kind": {"choice": ["fixed", "uncertainty"], "prior": {"likely": "fixed"}},
    "freezing": {
        "choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": {"int_range": [1, 4]}}]
    },
    "weights": {"simplex": ["tasks.intent.weight", "tasks.slots.weight"], "sum": 2},
    "try": [{"optimizer.encoder_lr": 3e-4, "freezing.kind": "none"}, {"training.batch_size": 64}],
}


@pytest.fixture
def study(run_config: RunConfigFactory) -> StudyFile:
    run = run_config().model_dump(mode="json")
    return StudyFile.model_validate({"run": run, "search": SEARCH, "study": {"name": "a"}})


def rows_of(study: StudyFile) -> dict[str, str]:
    """The first line of each row: parameter -> the rest, without runs of spaces."""
    console = Console(width=80, no_color=True)
    with console.capture() as capture:
        console.print(space_table(study))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= 80
    rows = (line.split(maxsplit=1) for line in lines if line[:1].strip())
    return {row[0]: " ".join(row[1].split()) for row in rows if len(row) == 2}


def test_every_parameter_has_a_row_with_its_kind_and_values(study: StudyFile) -> None:
    rows = rows_of(study)
    # Two thirds of a normal that is cut off at two deviations lie within 0.91 of them; here one is
    # a quarter of two decades: 10^(-4 - 0.91 / 2).
    assert rows["optimizer.encoder_lr"].startswith("log_range 1e-05 to 0.001 3.51e-05 to")
    assert rows["optimizer.warmup"] == "range 0 to 0.3 in - 0.1"
    assert rows["training.batch_size"] == "ordered 16, 32, 64 - 16"
    assert rows["weighting.kind"].endswith("fixed 80% fixed")
    assert rows["freezing.lower_layers.layers"] == "int_range 1 to 4 - -"
    assert rows["tasks.slots.weight"] == "simplex a share of 2 - 1.0"


def test_a_space_without_priors_has_no_column_for_them(run_config: RunConfigFactory) -> None:
    search = {"training.batch_size": {"ordered": [16, 32, 64]}}
    run = run_config().model_dump(mode="json")
    plain = StudyFile.model_validate({"run": run, "search": search, "study": {"name": "a"}})
    assert rows_of(plain)["parameter"] == "kind values default"
    assert list(first_points(plain)) == []


def test_points_that_are_tried_first_are_told(study: StudyFile) -> None:
    assert list(first_points(study)) == [
        "trial 1 tries optimizer.encoder_lr=0.0003 freezing.kind=none, the rest drawn",
        "trial 2 tries training.batch_size=64, the rest drawn",
    ]
