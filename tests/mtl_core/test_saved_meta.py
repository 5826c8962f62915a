"""The schema of `mtl.json`: what is written is read again, and all else is told with its key."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError
from mtl_core.predictor import Predictor
from mtl_core.saved_meta import SavedMeta, read_meta
from mtl_core.study_file import read_document
from mtl_core.validation import validate

INTENT, CORPUS = ("tasks", "intent"), ("cuts", "corpus")
GONE = object()

WRONG: dict[str, tuple[tuple[str, ...], object, str]] = {
    "a length as a text": (("max_length",), "64", "expected a whole number, found '64'"),
    "a length as a float": (("max_length",), 64.0, "max_length: expected a whole number"),
    "a length of true": (("max_length",), True, "max_length: expected a whole number, found true"),
    "no length": (("max_length",), GONE, "missing key 'max_length'"),
    "a length of nothing": (("max_length",), 0, "max_length: expected a number greater than or"),
    "a length beyond all": (("max_length",), 10**30, "max_length: expected a number less than or"),
    "a length beyond the encoder": (("max_length",), 65, "expected at most 64, what the encoder"),
    "a precision that is none": (("precision",), "fp64", "precision: expected 'bf16', 'fp16' or"),
    "a key too many": (("extra",), 1, "unknown key 'extra'; allowed here: format, max_length"),
    "a key too many of a task": ((*INTENT, "label"), [], "unknown key 'tasks.intent.label'"),
    "tasks in a list": (("tasks",), [], "tasks: expected a section, found a list"),
    "another task": (("tasks", "mood"), GONE, "tasks: expected intent, slots as in run.yaml"),
    "features below none": ((*INTENT, "features"), -1, "tasks.intent.features: expected a number"),
    "features beyond memory": ((*INTENT, "features"), 2**40, "tasks.intent.features: expected a "),
    "features that heads lack": ((*INTENT, "features"), 5, "heads.safetensors does not fit"),
    "three parts": ((*INTENT, "parts"), [3], "parts[0]: expected a number less than or"),
    "no parts": ((*INTENT, "parts"), [], "parts: expected [1], [2] or [1, 2], found []"),
    "a label that is a number": ((*INTENT, "trained"), [5] * 12, "trained[0]: expected text"),
    "a label twice": ((*INTENT, "trained"), ["a", "a"], "intent.trained: a label stands twice"),
    "fewer labels": ((*INTENT, "trained"), ["a", "b"], "counts: expected 2, one for each label"),
    "no labels": ((*INTENT, "trained"), [], "counts: expected 0, one for each label, found 12"),
    "a count below none": ((*INTENT, "counts"), [-1] * 12, "tasks.intent.counts[0]: expected a "),
    "a mean as a text": ((*INTENT, "mean"), "0", "tasks.intent.mean: expected a number, found '0'"),
    "a mean that is none": ((*INTENT, "mean"), float("nan"), "tasks.intent.mean: "),
    "a deviation without end": ((*INTENT, "deviation"), float("inf"), "tasks.intent.deviation: "),
    "no cut": (CORPUS, GONE, "cuts: expected corpus as in run.yaml; found none"),
    "a cut of no kind": ((*CORPUS, "words"), "letters", "cuts.corpus.words: expected 'whitespace'"),
    "joins in a list": ((*CORPUS, "joins"), [1], "cuts.corpus.joins: expected a section"),
    "half a character": ((*INTENT, "kind"), "\ud800", "mtl.json: a text in it holds half a char"),
}  # fmt: skip
"""What is wrong -> where, what stands there, and what is said."""


def change(folder: Path, keys: tuple[str, ...], value: object) -> None:
    path = folder / "mtl.json"
    whole: dict[str, Any] = json.loads(path.read_text())
    inner = whole
    for key in keys[:-1]:
        inner = inner[key]
    if value is not GONE:
        inner[keys[-1]] = value
    elif keys[-1] in inner:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = dict(next(iter(inner.values())))
    path.write_text(json.dumps(whole))


@pytest.fixture
def model(untrained_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untrained_model, tmp_path / "model"))


@pytest.mark.parametrize("form", WRONG)
def test_what_is_wrong_is_told_in_one_line_with_its_key(form: str, model: Path) -> None:
    keys, value, said = WRONG[form]
    change(model, keys, value)
    with pytest.raises(ConfigError) as told:
        Predictor.load(model)
    assert str(told.value).startswith(str(model))
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_several_mistakes_are_one_line(model: Path) -> None:
    for key in ("max_length", "precision"):
        change(model, (key,), None)
    with pytest.raises(ConfigError, match=r"mtl\.json: max_length: .* \(and 1 more\)$"):
        Predictor.load(model)


def test_what_is_written_is_what_is_read(untrained_model: Path) -> None:
    config = validate(read_document(untrained_model / "run.yaml"), RunConfig)
    written = json.loads((untrained_model / "mtl.json").read_text())
    meta = read_meta(untrained_model, config)
    assert json.loads(meta.model_dump_json()) == written
    assert list(SavedMeta.model_fields) == list(written)
