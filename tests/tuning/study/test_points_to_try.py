"""`search.try`: points that run first, checked before anything starts."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import RunConfigFactory

from mtl_core.errors import ConfigError
from mtl_core.study_file import dump
from tuning.study.config import StudyFile
from tuning.study.load import load_study

SEARCH = {
    "optimizer.encoder_lr": {"log_range": [1e-5, 1e-3]},
    "training.batch_size": {"ordered": [16, 32, 64]},
    "training.epochs": {"int_range": [1, 9]},
    "freezing": {
        "choice": [
            {"kind": "none"},
            {"kind": "embeddings"},
            {"kind": "lower_layers", "layers": {"int_range": [1, 2]}},
        ]
    },
    "weighting": {
        "choice": [{"kind": "fixed"}, {"kind": "dwa"}, {"kind": "dwa", "temperature": 9.0}]
    },
    "weights": {"simplex": ["tasks.intent.weight", "tasks.slots.weight"], "sum": 2},
}
WHOLE = {
    "optimizer.encoder_lr": 2e-4,
    "training.batch_size": 64,
    "training.epochs": 3,
    "freezing": {"kind": "lower_layers", "layers": 2},
    "weighting": {"kind": "dwa", "temperature": 9},
    "tasks.intent.weight": 0.5,
    "tasks.slots.weight": 1.5,
}
DWA = '{"kind": "dwa"}', '{"kind": "dwa", "temperature": 9.0}'

Load = Callable[..., StudyFile]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_config: RunConfigFactory) -> Load:
    """Reads a study that tries the given points; each stands on a line of its own, from 3 on."""
    monkeypatch.chdir(tmp_path)
    run = run_config().model_dump(mode="json")

    def read(*points: object, trials: int = 9) -> StudyFile:
        lines = [
            f"  - {yaml.safe_dump(point, default_flow_style=True, width=999)}" for point in points
        ]
        entries = yaml.safe_dump(SEARCH, indent=2, sort_keys=False).replace("\n", "\n  ")
        first = f"  try:\n{''.join(lines)}" if points else ""
        head = f"search:\n{first}  {entries}\n"
        rest = yaml.safe_dump({"run": run, "study": {"trials": trials, "name": "a"}})
        Path("study.yaml").write_text(head + rest, encoding="utf-8")
        return load_study("study.yaml")

    return read


def test_points_are_kept_in_their_order_as_optuna_would_draw_them(load: Load) -> None:
    nested = {"optimizer": {"encoder_lr": 1e-4}, "freezing.kind": "embeddings"}
    study = load(WHOLE, {"training.epochs": 2.0}, {"freezing": {"kind": "lower_layers"}}, nested)
    own, *points = study.given_points
    assert own["freezing.kind"] == "none"
    assert points == [
        {
            "optimizer.encoder_lr": 2e-4,
            "training.batch_size": 2,
            "training.epochs": 3,
            "freezing.kind": "lower_layers",
            "freezing.lower_layers.layers": 2,
            "weighting.kind": DWA[1],
            "weights[1]": 0.25,
        },
        {"training.epochs": 2},
        {"freezing.kind": "lower_layers"},
        {"optimizer.encoder_lr": 1e-4, "freezing.kind": "embeddings"},
    ]
    assert study.space.overrides_of(points[0]) == WHOLE
    assert study.space.overrides_of(points[1]) is None


def test_the_study_file_that_is_kept_has_the_same_points(load: Load, tmp_path: Path) -> None:
    study = load(WHOLE, {"training.epochs": 2})
    (tmp_path / "kept.yaml").write_text(dump(study), encoding="utf-8")
    assert load_study("kept.yaml") == study
    assert "try" not in dump(load())


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({}, "search.try[0]: found nothing; allowed: one key of `search` or more"),
        (
            {"optimizer.encoder_rl": 1e-4},
            "search.try[0]: optimizer.encoder_rl: is not searched; allowed: optimizer.encoder_lr, "
            "training.batch_size, .* Did you mean 'optimizer.encoder_lr'?",
        ),
        (
            {"optimizer.encoder_lr": 0.1},
            "search.try[0]: optimizer.encoder_lr: found 0.1; allowed: 1e-05 to 0.001.",
        ),
        (
            {"training.batch_size": 48},
            "search.try[0]: training.batch_size: found 48; allowed: 16, 32, 64.",
        ),
        ({"training.epochs": 2.5}, "training.epochs: found 2.5; allowed: 1 to 9."),
        (
            {"freezing": {"kind": "embedings"}},
            'freezing: found {"kind": "embedings"}; allowed: a section that is one of none, '
            "embeddings, lower_layers. Did you mean 'embeddings'?",
        ),
        ({"freezing": "none"}, "freezing: found 'none'; allowed: a section that is one of none"),
        (
            {"freezing": {"kind": "lower_layers", "layers": 3}},
            "search.try[0]: freezing.layers: found 3; allowed: 1 to 2.",
        ),
        (
            {"freezing": {"kind": "embeddings", "layers": 1}},
            'freezing: found {"kind": "embeddings", "layers": 1}; allowed: a section that',
        ),
        (
            {"tasks.intent.weight": 0.5},
            "tasks.intent.weight: found 0.5; allowed: numbers of all of tasks.intent.weight, "
            "tasks.slots.weight, at least 0, with the sum 2",
        ),
    ],
)
def test_a_point_outside_the_space_is_refused_at_its_line(
    load: Load, point: dict, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(point)
    assert str(caught.value).startswith("study.yaml:3: search.try[0]: ")
    for part in message.split(".* "):
        assert part in str(caught.value)


@pytest.mark.parametrize(("section", "label"), [({}, DWA[0]), ({"temperature": 9}, DWA[1])])
def test_of_options_of_one_kind_that_is_meant_which_has_just_these_keys(
    load: Load, section: dict, label: str
) -> None:
    points = load({"weighting": {"kind": "dwa", **section}}).given_points
    assert points[1] == {"weighting.kind": label}


def test_what_was_tried_is_not_tried_again(load: Load) -> None:
    message = r"study.yaml:4: search.try\[1\]: found once more what is tried .*, in search.try\[0\]"
    with pytest.raises(ConfigError, match=message):
        load(WHOLE, WHOLE)
    # Of a part of a point other trials come.
    part = {"training.epochs": 2}
    assert load(part, part).given_points[1:] == [part, part]


def test_all_points_have_room_behind_the_default_recipe(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"study.yaml:2: search.try: found 2 points.*allowed: 1"):
        load({"training.epochs": 2}, {"training.epochs": 3}, trials=2)


def test_what_is_no_list_of_points_is_refused(load: Load) -> None:
    load(WHOLE)
    for value, found in (("{training.epochs: 2}", "'auto' or a list"), ("[3]", "a section")):
        with pytest.raises(ConfigError, match=f"expected {found}"):
            load_study("study.yaml", [f"search.try={value}"])
