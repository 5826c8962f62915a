"""What is read at decoding alone, in a study file: searched apart from what trials differ in."""

from pathlib import Path

import pytest
import yaml

from mtl_core.errors import ConfigError
from tuning.study.config import StudyFile
from tuning.study.identity import differences
from tuning.study.load import load_study

VITERBI = {"tasks.slots.decoding": {"choice": ["argmax", "viterbi"]}}
RATE = {"optimizer.head_lr": {"log_range": [1e-4, 1e-2]}}


def loaded(
    folder: Path, search: dict[str, object], *assignments: str, **study: object
) -> StudyFile:
    tasks = {
        "intent": {"kind": "classification", "dataset": "sample", "column": "intent"},
        "slots": {"kind": "tagging", "dataset": "sample", "column": "slots"},
    }
    path = folder / "study.yaml"
    run = {"datasets": {"sample": {"kind": "sample"}}, "tasks": tasks}
    study = {"storage": str(folder / "runs"), **study}
    path.write_text(yaml.safe_dump({"run": run, "search": search, "study": study}))
    return load_study(str(path), assignments)


def test_trials_do_not_differ_in_what_is_read_at_decoding(tmp_path: Path) -> None:
    study = loaded(tmp_path, {**RATE, **VITERBI}, trials=5)
    assert [one.name for one in study.space.parameters] == ["optimizer.head_lr"]
    assert [one.name for one in study.decoding_space.parameters] == ["tasks.slots.decoding"]
    assert study.own_decoding == {"tasks.slots.decoding": "argmax"}
    assert study.default_parameters.keys() == {"optimizer.head_lr"}
    assert study.trials == 5


def test_with_decoding_alone_there_is_one_trial(tmp_path: Path) -> None:
    assert loaded(tmp_path, VITERBI).trials == 1
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, VITERBI, trials=3)
    assert str(caught.value).endswith(
        "study.trials: with nothing to search but what is searched without training only the "
        "default recipe is run; expected 1, found 3"
    )


def test_a_section_that_holds_more_than_decoding_is_a_part_of_the_recipe(tmp_path: Path) -> None:
    whole = {"kind": "tagging", "dataset": "sample", "column": "slots"}
    search = {"tasks.slots": {"choice": [whole, {**whole, "crf": True}]}}
    study = loaded(tmp_path, search)
    assert not study.decoding_space
    assert study.space


@pytest.mark.parametrize(
    ("search", "assignments", "expected"),
    [
        (
            {"tasks.slots.decoding": {"choice": ["argmax", "beam"]}},
            (),
            "study.yaml:11: search.tasks.slots.decoding: expected 'argmax' or 'viterbi', found "
            "'beam'",
        ),
        (
            VITERBI,
            ("tasks.slots.auxiliary=true",),
            "study.yaml:11: search.tasks.slots.decoding: the task 'slots' is auxiliary, so how it "
            "is decoded does not count in the objective; leave it out",
        ),
        (
            {"tasks.slots.decoding": {**VITERBI["tasks.slots.decoding"],
                                      "prior": {"likely": "viterbi"}}},
            (),
            "study.yaml:11: search.tasks.slots.decoding: found a prior, of which no use is made "
            "where a key is searched without training; leave it out",
        ),
        (
            {**RATE, **VITERBI, "try": [{"tasks.slots.decoding": "viterbi"}]},
            (),
            "search.try[0]: tasks.slots.decoding: is searched without training, on the model of "
            "each trial; leave it out",
        ),
        (
            {**VITERBI, "tasks.slots": {"choice": [{"kind": "tagging"}, {"kind": "masked_lm"}]}},
            (),
            "search.tasks.slots.decoding: lies inside 'tasks.slots', which is searched as a whole",
        ),
    ],
)  # fmt: skip
def test_a_space_that_cannot_be_searched_is_refused(
    tmp_path: Path, search: dict[str, object], assignments: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, search, *assignments)
    [line] = str(caught.value).splitlines()
    assert line.endswith(expected.removeprefix("study.yaml:11: "))


def test_a_study_goes_on_when_other_decoding_is_searched(tmp_path: Path) -> None:
    before, now = loaded(tmp_path, RATE), loaded(tmp_path, {**RATE, **VITERBI}, decoding_tries=3)
    assert differences(before, now) == {}
    own = loaded(tmp_path, RATE, "tasks.slots.decoding=viterbi")
    assert list(differences(before, own)) == ["run.tasks.slots.decoding"]
