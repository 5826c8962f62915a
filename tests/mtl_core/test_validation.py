"""Validation: a study file becomes a model, or every error is worded and placed."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from mtl_core.errors import ConfigError
from mtl_core.section import DataPath, Section
from mtl_core.study_file import parse_assignment, read_document
from mtl_core.validation import validate


class Encoder(Section):
    name: str
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    pooling: Literal["cls", "mean"] = "mean"


class Classification(Section):
    kind: Literal["classification"]
    dataset: str
    weight: Annotated[float, Field(gt=0)] = 1.0


class Tagging(Section):
    kind: Literal["tagging"]
    dataset: str
    crf: bool = False


class Nothing(Section):
    kind: Literal["none"]


class LowerLayers(Section):
    kind: Literal["lower_layers"]
    layers: Annotated[int, Field(ge=1)] | Literal["half"]

    @model_validator(mode="after")
    def _check(self) -> "LowerLayers":
        if self.layers == 13:
            raise ValueError("layers: 13 brings bad luck")
        return self


class Optimizer(Section):
    encoder_lr: Annotated[float, Field(gt=0)] = 2e-4
    betas: tuple[float, float] = (0.9, 0.99)


class Run(Section):
    encoder: Encoder
    datasets: dict[str, DataPath]
    tasks: dict[str, Annotated[Classification | Tagging, Field(discriminator="kind")]]
    freezing: Annotated[Nothing | LowerLayers, Field(discriminator="kind")] = Nothing(kind="none")
    optimizer: Optimizer = Optimizer()

    @model_validator(mode="after")
    def _check(self) -> "Run":
        unknown = [name for name, task in self.tasks.items() if task.dataset not in self.datasets]
        if unknown:
            raise ValueError(
                "\n".join(f"tasks.{name}.dataset: unknown data set" for name in unknown)
            )
        if len(self.datasets) > 2:
            raise ValueError("too many data sets: at most 2")
        return self


class Study(Section):
    run: Run
    search: dict[str, dict[str, list[object]]]


TEXT = """\
run:
  encoder: {name: tiny, dropout: 0.2}
  datasets: {snips: data/snips}
  tasks:
    intent:
      kind: classification
      dataset: snips
    slots: {kind: tagging, dataset: snips, crf: true}
  freezing:
    kind: lower_layers
    layers: 2
  optimizer:
    encoder_lr: 3e-5
search:
  optimizer.encoder_lr: {log_range: [1e-5, 1e-3]}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes study.yaml into the current folder, so that messages name it without a folder."""
    monkeypatch.chdir(tmp_path)

    def write_text(text: str = TEXT) -> Path:
        Path("study.yaml").write_text(text, encoding="utf-8")
        return Path("study.yaml")

    return write_text


def errors_of(path: Path, *assignments: str) -> list[str]:
    with pytest.raises(ConfigError, match=r"\A(study\.yaml|--set )") as caught:
        validate(
            read_document(path).with_overrides(dict(map(parse_assignment, assignments))), Study
        )
    return str(caught.value).splitlines()


def test_a_file_becomes_a_model(write, tmp_path):
    study = validate(read_document(write()), Study)
    assert study.run.datasets == {"snips": tmp_path / "data/snips"}
    assert study.run.tasks["slots"] == Tagging(kind="tagging", dataset="snips", crf=True)
    assert study.run.freezing == LowerLayers(kind="lower_layers", layers=2)
    assert study.run.optimizer.encoder_lr == 0.00003
    assert study.search == {"optimizer.encoder_lr": {"log_range": [1e-5, 1e-3]}}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "dropout: 0.2",
            "drop_out: 0.2",
            "study.yaml:2: unknown key 'run.encoder.drop_out'; allowed here: name, dropout, "
            "pooling. Did you mean 'dropout'?",
        ),
        (
            "crf: true",
            "weight: 2",
            "study.yaml:8: unknown key 'run.tasks.slots.weight'; allowed here: kind, dataset, crf.",
        ),
        (
            "search:",
            "search: {}\nsesame:",
            "study.yaml:15: unknown key 'sesame'; allowed here: run, search.",
        ),
        (
            "3e-5",
            "-1",
            "study.yaml:13: run.optimizer.encoder_lr: expected a number greater than 0, found -1",
        ),
        (
            "3e-5",
            "fast",
            "study.yaml:13: run.optimizer.encoder_lr: expected a number, found 'fast'",
        ),
        ("3e-5", "", "study.yaml:13: run.optimizer.encoder_lr: expected a number, found nothing"),
        (
            "3e-5",
            ".nan",
            "study.yaml:13: run.optimizer.encoder_lr: expected a finite number, found nan",
        ),
        (
            "kind: classification",
            "kind: clasification",
            "study.yaml:6: run.tasks.intent.kind: unknown kind 'clasification'; allowed: "
            "classification, tagging. Did you mean 'classification'?",
        ),
        (
            "      kind: classification\n",
            "",
            "study.yaml:5: missing key 'run.tasks.intent.kind'; allowed: classification, tagging",
        ),
        ("      dataset: snips\n", "", "study.yaml:5: missing key 'run.tasks.intent.dataset'"),
        ("  datasets: {snips: data/snips}\n", "", "study.yaml:1: missing key 'run.datasets'"),
        (
            "layers: 2",
            "layers: all",
            "study.yaml:11: run.freezing.layers: expected a whole number or 'half', found 'all'",
        ),
        ("layers: 2", "layers: 13", "study.yaml:11: run.freezing.layers: 13 brings bad luck"),
        (
            "dropout: 0.2",
            "pooling: meen",
            "study.yaml:2: run.encoder.pooling: expected 'cls' or 'mean', found 'meen'. "
            "Did you mean 'mean'?",
        ),
        (
            "{name: tiny, dropout: 0.2}",
            "tiny",
            "study.yaml:2: run.encoder: expected a section, found 'tiny'",
        ),
        (
            "encoder_lr: 3e-5",
            "betas: [0.9,\n      high]",
            "study.yaml:14: run.optimizer.betas[1]: expected a number, found 'high'",
        ),
        (
            "crf: true",
            "crf: {}",
            "study.yaml:8: run.tasks.slots.crf: expected true or false, found a section",
        ),
        (
            "dataset: snips, crf",
            "dataset: snip, crf",
            "study.yaml:8: run.tasks.slots.dataset: unknown data set",
        ),
        (
            "data/snips}",
            "data/snips, a: a, b: b}",
            "study.yaml:1: run: too many data sets: at most 2",
        ),
    ],
)
def test_an_error_names_its_place(write, old, new, expected):
    assert TEXT.count(old) == 1
    assert errors_of(write(TEXT.replace(old, new))) == [expected]


def test_all_errors_are_shown_in_the_order_of_the_file(write):
    text = TEXT.replace("0.2", "2").replace("crf: true", "crf: 7").replace("3e-5", "0")
    lines = errors_of(write(text), "freezing.layers=0")
    assert [line.split(": ")[0] for line in lines] == [
        "study.yaml:2",
        "study.yaml:8",
        "study.yaml:13",
        "--set freezing.layers=0",
    ]


def test_one_validator_may_report_several_keys(write):
    lines = errors_of(write(TEXT.replace("dataset: snips", "dataset: snip")))
    assert [line.split(": ")[:2] for line in lines] == [
        ["study.yaml:7", "run.tasks.intent.dataset"],
        ["study.yaml:8", "run.tasks.slots.dataset"],
    ]


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        (
            "optimizer.encoder_lr=abc",
            "--set optimizer.encoder_lr=abc: expected a number, found 'abc'",
        ),
        (
            "run.encoder.drop=0.5",
            "--set encoder.drop=0.5: unknown key 'run.encoder.drop'; allowed here: "
            "name, dropout, pooling. Did you mean 'dropout'?",
        ),
        (
            'freezing={"kind": "lower_layers", "layers": 0}',
            '--set freezing={"kind": "lower_layers", "layers": 0}: run.freezing.layers: '
            "expected a number greater than or equal to 1 or 'half', found 0",
        ),
        (
            "freezing.layers.first=1",
            "--set freezing.layers.first=1: expected a section at 'run.freezing.layers', found 2",
        ),
    ],
)
def test_an_error_names_the_override(write, assignment, expected):
    assert errors_of(write(), assignment) == [expected]
