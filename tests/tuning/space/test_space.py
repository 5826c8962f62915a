import optuna
import pytest
from conftest import RunConfigFactory
from pydantic import TypeAdapter, ValidationError

from mtl_core.errors import ConfigError
from tuning.space.range_domains import Floats
from tuning.space.space import Entry, Space
from tuning.study.config import StudyFile

FREEZING = {
    "choice": [
        {"kind": "none"},
        {"kind": "lower_layers", "layers": {"int_range": [1, 5]}},
        {"kind": "encoder"},
    ]
}


def space_of(entries: dict) -> Space:
    return Space(TypeAdapter(dict[str, Entry]).validate_python(entries))


def sample(entries: dict, **parameters: object) -> dict:
    return space_of(entries).sample(optuna.trial.FixedTrial(parameters))


@pytest.mark.parametrize(
    ("entry", "distribution"),
    [
        ({"range": [0, 0.3]}, optuna.distributions.FloatDistribution(0, 0.3)),
        ({"log_range": [1e-5, 1e-3]}, optuna.distributions.FloatDistribution(1e-5, 1e-3, log=True)),
        ({"int_range": [1, 5]}, optuna.distributions.IntDistribution(1, 5)),
        ({"log_int_range": [8, 64]}, optuna.distributions.IntDistribution(8, 64, log=True)),
        ({"choice": ["a", None, 2]}, optuna.distributions.CategoricalDistribution(["a", None, 2])),
        (
            {"range": [0, 1], "step": 0.25},
            optuna.distributions.FloatDistribution(0, 1, step=0.25),
        ),
        ({"int_range": [0, 9], "step": 3}, optuna.distributions.IntDistribution(0, 9, step=3)),
        ({"ordered": ["s", "m", "l"]}, optuna.distributions.IntDistribution(0, 2)),
    ],
)
def test_entry_becomes_optunas_distribution(entry: dict, distribution: object) -> None:
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    space = space_of({"some.key": entry})
    drawn = space.sample(trial)
    assert trial.distributions == {"some.key": distribution}
    assert drawn == space.of_drawn(trial.params)


def test_what_stands_in_a_section_is_drawn_only_when_the_section_was_chosen() -> None:
    chosen = sample(
        {"freezing": FREEZING},
        **{"freezing.kind": "lower_layers", "freezing.lower_layers.layers": 3},
    )
    assert chosen == {"freezing": {"kind": "lower_layers", "layers": 3}}
    # FixedTrial raises for a parameter it lacks: nothing else is asked for.
    assert sample({"freezing": FREEZING}, **{"freezing.kind": "none"}) == {
        "freezing": {"kind": "none"}
    }


def test_sections_may_hold_sections() -> None:
    inner = {"choice": [{"kind": "linear", "steps": {"int_range": [1, 9]}}, {"kind": "flat"}]}
    entries = {"optimizer": {"choice": [{"kind": "adam", "schedule": inner}, {"kind": "sgd"}]}}
    parameters = {
        "optimizer.kind": "adam",
        "optimizer.adam.schedule.kind": "linear",
        "optimizer.adam.schedule.linear.steps": 7,
    }
    assert sample(entries, **parameters) == {
        "optimizer": {"kind": "adam", "schedule": {"kind": "linear", "steps": 7}}
    }
    assert [leaf.name for leaf in space_of(entries).parameters] == list(parameters)


def test_options_of_one_kind_are_labelled_by_their_constants() -> None:
    entries = {"freezing": {"choice": [{"kind": "lower", "layers": n} for n in (1, 2)]}}
    space = space_of(entries)
    assert space.parameters[0].domain.options == (
        '{"kind": "lower", "layers": 1}',
        '{"kind": "lower", "layers": 2}',
    )
    drawn = sample(entries, **{"freezing.kind": '{"kind": "lower", "layers": 2}'})
    assert drawn == {"freezing": {"kind": "lower", "layers": 2}}


@pytest.mark.parametrize(
    ("freezing", "expected"),
    [
        ({"kind": "none"}, {"freezing.kind": "none"}),
        (
            {"kind": "lower_layers", "layers": 2},
            {"freezing.kind": "lower_layers", "freezing.lower_layers.layers": 2},
        ),
        ({"kind": "embeddings"}, {"freezing.kind": "embeddings"}),
    ],
)
def test_default_parameters_are_those_of_the_recipes_own_section(
    freezing: dict, expected: dict
) -> None:
    space = space_of({"freezing": FREEZING})
    assert space.default_parameters({"freezing": freezing}, lambda overrides: overrides) == expected


@pytest.mark.parametrize(
    ("key", "options", "own", "expected"),
    [
        (
            "freezing",
            [{"kind": "none"}, {"kind": "lower_layers", "layers": 2}],
            {"kind": "lower_layers", "layers": 5},
            {"freezing.kind": "lower_layers (own)"},
        ),
        (  # the option means the default temperature of 2
            "weighting",
            [{"kind": "fixed"}, {"kind": "dwa"}],
            {"kind": "dwa", "temperature": 9},
            {"weighting.kind": "dwa (own)"},
        ),
        (
            "weighting",
            [{"kind": "fixed"}, {"kind": "dwa"}],
            {"kind": "dwa", "temperature": 2},
            {"weighting.kind": "dwa"},
        ),
        (
            "weighting",
            [{"kind": "fixed"}, {"kind": "dwa", "temperature": {"range": [1, 4]}}],
            {"kind": "dwa", "temperature": 9},
            {"weighting.kind": "dwa", "weighting.dwa.temperature": 9},
        ),
    ],
)
def test_a_recipe_that_is_no_option_does_not_pass_for_one(
    run_config: RunConfigFactory, key: str, options: list, own: dict, expected: dict
) -> None:
    study = StudyFile.model_validate(
        {
            "run": run_config({key: own}).model_dump(mode="json"),
            "search": {key: {"choice": options}},
            "study": {"name": "own"},
        }
    )
    assert study.default_parameters == expected
    assert ("(own)" in str(expected)) == (study.space.to_drawn(expected) == {})


def test_default_parameters_leave_out_what_the_recipe_leaves_open() -> None:
    entries = {key: {"range": [0, 1]} for key in ("a.set", "a.open", "a.missing", "b.missing")}
    entries["a.null"] = {"choice": [None, 1.0]}
    run = {"a": {"set": 7.0, "open": None, "null": None}}
    found = space_of(entries).default_parameters(run, lambda overrides: overrides)
    assert found == {"a.set": 7.0, "a.null": None}


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ({"range": [0, 1]}, [0, 0.5, 1.0], [-0.1, 1.1, "1", True, None, float("nan")]),
        ({"int_range": [1, 5]}, [1, 3.0, 5], [0, 2.5, 6, float("inf")]),
        ({"choice": ["a", None]}, ["a", None], ["b", 0, ["a"]]),
        ({"ordered": [16, 32, 64]}, [16, 32, 64], [0, 1, 48, "16", None]),
        ({"range": [0.1, 0.5], "step": 0.05}, [0.1, 0.3, 0.45, 0.5], [0.12, 0.05, 0.55, True]),
        ({"int_range": [2, 8], "step": 3}, [2, 5, 8], [3, 6, 11, 2.5]),
    ],
)
def test_what_is_drawn_lies_in_the_space(entry: dict, inside: list, outside: list) -> None:
    space = space_of({"key": entry})
    for value in inside:
        drawn = space.to_drawn({"key": value})
        assert space.of_drawn(drawn) == {"key": value}
        assert space.sample(optuna.trial.FixedTrial(drawn)) == {"key": value}
    assert not any(space.to_drawn({"key": value}) for value in outside)
    assert not space.to_drawn({"other": inside[0]})


def test_corners_reach_both_ends_of_everything() -> None:
    entries = {"optimizer.lr": {"log_range": [1e-5, 1e-3]}, "freezing": FREEZING}
    assert list(space_of(entries).corners()) == [
        ("optimizer.lr", {"optimizer.lr": 1e-5}),
        ("optimizer.lr", {"optimizer.lr": 1e-3}),
        ("freezing", {"freezing": {"kind": "none"}}),
        ("freezing", {"freezing": {"kind": "lower_layers", "layers": 1}}),
        ("freezing", {"freezing": {"kind": "lower_layers", "layers": 5}}),
        ("freezing", {"freezing": {"kind": "encoder"}}),
    ]


def test_points_between_the_corners_are_broken_numbers() -> None:
    choice = [{"kind": "a"}, {"kind": "b", "x": {"range": [0, 10]}, "n": {"int_range": [1, 5]}}]
    entries = {"lr": {"range": [1, 4]}, "n": {"int_range": [1, 4]}, "c": {"choice": choice}}
    assert list(space_of(entries).between()) == [
        ("lr", {"lr": pytest.approx(2.14)}),
        ("c", {"c": {"kind": "a"}}),
        ("c", {"c": {"kind": "b", "x": pytest.approx(3.8), "n": 5}}),
    ]


def test_between_whole_ends_there_is_always_a_broken_number() -> None:
    for low in range(10):
        for width in range(1, 1000):
            [drawn] = Floats(low, low + width).between()
            assert low < drawn < low + width
            assert not drawn.is_integer()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"rang": [0, 1]}, "unknown key 'rang'; allowed here: range, .*Did you mean 'range'?"),
        (3, "found 3; allowed: a mapping with one of the keys range"),
        ({"range": [0, 1], "choice": [1, 2]}, "found the keys range, choice; allowed: exactly one"),
        ({"range": [0.3, 0.3]}, r"found \[0.3, 0.3\]; allowed: two numbers, the lower one first"),
        ({"log_int_range": [0, 9]}, r"found \[0, 9\]; allowed on a log scale: numbers above 0"),
        ({"range": ["0", 1]}, "should be a valid number"),
        ({"int_range": [1, 2.5]}, "should be a valid integer"),
        ({"range": [0, float("inf")]}, "should be a finite number"),
        ({"choice": ["a"]}, "found a choice of 1; allowed: two options or more"),
        ({"choice": ["a", "b", "a"]}, "found the option 'a' twice"),
        ({"choice": [[1], [2]]}, r"found the option \[1\]; allowed: text, a number"),
        ({"choice": ["a", {"kind": "b"}]}, "found values and sections in one choice"),
        ({"choice": [{"kind": "a"}, {"kind": "b", "x": {"range": [2, 1]}}]}, r"found \[2.0, 1.0\]"),
    ],
)
def test_wrong_entry_is_refused(entry: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        space_of({"key": entry})


def test_key_inside_a_searched_section_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"search\.freezing\.layers: lies inside 'freezing'"):
        space_of({"freezing.layers": {"int_range": [1, 5]}, "freezing": FREEZING})
