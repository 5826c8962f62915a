"""`mtl schema`: what it takes and refuses, held against the loader and a validator of others."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from conftest import Mtl
from ruamel.yaml import YAML

from mtl_core.errors import ConfigError
from tuning.study.load import load_study
from tuning.study.schema import SCHEMA_NAME, study_schema

BUNDLED = Path(__file__).parents[3] / "search_spaces"
STUDIES = sorted(BUNDLED.glob("*.yaml"))
SCHEMA = study_schema()
DEMO = """
run:
  datasets: {sample: {kind: sample}}
  tasks: {intent: {kind: classification, dataset: sample, column: intent}}
search:
  optimizer.encoder_lr: {log_range: [3.0e-5, 1.0e-3]}
study: {trials: 2}
"""


def errors(text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [error.message for error in validator.iter_errors(YAML(typ="safe").load(text))]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_file_in_the_tree_is_the_schema() -> None:
    text = (BUNDLED / SCHEMA_NAME).read_text(encoding="utf-8")
    assert json.loads(text) == SCHEMA, f"mtl schema --output search_spaces/{SCHEMA_NAME}"


def test_the_command_prints_the_schema(mtl: Mtl, tmp_path: Path) -> None:
    assert json.loads(mtl("schema").out) == SCHEMA
    path = tmp_path / "a.json"
    assert mtl("schema", "--output", str(path)).out == ""
    assert json.loads(path.read_text(encoding="utf-8")) == SCHEMA


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_bundled_studies_fit_and_name_the_schema(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert errors(text) == []
    assert text.startswith(f"# yaml-language-server: $schema={SCHEMA_NAME}\n")


def test_every_key_is_described() -> None:
    def undescribed(node: object, path: str) -> Iterator[str]:
        if isinstance(node, dict):
            for name, below in node.get("properties", {}).items():
                if not below.get("description"):
                    yield f"{path}.{name}"
            for name, below in node.items():
                yield from undescribed(below, f"{path}/{name}")
        if isinstance(node, list):
            for below in node:
                yield from undescribed(below, path)

    assert list(undescribed(SCHEMA, "")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("trials: 2", "trails: 2"),
        ("trials: 2", "trials: 0"),
        ("trials: 2", "trials: many"),
        ("kind: sample", "kind: simple"),
        ("{kind: sample}", "{}"),
        ("kind: classification", "kind: clasification"),
        (", column: intent", ""),
        ("column: intent", "column: intent, wieght: 2"),
        ("column: intent", "column: intent, weight: -1"),
        ("  datasets: {sample: {kind: sample}}\n", ""),
        ("optimizer.encoder_lr", "optimizer.encoder_lrr"),
        ("optimizer.encoder_lr", "run.optimizer.encoder_lr"),
        ("log_range", "log_rang"),
        ("[3.0e-5, 1.0e-3]", "[3.0e-5]"),
        ("study:", "studdy:"),
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(tmp_path: Path, old: str, new: str) -> None:
    assert errors(DEMO) == []
    broken = DEMO.replace(old, new)
    assert broken != DEMO
    assert errors(broken)
    path = tmp_path / "study.yaml"
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(ConfigError):
        load_study(str(path))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("study: {trials: 2}", ""),
        ("study: {trials: 2}", "study: {name: mine, sampler: {kind: random}}"),
        ("optimizer.encoder_lr", "tasks.intent.weight"),
        ("{log_range: [3.0e-5, 1.0e-3]}", "{choice: [1.0e-4, 2.0e-4]}"),
        ("column: intent", "column: intent, head: {kind: mlp}"),
        ("{kind: sample}", "{kind: sample, limit: {train: 100}}"),
        (
            "optimizer.encoder_lr: {log_range: [3.0e-5, 1.0e-3]}",
            "freezing: {choice: [{kind: none}, {kind: lower_layers, layers: {int_range: [1, 4]}}]}",
        ),
    ],
)
def test_what_the_loader_takes_the_schema_takes(tmp_path: Path, old: str, new: str) -> None:
    changed = DEMO.replace(old, new)
    assert changed != DEMO
    path = tmp_path / "study.yaml"
    path.write_text(changed, encoding="utf-8")
    load_study(str(path))
    assert errors(changed) == []


def test_a_kind_that_stands_outside_the_package_fits() -> None:
    own = "kind: 'own.py:Own', dataset: sample, column: intent, depth: 3"
    text = DEMO.replace("kind: classification, dataset: sample, column: intent", own)
    assert errors(text) == []
    assert errors(text.replace("'own.py:Own'", "own")) != []


def test_the_keys_of_a_search_are_offered_with_their_words() -> None:
    plain = SCHEMA["properties"]["search"]["properties"]
    assert "learning rate" in plain["optimizer.encoder_lr"]["description"]
    assert {"encoder.pooling", "freezing", "mixing", "training.batch_size"} <= plain.keys()
    by_form = SCHEMA["properties"]["search"]["patternProperties"]
    assert "Factor" in by_form[r"^tasks\.[A-Za-z0-9_-]+\.weight$"]["description"]


def test_a_file_that_cannot_be_written_is_one_line(mtl: Mtl, tmp_path: Path) -> None:
    outcome = mtl("schema", "--output", str(tmp_path / "no" / "a.json"))
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert "cannot write the file: No such file or directory" in outcome.err
