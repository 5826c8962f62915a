"""The Optuna journal: another form of it is noticed before a byte is written."""

import json
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage

from mtl_core.errors import ConfigError
from tuning.study.journal import open_optuna, read_optuna


def open_journal(path: Path) -> optuna.Study:
    return open_optuna(path, name="demo", sampler=optuna.samplers.RandomSampler(seed=0))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def a_trial(study: optuna.Study) -> None:
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.set_user_attr("overrides", {})
    trial.report(0.5, 1)
    study.tell(trial, 0.5)


def test_the_form_is_that_of_optuna_5_0(tmp_path: Path) -> None:
    """What Optuna 5.0 writes, line by line; with another minor version look at these again."""
    assert optuna.__version__.startswith("5.0.")
    study = open_journal(tmp_path / "journal")
    study.enqueue_trial({"x": 0.5})
    a_trial(study)
    study.set_user_attr("seconds", 1.0)
    lines = (tmp_path / "journal").read_text().splitlines()
    found = [list(json.loads(line).items()) for line in lines]
    forms = [(log[0][1], *(key for key, _ in log[2:])) for log in found]
    assert {log[0][0] for log in found} == {"op_code"}
    assert {log[1][0] for log in found} == {"worker_id"}
    assert forms == [
        (0, "study_name", "directions"),
        (
            *(4, "study_id", "datetime_start", "state", "value", "values", "distributions"),
            *("params", "user_attrs", "system_attrs", "intermediate_values"),
        ),
        (6, "trial_id", "state", "values", "datetime_start"),
        (5, "trial_id", "param_name", "param_value_internal", "distribution"),
        (8, "trial_id", "user_attr"),
        (7, "trial_id", "step", "intermediate_value"),
        (6, "trial_id", "state", "values", "datetime_complete"),
        (2, "study_id", "user_attr"),
    ]


def test_several_objectives_have_names_and_are_what_optuna_reads_by_itself(tmp_path: Path) -> None:
    journal, names = tmp_path / "journal", ["intent.accuracy", "slots.f1"]
    sampler = optuna.samplers.RandomSampler(seed=0)
    for _ in range(2):  # Opened again it is the same study.
        study = open_optuna(journal, name="demo", sampler=sampler, objectives=names)
    for values in ([0.5, 0.75], [0.25, 0.5]):
        trial = study.ask()
        trial.set_constraint("floors.intent", -0.5)
        study.tell(trial, values)
    study.tell(study.ask(), state=optuna.trial.TrialState.PRUNED)
    assert read_optuna(journal).best_trials[0].values == [0.5, 0.75]
    storage = JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
    plain = optuna.load_study(storage=storage, study_name="demo")
    assert plain.metric_names == names
    assert [trial.constraints for trial in plain.best_trials] == [{"floors.intent": -0.5}]
    whole = journal.read_text()
    journal.write_text(whole.replace("[0.5,0.75]", "[0.5]"))
    with pytest.raises(ConfigError, match="trial 0 has 1 values in a study of 2"):
        read_optuna(journal)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"op_code": 12, "worker_id": "w", "trial_id": 0}, "op_code: expected "),
        ({"op_code": "tell", "worker_id": "w"}, "op_code: expected "),
        (["tell", 0, 0.5], "expected a section, found a list"),
        (
            {"op_code": 7, "worker_id": "w", "trial_id": 0, "step": 2},
            "there is no 'intermediate_value'",
        ),
        (
            {"op_code": 6, "worker_id": "w", "trial_id": 0, "state": 1, "values": [1], "why": "x"},
            "why: no such key is known",
        ),
        (
            {"op_code": 3, "worker_id": "w", "study_id": 0}
            | {"system_attr": {"NSGAIISampler:parent:1": [0, 1]}},
            "NSGAIISampler:parent:1: expected trials that were begun",
        ),
        (
            {"op_code": 3, "worker_id": "w", "study_id": 0}
            | {"system_attr": {"study:metric_names": ["intent"]}},
            "study:metric_names: expected the names of several objectives",
        ),
    ],
)
def test_a_journal_of_another_form_is_refused_before_a_byte_is_written(
    tmp_path: Path, line: object, said: str
) -> None:
    journal = tmp_path / "journal"
    a_trial(open_journal(journal))
    with journal.open("a") as file:
        # The end as a killed driver leaves it, which is cut in a journal of the known form.
        file.write(json.dumps(line) + '\n{"op_code": 4, "wor')
    before = contents(tmp_path)
    for open_it in (open_journal, read_optuna):
        with pytest.raises(ConfigError, match=said) as caught:
            open_it(journal)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"{journal}:7: a file of the study is broken: ")
    assert contents(tmp_path) == before


def another_major(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optuna, "__version__", "6.0.0")


def reports_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_value(self: JournalStorage, trial_id: int, step: int, value: float) -> None:
        self.set_trial_user_attr(trial_id, f"report:{step}", value)

    monkeypatch.setattr(JournalStorage, "set_trial_intermediate_value", set_value)


def states_of_other_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    tell = JournalStorage.set_trial_state_values

    def set_state(
        self: JournalStorage, trial_id: int, state: optuna.trial.TrialState, values: object = None
    ) -> bool:
        if state == optuna.trial.TrialState.PRUNED:
            state = optuna.trial.TrialState.FAIL
        return tell(self, trial_id, state, values)

    monkeypatch.setattr(JournalStorage, "set_trial_state_values", set_state)


@pytest.mark.parametrize("change", [another_major, reports_elsewhere, states_of_other_numbers])
@pytest.mark.parametrize("is_new", [True, False])
def test_an_optuna_that_would_write_another_form_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: object, is_new: bool
) -> None:
    journal = tmp_path / "journal"
    if not is_new:
        a_trial(open_journal(journal))
        with journal.open("a") as file:
            file.write('{"op_code": 4, "wor')
    before = contents(tmp_path)
    assert callable(change)
    change(monkeypatch)
    with pytest.raises(ConfigError, match=r"writes its journal in another form than") as caught:
        open_journal(journal)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == before
