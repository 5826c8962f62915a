"""Mistakes of a first day: each is answered by one line that names what was meant."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Mtl

ROWS = "text,label\n" + "".join(f"word {n},{'ab'[n % 2]}\n" for n in range(40))
STUDY = """run:
  encoder: {{name: {encoder}}}
  datasets:
    tickets:
      kind: csv
      splits: {{train: {file}, dev: 0.2}}
  tasks:
    label: {{kind: classification, dataset: tickets, column: label}}
  training: {{epochs: 1, precision: fp32}}
study: {{trials: 1}}
"""
Answer = Callable[..., str]


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_encoder: Path, mtl: Mtl) -> Answer:
    """The current folder has study.yaml, tickets.csv and more; returns what a command says."""
    monkeypatch.chdir(tmp_path)
    Path("tickets.csv").write_text(ROWS, encoding="utf-8")
    Path("tickets.jsonl").write_text('{"text": "a", "label": "b"}\n', encoding="utf-8")
    Path("names.conll").write_text("Rome B-LOC\nis O\n", encoding="utf-8")
    Path("rows.json").write_text('[{"text": "a"}]', encoding="utf-8")
    for name, file in {"study.yaml": "tickets.csv", "typo.yaml": "ticket.csv"}.items():
        text = STUDY.format(encoder=tiny_encoder, file=file)
        Path(name).write_text(text, encoding="utf-8")

    def run(*arguments: str) -> str:
        outcome = mtl(*arguments)
        assert outcome.code == 2
        return outcome.err

    return run


@pytest.mark.parametrize("command", ["check", "train", "tune"])
@pytest.mark.parametrize("file", ["tickets.csv", "tickets.jsonl", "names.conll"])
def test_data_in_place_of_a_study(answer: Answer, command: str, file: str) -> None:
    expected = f"this is data, no study file; `mtl init {file}` writes a study file for it"
    assert answer(command, file) == f"error: {file}: {expected}\n"


def test_a_list_in_place_of_a_study(answer: Answer) -> None:
    assert re.fullmatch(
        r"error: rows\.json: .*found a list; .*`mtl init rows\.json`.*\n",
        answer("check", "rows.json"),
    )


def test_a_missing_file_is_told_with_its_key_and_the_nearest_name(answer: Answer) -> None:
    assert re.fullmatch(
        r"error: run\.datasets\.tickets\.splits\.train: \S+/ticket\.csv: there is no such file\. "
        r"Did you mean 'tickets\.csv'\?\n",
        answer("check", "typo.yaml"),
    )


@pytest.mark.parametrize(
    ("assignment", "section", "name", "meant"),
    [
        ("tasks.labl.weight=2", "tasks", "labl", "label"),
        ("datasets.ticket.limit=5", "datasets", "ticket", "tickets"),
    ],
)
def test_an_override_inside_of_what_is_not_there(
    answer: Answer, assignment: str, section: str, name: str, meant: str
) -> None:
    assert answer("check", "study.yaml", "--set", assignment) == (
        f"error: --set {assignment}: run.{section} has no '{name}'; allowed: {meant}. "
        f"Did you mean '{meant}'?\n"
    )


def test_overrides_may_make_a_new_task_key_by_key(answer: Answer, mtl: Mtl) -> None:
    keys = ["kind=classification", "dataset=tickets", "column=label"]
    typed = [word for key in keys for word in ("--set", f"tasks.again.{key}")]
    assert mtl("check", "study.yaml", *typed).code == 0


@pytest.mark.parametrize("output", ["tickets.csv", "tickets.csv/run"])
def test_a_file_as_the_folder_of_a_run(answer: Answer, output: str) -> None:
    # The data are not there, so an answer that reads them first is another one.
    said = answer("train", "typo.yaml", "--output", output)
    assert said == f"error: --output: cannot write to {output}: tickets.csv is a file, no folder\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ticket.csv"], "ticket.csv: there is no such file. Did you mean 'tickets.csv'?"),
        (["study.yaml"], "study.yaml: this is a study file, no data; `mtl check study.yaml` .*"),
        (["tickets.csv"], "study.yaml: .* there already; --force replaces it, --output FILE .*"),
        (["tickets.csv", "--output", "."], "--output: . is a folder; expected a file, .*"),
        (["tickets.csv", "--output", ".", "--force"], "--output: . is a folder; expected .*"),
    ],
)
def test_init_on_what_it_cannot_use(answer: Answer, arguments: list[str], message: str) -> None:
    pattern = message.replace("?", r"\?")
    assert re.fullmatch(rf"error: {pattern}\n", answer("init", *arguments))


@pytest.mark.parametrize(
    ("assignment", "meant"),
    [("epochs=2", "training.epochs"), ("encoder_lr=0.1", "optimizer.encoder_lr")],
)
def test_a_key_of_another_section(answer: Answer, assignment: str, meant: str) -> None:
    said = answer("check", "study.yaml", "--set", assignment)
    assert said.startswith(f"error: --set {assignment}: unknown key ")
    assert said.endswith(f" Did you mean '{meant}'?\n")


def test_a_key_of_a_data_set_is_no_key_of_another_section(answer: Answer) -> None:
    assert "Did you mean" not in answer("check", "study.yaml", "--set", "datasets.tickets.seed=a")


def test_keys_at_the_wrong_level_of_the_file(answer: Answer) -> None:
    text = Path("study.yaml").read_text(encoding="utf-8")
    text = text.replace("  tasks:", "  epochs: 2\n  tasks:") + "trials: 3\n"
    Path("study.yaml").write_text(text, encoding="utf-8")
    first, second = answer("check", "study.yaml").splitlines()
    assert re.match(r"error: study\.yaml:7: .*'run\.epochs'.* mean 'training\.epochs'\?$", first)
    assert re.match(r"error: study\.yaml:12: .*'trials'.* mean 'study\.trials'\?$", second)


def test_a_misspelt_key_that_has_to_be_there_is_one_mistake(answer: Answer) -> None:
    text = Path("study.yaml").read_text(encoding="utf-8")
    Path("study.yaml").write_text(text.replace("column:", "colunm:"), encoding="utf-8")
    [line] = answer("check", "study.yaml").splitlines()
    assert re.match(r"error: study\.yaml:8: unknown key .*colunm'.* mean 'column'\?$", line)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["train", "study.yaml", "--epochs", "3"], "--set training.epochs=3"),
        (["train", "study.yaml", "--encoder-lr=3"], "--set optimizer.encoder_lr=3"),
        (["tune", "study.yaml", "--trials", "3"], "--set study.trials=3"),
        (["check", "study.yaml", "--set", "training.epochs", "2"], "--set training.epochs=2"),
    ],
)
def test_keys_in_place_of_options(answer: Answer, words: list[str], hint: str) -> None:
    assert hint in " ".join(re.sub("[\u2500-\u257f]", " ", answer(*words)).split())


def test_an_option_that_is_no_key_gets_no_hint(answer: Answer) -> None:
    assert "--set" not in answer("train", "study.yaml", "--colour")
