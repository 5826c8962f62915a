"""The command line: exit codes, one line for each mistake, what commands print and leave behind."""

import importlib
import inspect
import json
import pkgutil
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

import tuning.cli
from mtl_core.errors import TrainingError
from mtl_core.study_file import dump
from tuning.cli.app import app
from tuning.cluster.planner import Node
from tuning.study.finals import FinalsSection
from tuning.study.load import load_study

STUDY = """run:
  encoder: {{name: {encoder}}}
  datasets: {{corpus: {{kind: seq_in_out, path: {corpus}}}}}
  tasks:
    intent: {{kind: classification, dataset: corpus, column: intent}}
    slots: {{kind: tagging, dataset: corpus, column: slots}}
  training: {{epochs: 2, batch_size: 16, precision: fp32}}
search:
  optimizer.head_lr: {{log_range: [1.0e-4, 1.0e-2]}}
study: {{trials: 2}}
"""


@pytest.fixture
def workplace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus: Path, tiny_encoder: Path
) -> Path:
    """The current folder: study.yaml, and things that are broken."""
    monkeypatch.chdir(tmp_path)
    text = STUDY.format(encoder=tiny_encoder, corpus=corpus)
    Path("study.yaml").write_text(text, encoding="utf-8")
    Path("latin.yaml").write_bytes(b"run:\n  seed: \xe9\n")
    for name in ("empty", "uneven", "latin"):
        shutil.copytree(corpus, name)
    for file in Path("empty/dev").iterdir():
        file.write_text("", encoding="utf-8")
    tags = Path("uneven/dev/seq.out").read_text(encoding="utf-8").splitlines(keepends=True)
    Path("uneven/dev/seq.out").write_text("".join(tags[:-1]), encoding="utf-8")
    Path("latin/dev/label").write_bytes(b"caf\xe9\n" * 24)
    shutil.copytree(tiny_encoder, "weightless", ignore=shutil.ignore_patterns("*.safetensors"))
    return tmp_path


@pytest.mark.parametrize(
    ("study", "assignment", "message"),
    [
        ("study.yaml", "training.epoch=3", "--set training.epoch=3: unknown key .* 'epochs'"),
        ("study.yaml", "training.epochs=x", "--set training.epochs=x: expected a whole number"),
        ("study.yaml", "training.epochs", "--set training.epochs: expected key=value"),
        ("nowhere.yaml", "seed=1", r"nowhere.yaml: no such file\."),
        ("demoo", "seed=1", "demoo: .*bundled: atis, demo, .*translation. Did you mean 'demo'"),
        ("latin.yaml", "seed=1", "latin.yaml:2: not UTF-8: byte 0xe9"),
        ("study.yaml", "datasets.corpus.path=gone", "gone/train/seq.in: .*No such file"),
        ("study.yaml", "tasks.intent.dataset=corps", "no data set 'corps'.*Did you mean 'corpus'"),
        (
            "study.yaml",
            "search.seeds={int_range: [0, 1]}",
            "search.seeds=.*unknown key 'run.seeds'",
        ),
        ("study.yaml", "search.seed={int_range: [-1, 1]}", "expected a number greater than or"),
        ("study.yaml", "tasks={}", "--set tasks={}: .*at least 1"),
        ("study.yaml", "study.resources.workers=999", "study.resources: .*999 workers .*would fit"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(workplace, mtl, study, assignment, message):
    outcome = mtl("tune", study, "--set", assignment)
    assert outcome.code == 2
    assert re.fullmatch(rf"error: .*{message}.*\n", outcome.err)
    assert not (workplace / "runs").exists()


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("datasets.corpus.path=empty", "data set 'corpus': split 'dev' is empty"),
        ("datasets.corpus.path=uneven", "uneven/dev/seq.out:23: .*seq.out 23"),
        ("datasets.corpus.path=latin", "latin/dev/label:1: .*UTF-8"),
        ("tasks.intent.column=intnt", "no column 'intnt'"),
        ("encoder.name=./weightless", "weightless holds no weights"),
    ],
)
def test_what_is_found_while_ray_starts_is_one_line_too(
    workplace, mtl, monkeypatch, assignment, message
):
    """With a Ray that never starts; with a real one, data that are not there (above)."""
    ray = Mock(side_effect=lambda *_, **__: nullcontext(Mock(side_effect=AssertionError)))
    monkeypatch.setattr("tuning.run.tune.cluster", ray)
    outcome = mtl("tune", "study.yaml", "--set", assignment)
    assert outcome.code == 2
    assert re.fullmatch(rf"error: .*{message}.*\n", outcome.err)
    assert not (workplace / "runs").exists()
    ray.assert_called_once()


@pytest.mark.parametrize(
    ("first", "second", "lines"),
    [
        ("tasks.intent.weight=0", "tasks.slots.weight=0", ["study.yaml:4: .*the weights of all"]),
        ("seed=-1", "study.trials=no", ["--set seed=-1: .*", "--set study.trials=no: .*"]),
    ],
)
def test_every_error_has_its_own_line(workplace, mtl, first, second, lines):
    outcome = mtl("check", "study.yaml", "--set", first, "--set", second)
    assert outcome.code == 2
    assert re.fullmatch("".join(rf"error: {line}.*\n" for line in lines), outcome.err)


def test_a_study_folder_of_another_space_is_kept_and_a_new_name_offered(workplace, mtl):
    folder = workplace / "runs/study"
    folder.mkdir(parents=True)
    before = dump(load_study("study.yaml", ["search.optimizer.head_lr={range: [1, 2]}"]))
    (folder / "study.yaml").write_text(before, encoding="utf-8")
    outcome = mtl("tune", "study.yaml")
    assert outcome.code == 2
    offer = r"error: .*search.optimizer.head_lr.range = \[1.0, 2.0\].*study.name=study-2\n"
    assert re.fullmatch(offer, outcome.err)
    assert [path.name for path in folder.iterdir()] == ["study.yaml"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "."], "no model in this folder"),
        (["predict", ".", "hello"], "no model in this folder"),
        (["predict", ".", "hello", "--file", "study.yaml"], "--file: give texts or a file"),
        (["predict", ".", "--file", "gone.txt"], "gone.txt: .*No such file"),
        (["report", "empty"], "not a study folder"),
        (["report", "empty", "other"], "not a study folder"),
        (["report", "empty", "--output", "x.html"], "--output: the reports of one study"),
        (["train", "study.yaml", "--output", "study.yaml/x"], "--output: .*study.yaml/x"),
    ],
)
def test_other_commands_refuse_in_one_line(workplace, mtl, arguments, message):
    outcome = mtl(*arguments)
    assert outcome.code == 2
    assert re.fullmatch(rf"error: .*{message}.*\n", outcome.err)


def test_check_shows_rows_labels_and_space(workplace, mtl, corpus):
    outcome = mtl("check", "study.yaml")
    num_intents = len(set((corpus / "train/label").read_text(encoding="utf-8").split()))
    assert outcome.code == 0
    assert re.search(r"corpus\W+train\W+60\b", outcome.out)
    assert re.search(rf"intent\W+classification\W+60\W+{num_intents}\b", outcome.out)
    assert re.search(r"optimizer.head_lr\W+log_range\W+0.0001 to 0.01\W+0.001\b", outcome.out)
    assert "2 trials of up to 2 epochs" in outcome.out


def test_check_shows_tasks_without_labels(workplace, mtl):
    rows = "\n".join(f'{{"text": "word {n}", "stars": {n / 2}}}' for n in range(9))
    Path("rows.jsonl").write_text(rows, encoding="utf-8")
    rated = "datasets.rated={kind: jsonl, splits: {train: rows.jsonl, dev: rows.jsonl}}"
    task = "tasks.stars={kind: regression, dataset: rated, column: stars}"
    outcome = mtl("check", "study.yaml", "--set", rated, "--set", task)
    assert outcome.code == 0, outcome.err
    assert re.search(r"stars\W+regression\W+9\b", outcome.out)


def test_check_shows_labels_as_they_are(workplace, mtl):
    labels = ["[/INST]", "joy [mild]", ":smile:"]
    rows = "".join(f"word {n},{labels[n % 3]}\n" for n in range(9))
    Path("rows.csv").write_text(f"text,mood\n{rows}", encoding="utf-8")
    rated = "datasets.rated={kind: csv, splits: {train: rows.csv, dev: rows.csv}}"
    task = "tasks.mood={kind: classification, dataset: rated, column: mood}"
    outcome = mtl("check", "study.yaml", "--set", rated, "--set", task)
    assert outcome.code == 0, outcome.err
    assert all(f"{label} 3" in outcome.out for label in labels)


def test_check_of_a_study_for_a_cluster_says_that_it_does_not_fit_here(workplace, mtl):
    epochs = "search={training.epochs: {int_range: [1, 7]}}"
    settings = ["--set", "study.resources.workers=1000", "--set", epochs]
    outcome = mtl("check", "study.yaml", *settings)
    assert outcome.code == 0
    text = " ".join(outcome.out.split())
    assert "2 trials of up to 7 epochs, not on this machine (study.resources: 1 trainer of" in text


def test_train_evaluate_and_predict_in_a_row(workplace, mtl):
    first = mtl("train", "study.yaml")
    assert first.code == 0
    assert re.findall(r"^epoch (\d)/2 ", first.out, re.MULTILINE) == ["1", "2"]
    assert mtl("train", "study.yaml").out == first.out  # read from the checkpoint, seconds and all
    model = workplace / "runs/train/study/model"
    dev = re.findall(r"^epoch .* joint (0\.\d+)", first.out, re.MULTILINE)
    best = int(re.findall(r"^best epoch (\d)", first.out, re.MULTILINE)[0])
    scored = mtl("evaluate", str(model), "--split", "dev")
    assert re.search(rf"joint_accuracy\W+{100 * float(dev[best - 1]):.2f}", scored.out)
    assert mtl("evaluate", str(model), "--split", "dve").code == 2


def test_predict_takes_texts_a_file_or_stdin_and_a_study_folder(workplace, mtl, monkeypatch):
    assert mtl("train", "study.yaml", "--output", "out").code == 0
    texts = ["book a  table", "play jazz"]
    by_argument = mtl("predict", "out/model", "--json", *texts).out
    Path("texts.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    by_file = mtl("predict", "out/model", "--json", "--file", "texts.txt").out
    stdin = BytesIO(("\n".join(texts) + "\n").encode())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stdin))
    by_stdin = mtl("predict", "out/model", "--json").out
    Path("out/model").rename("out/best")
    shutil.copy("study.yaml", "out")
    assert by_argument == by_file == by_stdin == mtl("predict", "out", "--json", *texts).out
    lines = [json.loads(line) for line in by_argument.splitlines()]
    assert [line["text"] for line in lines] == texts
    intent = lines[1]["intent"]
    readable = f"play jazz\n  intent: {intent['label']} ({intent['probability']:.3f})\n  slots: "
    assert mtl("predict", "out", "play jazz").out.startswith(readable)
    # A byte that is no UTF-8 in an argument comes in as half a surrogate pair.
    assert mtl("predict", "out", "play \udcff jazz").out.startswith("play \ufffd jazz\n")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (TrainingError("no trial reached a score"), 1, "error: no trial reached a score\n"),
        (
            KeyboardInterrupt(),
            130,
            r"Interrupted; nothing was begun\. The same command goes on: "
            r"mtl tune study.yaml --set 'search=\{\}' --set study.trials=1\n",
        ),
    ],
)
def test_how_a_study_ends_is_the_exit_code(workplace, mtl, monkeypatch, error, code, message):
    monkeypatch.setattr("tuning.run.tune.tune_study", Mock(side_effect=error))
    outcome = mtl("tune", "study.yaml", "--set", "search={}", "--set", "study.trials=1")
    assert outcome.code == code
    assert re.fullmatch(message, outcome.err)


def test_options_of_the_final_stage_are_keys_of_the_study_file(workplace, mtl, monkeypatch):
    tune = Mock(side_effect=KeyboardInterrupt())
    monkeypatch.setattr("tuning.run.tune.tune_study", tune)
    words = ("study.yaml", "--set", "search={}", "--set", "study.trials=1", "--finalists", "2")
    outcome = mtl("tune", *words, "--seeds", "4")
    assert outcome.err.endswith("--set study.trials=1 --finalists 2 --seeds 4\n")
    study = tune.call_args.args[0]
    assert study.study.finals == FinalsSection(recipes=2, seeds=4)
    assert (study.final_runs, study.most_at_a_time) == (4, 4)
    # A bare section has its defaults.
    assert mtl("tune", "study.yaml", "--set", "study.finals={}").code == 130
    assert tune.call_args.args[0].study.finals == FinalsSection(recipes=3, seeds=5)
    refused = mtl("tune", "study.yaml", "--seeds", "1")
    assert (refused.code, "--seeds" in refused.err) == (2, True)


def test_a_seed_that_is_searched_is_no_part_of_a_recipe(workplace, mtl):
    words = ("--set", "search.seed={int_range: [0, 9]}", "--set", "study.trials=2")
    outcome = mtl("check", "study.yaml", *words, "--set", "study.finals={}")
    assert outcome.code == 2
    assert re.search(r"search\.seed: the final stage \(study\.finals\) trains", outcome.err)
    assert mtl("check", "study.yaml", *words).code == 0
    told = mtl("check", "study.yaml", "--set", "study.trials=2", "--set", "study.finals={}").out
    assert " epochs, then up to 10 runs of the final stage, " in told


def test_trainers_for_the_final_stage_are_counted(workplace, mtl, monkeypatch):
    """One trial has one trainer to do with, its final runs have more."""
    monkeypatch.setattr("tuning.cli.show_check.this_machine", lambda: Node(4.0, 0.0))
    for words, count in (((), 1), (("--set", "study.finals={seeds: 3}"), 3)):
        told = mtl("check", "study.yaml", "--set", "study.trials=1", *words).out
        assert f"{count} at a time on this machine" in " ".join(told.split())


def test_submit_passes_everything_on_and_returns_the_exit_code_of_the_job(mtl, monkeypatch):
    send = Mock(return_value=7)
    monkeypatch.setattr("tuning.cluster.submit.submit_study", send)
    arguments = ["--set", "seed=1", "--address", "http://head:8265", "--storage", "/data"]
    assert mtl("submit", "demo", *arguments, "--working-dir", "code", "--no-follow").code == 7
    send.assert_called_once_with(
        study="demo",
        overrides=["seed=1"],
        address="http://head:8265",
        working_dir=Path("code"),
        storage="/data",
        follow=False,
    )


def test_every_file_of_a_command_is_registered():
    modules = [
        importlib.import_module(f"tuning.cli.{module.name}")
        for module in pkgutil.iter_modules(tuning.cli.__path__)
    ]
    commands = {module.__name__.rpartition(".")[2]: module for module in modules}
    found = {
        name
        for name, module in commands.items()
        if inspect.isfunction(vars(module).get(name)) and not name.startswith("show")
    }
    assert {command.callback.__name__ for command in app.registered_commands} == found
    assert found >= {"check", "tune", "predict"}


def test_help_imports_nothing_heavy():
    heavy = "{'torch', 'ray', 'transformers', 'optuna', 'pandas', 'numpy'}"
    code = f"import sys, tuning.cli.app; print({heavy} & set(sys.modules))"
    assert _python("-c", code).stdout == "set()\n"


def test_the_version_is_that_of_the_distribution(mtl, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", {"mtl-tune": "9.8"}.__getitem__)
    assert mtl("--version") == (0, "mtl 9.8\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete_commands(mtl, monkeypatch, shell):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    outcome = mtl("--show-completion", shell)
    assert outcome.code == 0
    assert "mtl" in outcome.out


def test_the_package_runs_as_a_program():
    usage = _python("-m", "tuning", "--help")
    for name in ("check", "train", "tune", "evaluate", "predict", "report", "submit"):
        assert re.search(rf"\b{name} {{2}}", usage.stdout)
    refused = _python("-m", "tuning", "check", "demoo")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert re.fullmatch(r"error: demoo: .*\n", refused.stderr)


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)
