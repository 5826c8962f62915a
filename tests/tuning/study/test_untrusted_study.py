"""Study folders of strangers, and the whole command line with an answer on its stdin."""

import json
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from conftest import Mtl, RunConfigFactory
from strangers import BOMB, MARK, PAYLOAD, Pickled
from torch import nn

from mtl_core.data.formats.hub_source import HubName, hub_table
from mtl_core.errors import ConfigError, DataError
from mtl_core.study_file import dump
from mtl_core.training.best import load_best
from tuning.study.folder import StudyFolder
from tuning.study.journal import open_optuna
from tuning.study.load import load_study

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a payload in it."""
    (tmp_path / "evil.py").write_text(PAYLOAD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(MARK, str(tmp_path / "ran"))
    return tmp_path


@pytest.fixture
def study(workplace: Path, run_config: RunConfigFactory) -> Path:
    """A study folder with a trial, and a kind of task from outside."""
    folder = workplace / "study"
    folder.mkdir()
    run = run_config().model_dump(mode="json")
    run["tasks"]["intent"] |= {"kind": "evil:Evil", "stars": 5}
    search = {"tasks.intent.stars": {"int_range": [1, 9]}}
    text = dump({"run": run, "search": search, "study": {"name": "study"}})
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    trials = open_optuna(
        folder / "optuna.journal", name="study", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    trials.tell(trials.ask(), 0.5)
    return folder


def was_run(folder: Path) -> bool:
    return (folder / "ran").exists() or "evil" in sys.modules


def test_a_report_needs_no_code_of_a_study(
    study: Path, workplace: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(workplace)
    done = mtl("report", "study")
    assert (done.code, done.err) == (0, "written: study/report.md, study/report.html\n")
    assert "| 1 | 0000 | complete | - | `5` | 0 | 0 |" in done.out
    assert not was_run(workplace)


@pytest.mark.parametrize("class_path", ["evil:Evil", "evil.py:Evil"])
def test_a_report_needs_no_sampler_of_a_study(
    study: Path, workplace: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch, class_path: str
) -> None:
    monkeypatch.syspath_prepend(workplace)
    sampler = f"study:\n  sampler: {{kind: imported, class_path: '{class_path}'}}\n"
    text = (study / "study.yaml").read_text()
    (study / "study.yaml").write_text(text.replace("study:\n", sampler))
    assert class_path in (study / "study.yaml").read_text()
    for command in ("report", "status"):
        assert mtl(command, "study").code == 0
    assert not was_run(workplace)


def test_a_report_goes_into_no_other_file(study: Path, workplace: Path, mtl: Mtl) -> None:
    names = ("report.md", ".report.md.part", "report.html", ".report.html.part")
    for name in names:
        (workplace / name).write_text("mine")
        (study / name).symlink_to(workplace / name)
    assert mtl("report", "study").code == 0
    assert [(workplace / name).read_text() for name in names] == ["mine"] * 4
    assert (study / "report.md").read_text().startswith("# Study study")


def test_going_on_with_a_study_folder_imports_nothing_that_stands_in_it(
    study: Path, workplace: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(workplace)
    Path("mine.yaml").write_text(
        f"""
run:
  datasets: {{corpus: {{kind: seq_in_out, path: {corpus}}}}}
  tasks: {{intent: {{kind: classification, dataset: corpus, column: intent}}}}
study: {{name: study, storage: ., trials: 1}}
"""
    )
    mine = load_study("mine.yaml")
    with pytest.raises(ConfigError, match=r"^\S*study: holds a study with run\."):
        StudyFolder(study).check_same(mine)
    assert not was_run(workplace)


def test_a_study_with_an_outside_kind_is_the_same_when_it_goes_on(
    study: Path, workplace: Path
) -> None:
    (workplace / "outside.py").write_text(
        "from mtl_core.tasks.classification import Classification\n"
        "class Stars(Classification):\n    kind: str\n    stars: int = 3\n"
    )
    text = (study / "study.yaml").read_text().replace("evil:Evil", "outside.py:Stars")
    Path("mine.yaml").write_text(text)
    mine = load_study("mine.yaml", ["study.trials=2"])
    (study / "study.yaml").write_text(dump(mine))
    StudyFolder(study).check_same(mine)


def run(workplace: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """Runs the command line as a user does, with "yes" on stdin; returns its CPU seconds too."""
    start = _cpu_of_children()
    done = subprocess.run(
        [sys.executable, "-m", "tuning", *words],
        cwd=workplace,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input="y\ny\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, _cpu_of_children() - start


def _cpu_of_children() -> float:
    # Not the wall time: others may keep the machine busy.
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_model(folder: Path, *, kind: str = "classification", **config: object) -> None:
    """Writes as much of a model as is looked at before the libraries are imported."""
    folder.mkdir()
    for name in ("mtl.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        (folder / name).write_text("{}")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"} | config))
    (folder / "run.yaml").write_text(f"tasks: {{a: {{kind: '{kind}'}}}}")
    (folder / "evil.py").write_text(PAYLOAD, encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"kind": "evil:Evil"}, "'evil:Evil' is code from outside this package"),
        ({"kind": "mdl/evil.py:Evil"}, "'mdl/evil.py:Evil' is code from outside this package"),
        (
            {"model_type": "evil", "auto_map": {"AutoConfig": "evil.EvilConfig"}},
            "found 'auto_map'",
        ),
    ],
)
def test_the_command_line_asks_nothing_and_runs_nothing(
    model: dict[str, str], message: str, workplace: Path
) -> None:
    write_model(workplace / "mdl", **model)
    for words in (("predict", "mdl", "some text"), ("predict", "mdl"), ("evaluate", "mdl")):
        done, seconds = run(workplace, *words)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
        assert message in done.stderr
        assert seconds < 5
    assert not (workplace / "ran").exists()


def test_an_encoder_with_code_is_not_asked_about(workplace: Path, corpus: Path) -> None:
    write_model(workplace / "mdl", model_type="evil", auto_map={"AutoConfig": "evil.EvilConfig"})
    (workplace / "study.yaml").write_text(
        "run:\n  encoder: {name: ./mdl}\n"
        f"  datasets: {{corpus: {{kind: seq_in_out, path: {corpus}}}}}\n"
        "  tasks: {intent: {kind: classification, dataset: corpus, column: intent}}\n"
        "study: {trials: 1}\n"
    )
    done, _ = run(workplace, "check", "study.yaml")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "found 'auto_map', which names code of the model's own" in done.stderr
    assert not (workplace / "ran").exists()


@pytest.mark.parametrize("text", [BOMB, "run: " + "[" * 20_000, "a: !!int " + "9" * 5000])
def test_a_study_file_that_never_ends_is_refused_at_once(text: str, workplace: Path) -> None:
    (workplace / "study.yaml").write_text(text)
    done, seconds = run(workplace, "check", "study.yaml")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith("error: study.yaml:")
    assert seconds < 5


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "result.json",
            "[" * 100_000,
            "a file of the study is broken: no JSON: recursion limit exceeded",
        ),
        ("result.json", "{", "a file of the study is broken: no JSON: EOF while parsing"),
        (
            "result.json",
            '{"status": "failed", "trials": {}, "best": null, "seconds": "x"}',
            "a file of the study is broken: seconds: expected a number, found 'x'",
        ),
        ("optuna.journal", "[]\n", "a file of the study is broken: "),
        ("trials/0000/reports.jsonl", "{}\n", "a file of the study is broken: "),
        ("study.yaml", BOMB, "at most 10,000 keys and values"),
    ],
)
def test_a_broken_study_folder_is_refused_in_one_line(
    name: str, content: str, message: str, study: Path, mtl: Mtl
) -> None:
    (study / name).parent.mkdir(parents=True, exist_ok=True)
    (study / name).write_text(content)
    refused = mtl("report", "study")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert message in refused.err


def test_a_pickle_in_the_place_of_a_checkpoint_is_not_run(
    workplace: Path, corpus: Path, tiny_encoder: Path, mtl: Mtl
) -> None:
    (workplace / "study.yaml").write_text(
        f"run:\n  encoder: {{name: {tiny_encoder}}}\n"
        f"  datasets: {{corpus: {{kind: seq_in_out, path: {corpus}}}}}\n"
        "  tasks: {intent: {kind: classification, dataset: corpus, column: intent}}\n"
        "  training: {epochs: 1, precision: fp32}\n"
        "study: {trials: 1}\n"
    )
    (workplace / "out" / "checkpoint").mkdir(parents=True)
    (workplace / "out" / "checkpoint" / "state.pt").write_bytes(pickle.dumps(Pickled(), protocol=2))
    refused = mtl("train", "study.yaml", "--output", "out")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert "state.pt: not a checkpoint: " in refused.err
    assert not was_run(workplace)


@pytest.mark.parametrize("name", ["pandas", "./table"])
def test_data_sets_of_strangers_run_nothing(name: str, workplace: Path) -> None:
    (workplace / "train.pkl").write_bytes(pickle.dumps(Pickled()))
    (workplace / "table").mkdir()
    (workplace / "table" / "table.py").write_text(PAYLOAD)
    with pytest.raises(DataError, match=r"reads pickles|scripts are no longer supported"):
        hub_table(HubName(name), "train", ["text"])
    assert not was_run(workplace)


def test_broken_weights_of_a_checkpoint_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "best.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{broken}")
    with pytest.raises(ConfigError, match=r"^.*: the weights of .* lost: best\.safetensors cannot"):
        load_best(tmp_path, nn.Linear(1, 1))
