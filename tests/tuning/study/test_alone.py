"""The studies of one task that a study's baselines are, and the folders in which they are found."""

from collections.abc import Mapping
from typing import Any

import pytest

from mtl_core.errors import ConfigError
from mtl_core.study_file import Document, Origin, override
from tuning.study.alone import alone_studies, kept_study
from tuning.study.config import StudyFile
from tuning.study.goal_check import goal_errors
from tuning.study.identity import differences

RUN = {
    "datasets": {
        "a": {"kind": "sample"},
        "b": {"kind": "sample", "limit": {"train": 9}},
        "more": {"kind": "sample"},
    },
    "tasks": {
        "intent": {"kind": "classification", "dataset": "a", "column": "intent", "weight": 3.0},
        "slots": {"kind": "tagging", "dataset": ["a", "b"], "column": "slots"},
        "words": {"kind": "masked_lm", "dataset": "more", "auxiliary": True},
    },
    "weighting": {"kind": "uncertainty"},
    "mixing": {"kind": "uniform"},
    "training": {"gradients_every": 10, "epochs": 4},
}
SEARCH = {
    "optimizer.head_lr": {"log_range": [1e-4, 1e-2]},
    "tasks.slots.weight": {"range": [0.5, 2.0]},
    "tasks.slots.crf": {"choice": [False, True]},
    "weighting": {"choice": [{"kind": "fixed"}, {"kind": "dwa"}]},
    "mixing.kind": {"choice": ["uniform", "proportional"]},
    "shares": {"simplex": ["tasks.intent.weight", "tasks.words.weight"]},
    "datasets.b.limit.train": {"int_range": [5, 9]},
    "try": [{"optimizer.head_lr": 1e-3, "tasks.slots.crf": True}, {"tasks.slots.weight": 1.0}],
}
STUDY = {"name": "many", "storage": "/runs", "trials": 7, "baselines": "tuned", "hours": 2}


def study_of(**changes: object) -> StudyFile:
    whole: dict[str, Any] = {"run": RUN, "search": SEARCH, "study": STUDY}
    return StudyFile.model_validate(override(whole, changes))


def study(**changes: object) -> StudyFile:
    return study_of(**{key.replace("__", "."): value for key, value in changes.items()})


def alone(task: str, **changes: object) -> StudyFile:
    return alone_studies(study(**changes))[task]


def test_each_task_that_counts_is_alone_with_its_own_data() -> None:
    found = alone_studies(study())
    assert list(found) == ["intent", "slots"]
    assert list(found["intent"].run.tasks) == ["intent"]
    assert list(found["intent"].run.datasets) == ["a"]
    assert list(found["slots"].run.datasets) == ["a", "b"]
    assert found["intent"].run.training.epochs == 4
    assert alone_studies(study(study__baselines="none")) == {}


def test_what_weighs_and_mixes_tasks_is_left_out() -> None:
    run = alone("intent").run
    assert run.tasks["intent"].weight == 1
    assert run.weighting.kind == "fixed"
    assert run.training.gradients_every is None
    # Two data sets of one task are still mixed.
    assert (run.mixing.kind, alone("slots").run.mixing.kind) == ("proportional", "uniform")


def test_the_search_keeps_what_is_about_the_task() -> None:
    assert list(alone("intent").search.entries) == ["optimizer.head_lr"]
    slots = alone("slots")
    assert list(slots.search.entries) == [
        "optimizer.head_lr", "tasks.slots.crf", "mixing.kind", "datasets.b.limit.train",
    ]  # fmt: skip
    assert alone("intent").search.listed == ({"optimizer.head_lr": 1e-3},)
    assert slots.search.listed == ({"optimizer.head_lr": 1e-3, "tasks.slots.crf": True},)
    assert (slots.trials, slots.study.hours) == (7, 2)


def test_the_default_recipe_alone_is_one_trial() -> None:
    found = alone("slots", study__baselines="default")
    assert (found.trials, found.study.hours) == (1, None)
    assert not found.search.entries
    # It is the same for whatever sampler: nothing is drawn.
    other = alone("slots", study__baselines="default", study__sampler={"kind": "random"})
    assert kept_study(found, {}).folder == kept_study(other, {}).folder


def test_a_tuned_baseline_may_have_trials_of_its_own() -> None:
    found = alone("slots", study__baselines={"kind": "tuned", "trials": 3})
    assert found.trials == 3


def test_kinds_that_need_what_only_the_study_searches_give_way() -> None:
    search = {"freezing.kind": {"choice": ["none", "embeddings"]}, **{
        f"tasks.{name}.weight": {"range": [0.5, 2.0]} for name in ("intent", "slots")
    }}  # fmt: skip
    scheduler = {"kind": "pbt"}
    found = alone("intent", search=search, study__scheduler=scheduler)
    assert found.study.scheduler.kind == "asha"
    search = {**search, "optimizer.head_lr": {"log_range": [1e-4, 1e-2]}}
    found = alone("intent", search=search, study__scheduler=scheduler)
    assert found.study.scheduler.kind == "pbt"


SAME: Mapping[str, Mapping[str, object]] = {
    # What the task alone has nothing of makes no other baseline of it.
    "another objective": {"study.objective": {"kind": "minimum"}},
    "another weight": {"run.tasks.intent.weight": 0.5},
    "another weighting": {"run.weighting": {"kind": "fixed"}},
    "another task": {"run.tasks.slots.crf": True},
    "without the third task": {"run.tasks.words.weight": 0.0},
    "another name": {"study.name": "else"},
    "more resources": {"study.resources": {"workers": 2}},
    "floors": {"study.constraints": {"floors": {"slots": 0.5}}},
    "finals": {"study.finals": {"seeds": 3}},
}
OTHER: Mapping[str, Mapping[str, object]] = {
    "another encoder": {"run.encoder.weights": "random"},
    "longer": {"run.training.epochs": 5},
    "another seed": {"run.seed": 1},
    "more trials": {"study.trials": 8},
    "less time": {"study.hours": 1},
    "another range": {"search.optimizer.head_lr": {"log_range": [1e-4, 1e-1]}},
    "another task": {"run.tasks.intent.label_smoothing": 0.1},
}


@pytest.mark.parametrize("changes", SAME.values(), ids=list(SAME))
def test_studies_that_need_the_same_find_it_in_the_same_folder(
    changes: Mapping[str, object],
) -> None:
    first = kept_study(alone("intent"), {"data": "hash"})
    second = kept_study(alone_studies(study_of(**_set(changes)))["intent"], {"data": "hash"})
    assert first.folder == second.folder
    assert str(first.folder).startswith("/runs/alone/intent-")
    assert not differences(first, second)


@pytest.mark.parametrize("changes", OTHER.values(), ids=list(OTHER))
def test_whatever_the_scores_hang_on_makes_another_folder(changes: Mapping[str, object]) -> None:
    first = kept_study(alone("intent"), {"data": "hash"})
    second = kept_study(alone_studies(study_of(**_set(changes)))["intent"], {"data": "hash"})
    assert first.folder != second.folder
    assert first.folder != kept_study(alone("intent"), {"data": "another"}).folder


def _set(changes: Mapping[str, object]) -> dict[str, Any]:
    """A key of `search` has dots of its own, and `override` would cut it there."""
    found = {key: value for key, value in changes.items() if not key.startswith("search.")}
    search = {
        key.removeprefix("search."): value
        for key, value in changes.items()
        if key.startswith("search.")
    }
    return {**found, **({"search": {**SEARCH, **search}} if search else {})}


def test_baselines_may_come_later_but_for_an_objective_that_needs_them() -> None:
    assert not differences(study(study__baselines="none"), study())
    relative = {"kind": "relative_gain"}
    before = study(study__objective=relative, study__baselines="default")
    assert list(differences(before, study(study__objective=relative))) == [
        "study.baselines.kind", "study.baselines.trials",
    ]  # fmt: skip


def errors(**changes: object) -> list[str]:
    document = Document({}, {(): Origin(is_override=False, line=0, text="study.yaml")})
    return list(goal_errors(document, study(**changes)))


def test_a_relative_gain_needs_scores_of_tasks_alone() -> None:
    relative = {"kind": "relative_gain", "baselines": {"intent": 0.9}}
    [error] = errors(study__objective=relative, study__baselines="none")
    assert error.startswith("study.yaml: study.objective: relative_gain needs the score of slots")
    assert errors(study__objective=relative) == []
    [error] = errors(study__objective={"kind": "relative_gain", "baselines": {"intents": 0.9}})
    assert "study.objective.baselines.intents: no task 'intents'" in error


def test_a_study_of_one_task_has_no_baselines() -> None:
    run = {
        **RUN,
        "tasks": {"intent": RUN["tasks"]["intent"]},
        "datasets": {"a": RUN["datasets"]["a"]},
    }
    [error] = errors(run=run, search={})
    assert "study.baselines: found 'tuned', but the study has one task alone already" in error


def test_a_kind_of_baselines_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="tuned"):
        study(study__baselines="best")


def test_a_task_that_cannot_be_alone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise ConfigError("run.tasks: no")

    monkeypatch.setattr("tuning.study.alone.validate_data", refused)
    with pytest.raises(ConfigError, match=r"study\.baselines: the task 'intent' cannot be trained"):
        alone_studies(study())
