"""Ids in result.json and scored.json: what is no id, or stands nowhere else, is refused by name."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from answers import answer_of
from small_studies import small_studies

from mtl_core.errors import ConfigError
from tuning.study.folder import StudyFolder
from tuning.study.result import Result, read_result
from tuning.study.scored import read_scoring


def scores(value: float) -> dict[str, Any]:
    return {"combined": value, "intent": {"accuracy": value}}


def estimate(mean: float) -> dict[str, Any]:
    return {"mean": mean, "sd": 0.01, "low": mean - 0.02, "high": mean + 0.02, "count": 2}


def recipe(trial: str, value: float) -> dict[str, Any]:
    runs = [
        {"seed": seed, "run": f"final/{trial}/seed-{seed}", "dev": scores(value + seed / 1000)}
        for seed in (1, 2)
    ]
    return {
        "trial": trial,
        "parameters": {},
        "seeds": [{**run, "test": scores(value)} for run in runs],
        "dev": {"combined": estimate(value)},
        "test": {"combined": estimate(value)},
        "failed": {f"final/{trial}/seed-3": "no memory"},
    }


DIFFERENCE = {
    "first": "0003", "second": "0000", "score": "combined", "estimate": estimate(0.1),
    "claim": "better",
}  # fmt: skip
RESULT: dict[str, Any] = {
    "status": "complete",
    "trials": {"complete": 4},
    "best": {"trial": "0003", "parameters": {}, "dev": scores(0.7)},
    "default": {"trial": "0000", "parameters": {}, "dev": scores(0.5)},
    "model": "final/0003/seed-2",
    "tests": {f"final/{trial}/seed-{seed}": scores(0.5)
              for trial in ("0003", "0000") for seed in (1, 2)},
    "goal": {
        "objective": "pareto",
        "aim": {"tasks": ["intent"], "floors": {}, "limits": {}},
        "front": [{"trial": "0003", "scores": {"intent": 0.7}, "parameters": {}}],
        "chosen": "0003",
        "measured": {"0001": {"parameters": 5.0}},
        "missed": {"0002": {"parameters": 0.1}},
    },
    "finals": {
        "recipes": [recipe("0003", 0.6), recipe("0000", 0.5)],
        "chosen": "0003",
        "differences": [DIFFERENCE],
    },
    "choices": [{"date": "2026-01-01", "chosen": "0003", "scored": ["final/0003/seed-1"]}],
    "baselines": {
        "intent": {"folder": "alone/intent-1", "trial": "0000", "together": "0003",
                   "difference": DIFFERENCE, "verdict": "gained"},
    },
}  # fmt: skip
SCORED: dict[str, Any] = {
    "tests": {"final/0003/seed-1": scores(0.5), "0001+decoding": None},
    "unseen": {"final/0003/seed-1": None},
    "rows": 10,
    "model": {"run": "final/0003/seed-1", "decoding": {}},
    "choices": RESULT["choices"],
}
ID = re.compile(r"(final/)?\d{4}(/seed-\d+)?(\+decoding)?")


def places(tree: Any, path: str = "") -> Iterator[tuple[str, Any, Any, bool]]:
    """Every id in plain data: dotted key, what holds it, its key there, whether it is a key."""
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        value, name = tree[key], f"{path}{key}"
        if isinstance(key, str) and ID.fullmatch(key):
            yield name, tree, key, True
        if isinstance(value, str) and ID.fullmatch(value):
            yield name, tree, key, False
        if isinstance(value, dict | list):
            yield from places(value, f"{name}.")


def with_id(tree: Any, place: str, name: str) -> Any:
    """Plain data with another id in one place."""
    changed = copy.deepcopy(tree)
    [(holder, key, is_key)] = [found[1:] for found in places(changed) if found[0] == place]
    if is_key:
        holder[name] = holder.pop(key)
    else:
        holder[key] = name
    return changed


def read(tmp_path: Path, file: str, content: Any) -> None:
    folder = StudyFolder(tmp_path)
    (tmp_path / file).write_text(json.dumps(content))
    read_result(folder)
    read_scoring(folder, Result())


FILES = {"result.json": RESULT, "scored.json": SCORED}
EVERY = [(file, found[0]) for file, tree in FILES.items() for found in places(tree)]


def test_what_agrees_is_read(tmp_path: Path) -> None:
    assert len(EVERY) > 30
    for file, content in FILES.items():
        read(tmp_path, file, content)


@pytest.mark.parametrize("name", ["../../etc", "/etc", "", "1", "0003\n", "final/0003/../seed-1"])
@pytest.mark.parametrize(("file", "place"), EVERY)
def test_what_is_no_id_is_refused_by_its_key(
    file: str, place: str, name: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as told:
        read(tmp_path, file, with_id(FILES[file], place, name))
    text = str(told.value)
    assert text.startswith(f"{tmp_path}/{file}: a file of the study is broken: ")
    assert "expected" in text
    assert "found '" in text
    assert "put it back from a copy" in text
    assert "\n" not in text


ELSEWHERE = [
    (file, place)
    for file, place in EVERY
    # Trials that lost, runs that were scored, and the recipe of a task alone stand there alone.
    if not place.startswith(("tests.", "goal.m", "choices.", "baselines.intent.trial"))
    and "baselines.intent.difference" not in place
]


@pytest.mark.parametrize(("file", "place"), ELSEWHERE)
def test_an_id_that_stands_nowhere_else_is_refused(file: str, place: str, tmp_path: Path) -> None:
    changed = with_id(FILES[file], place, "0099" if "/" not in place else "final/0099/seed-7")
    with pytest.raises(ConfigError, match=r": a file of the study is broken: .*0099"):
        read(tmp_path, file, changed)


def no_recipes(result: Any) -> None:
    result["finals"]["recipes"] = []


def no_seeds(result: Any) -> None:
    result["finals"]["recipes"][0]["seeds"] = []


def a_recipe_twice(result: Any) -> None:
    result["finals"]["recipes"][1] = result["finals"]["recipes"][0]


def a_run_twice(result: Any) -> None:
    result["finals"]["recipes"][0]["seeds"] *= 2


def no_score(result: Any) -> None:
    del result["finals"]["recipes"][0]["seeds"][1]["dev"]["combined"]


def another_order(result: Any) -> None:
    result["finals"]["recipes"].reverse()


def another_claim(result: Any) -> None:
    result["finals"]["differences"][0]["claim"] = "worse"


def another_verdict(result: Any) -> None:
    result["baselines"]["intent"]["verdict"] = "lost"


def another_model(result: Any) -> None:
    result["model"] = "final/0003/seed-1"


def another_status(result: Any) -> None:
    result["status"] = "failed"


def no_best(result: Any) -> None:
    del result["best"]


def no_objective(result: Any) -> None:
    result["goal"]["front"][0]["scores"] = {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict.clear, "there is no 'status'"),
        (no_best, "there is no 'best'"),
        (no_recipes, "finals.recipes: expected one recipe or more, found none"),
        (no_seeds, "finals.recipes.0.seeds: expected the runs of the recipe that was chosen"),
        (a_recipe_twice, "finals.recipes: expected each recipe once, found 0003, 0003"),
        (a_run_twice, "finals.recipes.0.seeds: expected each run once"),
        (no_score, "finals.recipes.0.seeds.1.dev: there is no 'combined'"),
        (another_order, "finals.recipes.0: expected 0003, which was chosen, found 0000"),
        (another_claim, "finals.differences.0.claim: expected better, found 'worse'"),
        (another_verdict, "baselines.intent.verdict: expected gained, found 'lost'"),
        # The run with the best score on dev gave its model.
        (another_model, "model: expected final/0003/seed-2, found 'final/0003/seed-1'. Did you"),
        (another_status, "status: expected complete, found 'failed'"),
        (no_objective, "goal.front.0.scores: there is no 'intent'"),
    ],
)
def test_a_result_that_contradicts_itself_is_refused(
    change: Callable[[Any], None], message: str, tmp_path: Path
) -> None:
    changed = copy.deepcopy(RESULT)
    change(changed)
    with pytest.raises(ConfigError) as told:
        read(tmp_path, "result.json", changed)
    begin = f"{tmp_path}/result.json: a file of the study is broken: {message}"
    assert str(told.value).startswith(begin)


def test_the_nearest_name_is_offered(tmp_path: Path) -> None:
    changed = with_id(RESULT, "finals.chosen", "0030")
    with pytest.raises(ConfigError, match=r"one of 0003, 0000, found '0030'\. Did you mean '0"):
        read(tmp_path, "result.json", changed)


def test_a_trial_that_the_journal_does_not_know_is_refused_by_commands(tmp_path: Path) -> None:
    folder = small_studies(tmp_path)["finished"]
    path = folder / "result.json"
    result = json.loads(path.read_text())
    result["best"]["trial"] = result["goal"]["chosen"] = result["model"] = "0099"
    path.write_text(json.dumps(result))
    for words in (["status", str(folder)], ["report", str(folder)]):
        found = answer_of(words, [folder])
        assert (found.code, found.trace, found.stderr.count("\n")) == (2, "", 1)
        assert f"{path}: a file of the study is broken: best.trial: there is no" in found.stderr
        assert "trial 0099; optuna.journal has 3 trials; put it back from a copy" in found.stderr
