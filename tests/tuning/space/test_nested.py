"""Choices of sections inside each other, four deep, with an entry of every kind inside."""

import optuna
from pydantic import TypeAdapter

from tuning.space.space import Entry, Space

LEAVES = {
    "range": {"range": [0.0, 1.0]},
    "steps": {"range": [0.0, 0.5], "step": 0.1},
    "log": {"log_range": [1e-4, 1e-1]},
    "int": {"int_range": [1, 9]},
    "int_steps": {"int_range": [0, 12], "step": 4},
    "log_int": {"log_int_range": [8, 64]},
    "choice": {"choice": ["x", "y", None]},
    "ordered": {"ordered": [16, 32, 64]},
    "shares": {"simplex": ["first", "deep.second"]},
}


def nested(depth: int) -> dict:
    """A choice between a plain section and one with every kind of entry, and the next choice."""
    inside = {"next": nested(depth - 1)} if depth > 1 else {}
    return {"choice": [{"kind": "plain"}, {"kind": "full", "fixed": depth, **LEAVES, **inside}]}


def space() -> Space:
    return Space(TypeAdapter(dict[str, Entry]).validate_python({"root": nested(4)}))


def drawn_of(seed: int) -> tuple[dict, dict]:
    """What is drawn with a seed: the overrides, and Optuna's parameters."""
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()
    return space().sample(trial), trial.params


def levels(section: dict) -> int:
    return 1 + levels(section["next"]) if "next" in section else int(section["kind"] == "full")


def test_only_what_was_chosen_is_drawn_at_every_depth() -> None:
    depths = set()
    for seed in range(60):
        overrides, parameters = drawn_of(seed)
        depth = levels(overrides["root"])
        depths.add(depth)
        kinds = [value for name, value in parameters.items() if name.endswith(".kind")]
        assert len(parameters) == len(kinds) + len(LEAVES) * kinds.count("full")
    assert depths == {0, 1, 2, 3, 4}


def test_what_is_drawn_stands_in_its_section_and_reads_back() -> None:
    whole = next(found for found in map(drawn_of, range(60)) if levels(found[0]["root"]) == 4)
    overrides, parameters = whole
    deepest = overrides["root"]["next"]["next"]["next"]
    prefix = "root.full.next.full.next.full.next.full"
    assert deepest["fixed"] == 1
    assert deepest["int"] == parameters[f"{prefix}.int"]
    assert deepest["ordered"] == [16, 32, 64][parameters[f"{prefix}.ordered"]]
    assert deepest["steps"] in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert deepest["first"] + deepest["deep"]["second"] == 1.0
    # As a trial is shown, and as its recipe means in the space: the same.
    shown = space().of_drawn(parameters)
    assert shown[f"{prefix}.ordered"] == deepest["ordered"]
    assert shown[f"{prefix}.deep.second"] == deepest["deep"]["second"]
    assert space().default_parameters(overrides, lambda given: given) == shown
    assert space().of_drawn(space().to_drawn(shown)).keys() == shown.keys()
    assert set(shown) <= {one.name for one in space().shown}


def test_corners_reach_both_ends_of_everything_at_every_depth() -> None:
    found: dict[str, set] = {}

    def note(section: dict, path: str) -> None:
        for key, value in section.items():
            if isinstance(value, dict):
                note(value, f"{path}{key}.")
            else:
                found.setdefault(f"{path}{key}", set()).add(value)

    for _, corner in space().corners():
        note(corner["root"], "")
    for depth in range(4):
        at = "next." * depth
        assert found[f"{at}kind"] == {"plain", "full"}
        assert found[f"{at}log"] == {1e-4, 1e-1}
        assert found[f"{at}int_steps"] == {0, 12}
        assert found[f"{at}ordered"] == {16, 32, 64}
        assert found[f"{at}deep.second"] == {0.0, 1.0}
