"""Saved models of strangers: whatever their files say, nothing of them runs."""

import json
import pickle
import shutil
import sys
import time
from pathlib import Path

import pytest
from conftest import Mtl
from strangers import (
    BOMB,
    MARK,
    PAYLOAD,
    Pickled,
    added,
    both,
    huge,
    kind,
    link,
    pickled_weights,
    pipe,
    settings,
    text,
)

from mtl_core.errors import ConfigError
from mtl_core.predictor import Predictor

OWN_CONFIG = {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.EvilModel"}
OWN_TOKENIZER = {"AutoTokenizer": [None, "evil.EvilTokenizer"]}
KERNEL = "somebody/kernel"
NEVER_RUN = "names code of the model's own, which is never run"
OUTSIDE = "is code from outside this package; allow that with trust_code=True, or --trust-code"

REFUSED = {
    "a module": (kind("evil:Evil"), OUTSIDE),
    "a module of a package": (kind("evil_package.inner:Evil"), OUTSIDE),
    "a file": (kind("FOLDER/evil.py:Evil"), OUTSIDE),
    "a file beside it": (kind("evil.py:Evil"), OUTSIDE),
    "a module of Python": (kind("antigravity:Evil"), OUTSIDE),
    "a module and another line": (kind("evil:Evil\n\x1b[2Jerror"), r"'evil:Evil\n\x1b[2Jerror' is"),
    "a kind of two words": (kind(":"), OUTSIDE),
    "an own configuration": (
        settings("config.json", model_type="evil", auto_map=OWN_CONFIG), NEVER_RUN
    ),
    "an own encoder": (settings("config.json", auto_map=OWN_CONFIG), NEVER_RUN),
    "an encoder of another place": (
        settings("config.json", model_type="evil", auto_map={"AutoConfig": "a/b--evil.EvilConfig"}),
        NEVER_RUN,
    ),
    "an own configuration inside": (
        settings("config.json", text_config={"model_type": "bert", "auto_map": OWN_CONFIG}),
        NEVER_RUN,
    ),
    "another configuration": (
        both(
            settings("config.json", configuration_files=["config.4.0.0.json"]),
            text("config.4.0.0.json", json.dumps({"model_type": "evil", "auto_map": OWN_CONFIG})),
        ),
        "names other files to be read in its place",
    ),
    "an own way to generate": (settings("config.json", custom_generate="a/b"), NEVER_RUN),
    "other weights": (
        settings("config.json", transformers_weights="adapter_model.bin"), "may be a pickle"
    ),
    "a kernel": (
        settings("config.json", attn_implementation=KERNEL), "found 'somebody/kernel', which may be"
    ),
    "a kernel by its other name": (
        settings("config.json", _attn_implementation=KERNEL), "allowed: eager, sdpa"
    ),
    "a kernel for a part": (
        settings("config.json", attn_implementation={"text_config": KERNEL}), "allowed: eager, sdpa"
    ),
    "a kernel inside": (
        settings("config.json", text_config={"_attn_implementation": KERNEL}),
        "allowed: eager, sdpa",
    ),
    "a package that is no kernel": (
        settings("config.json", attn_implementation="flash_attention_2"), "allowed: eager, sdpa"
    ),
    "a quantization": (
        settings("config.json", quantization_config={"quant_method": "quark"}), "may fetch code"
    ),
    "an own tokenizer": (settings("tokenizer_config.json", auto_map=OWN_TOKENIZER), NEVER_RUN),
    "an own tokenizer of old": (
        settings("tokenizer_config.json", auto_map=["evil.EvilTokenizer", None]), NEVER_RUN
    ),
    "pickled weights": (pickled_weights, "there is no model.safetensors in it"),
    "pickled weights by another name": (
        text("model.safetensors", pickle.dumps(Pickled())), "expected weights of safetensors"
    ),
    "pickled heads": (
        text("heads.safetensors", pickle.dumps(Pickled())), "expected weights of safetensors"
    ),
    "empty weights": (text("model.safetensors", b""), "expected weights of safetensors"),
    "weights that are a pipe": (
        pipe("model.safetensors"), "model.safetensors: expected a file, found a pipe or a device"
    ),
    "settings that are a pipe": (
        pipe("config.json"), "config.json: expected a file, found a pipe or a device"
    ),
    "a recipe that is a pipe": (
        pipe("run.yaml"), "run.yaml: expected a file, found a pipe or a device"
    ),
    "a tokenizer without end": (
        link("tokenizer.json", "/dev/zero"), "expected a file, found a pipe or a device"
    ),
    "huge settings": (huge("config.json", 2**33), "expected at most 64 MiB; it is larger"),
    "a huge recipe": (huge("run.yaml", 100_000_000), "at most 256 KiB; it is larger"),
    "a recipe of aliases": (added("run.yaml", BOMB), "at most 10,000 keys and values, found"),
    "a recipe of brackets": (added("run.yaml", "b: " + "[" * 20_000), "nested too deeply"),
    "a recipe of objects": (
        added("run.yaml", "b: !!python/object/apply:os.system [touch x]\n"), "is not supported"
    ),
    "deep settings": (text("config.json", "[" * 100_000), "not usable JSON: nested too deeply"),
    "settings in a list": (text("config.json", "[1]"), "expected an object, found '[1]'"),
    "settings of another code": (text("config.json", b"\xff\xfe\x00"), "config.json: not JSON: "),
    "a number of many digits": (text("mtl.json", "9" * 5000), "mtl.json: not JSON: "),
}  # fmt: skip
"""Form -> how it is made, and what its error says."""

LATER = {
    "an encoder that nobody knows": (settings("config.json", model_type="evil"), "config.json: "),
    "a type that is a function": (settings("config.json", dtype="load"), "config.json: "),
    "an encoder of impossible size": (settings("config.json", hidden_size=-1), "config.json: "),
    "a broken tokenizer": (text("tokenizer.json", '{"version": 1}'), "tokenizer.json: "),
    "labels that are none": (settings("mtl.json", tasks={"intent": {"trained": 5}}), "mtl.json: "),
    "no tasks": (
        settings("mtl.json", tasks=[]),
        "mtl.json: tasks: expected a section, found a list",
    ),
    "broken weights": (
        text("model.safetensors", (2).to_bytes(8, "little") + b"{}"),
        "numbers, and model.safetensors holds 0; it lacks embeddings.word_embeddings.weight of ",
    ),
    "broken heads": (
        text("heads.safetensors", (2).to_bytes(8, "little") + b"{}"),
        "heads.safetensors does not fit",
    ),
    "a deeper encoder": (
        settings("config.json", num_hidden_layers=4),
        "it lacks encoder.layer.3.intermediate.dense.weight of (48, 32)",
    ),
    "a shallower encoder": (
        settings("config.json", num_hidden_layers=2),
        "found 'encoder.layer.2.attention",
    ),
    "a narrower encoder": (
        settings("config.json", intermediate_size=24),
        "dense.weight of (24, 32), and model.safetensors holds one of (48, 32)",
    ),
}
"""Refused when the libraries meet it."""

HARMLESS = {
    "a tokenizer of another class": settings("tokenizer_config.json", tokenizer_class="evil.Evil"),
    "an adapter beside it": text(
        "adapter_config.json", '{"base_model_name_or_path": "evil", "peft_type": "LORA"}'
    ),
    "pickles beside it": text("pytorch_model.bin", b"\x80\x04."),
    "nothing": settings("config.json", quantization_config=None),
    "an encoder in a package": lambda folder: (folder / "run.yaml").write_text(
        (folder / "run.yaml").read_text().replace("\n  name: ", "\n  name: package:evil # ", 1)
    ),
}
"""What nothing is read of."""


@pytest.fixture
def model(untrained_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, with a payload wherever Python could find one."""
    folder = tmp_path / "model"
    shutil.copytree(untrained_model, folder)
    (tmp_path / "evil_package").mkdir()
    for name in ("evil.py", "evil_package/__init__.py", "evil_package/inner.py", "model/evil.py"):
        (tmp_path / name).write_text(PAYLOAD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(MARK, str(tmp_path / "ran"))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    return folder


def was_run(folder: Path) -> bool:
    loaded = {name for name in sys.modules if name.startswith(("evil", "antigravity"))}
    return (folder.parent / "ran").exists() or bool(loaded)


@pytest.mark.parametrize("form", REFUSED)
def test_a_model_that_leads_to_code_is_refused_in_one_line(
    form: str, model: Path, mtl: Mtl
) -> None:
    spoil, message = REFUSED[form]
    spoil(model)
    start = time.monotonic()
    refused = mtl("predict", "model", "some text")
    assert time.monotonic() - start < 5
    assert (refused.code, refused.out) == (2, "")
    assert len(refused.err.splitlines()) == 1
    assert refused.err.startswith("error: model")
    assert message in refused.err
    assert not was_run(model)


@pytest.mark.parametrize("form", REFUSED)
def test_python_refuses_what_the_command_line_refuses(form: str, model: Path) -> None:
    spoil, message = REFUSED[form]
    spoil(model)
    with pytest.raises(ConfigError) as refused:
        Predictor.load(model)
    assert message in str(refused.value)
    assert not was_run(model)


@pytest.mark.parametrize("form", LATER)
def test_a_broken_model_is_refused_in_one_line(form: str, model: Path, mtl: Mtl) -> None:
    spoil, message = LATER[form]
    spoil(model)
    refused = mtl("predict", "model", "some text")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert message in refused.err
    assert not was_run(model)


@pytest.mark.parametrize("form", HARMLESS)
def test_what_is_not_read_is_not_run(form: str, model: Path, mtl: Mtl) -> None:
    HARMLESS[form](model)
    done = mtl("predict", "model", "some text")
    assert (done.code, done.err) == (0, "")
    assert not was_run(model)


def test_trust_allows_kinds_of_tasks_and_nothing_else(
    model: Path, untrained_model: Path, mtl: Mtl
) -> None:
    kind("evil:Evil")(model)
    settings("config.json", auto_map=OWN_CONFIG)(model)
    refused = mtl("predict", "model", "some text", "--trust-code")
    assert (refused.code, NEVER_RUN in refused.err) == (2, True)
    assert not was_run(model)
    shutil.copy(untrained_model / "config.json", model)
    (model / "run.yaml").write_text(
        (model / "run.yaml").read_text().replace("evil:Evil", "strangers:Trusted")
    )
    allowed = mtl("predict", "model", "some text", "--trust-code")
    assert (allowed.code, allowed.err) == (0, "")
    assert "intent: " in allowed.out


@pytest.mark.parametrize("folder", ["best", "model"])
def test_a_model_in_a_study_or_run_is_not_trusted_either(
    folder: str, model: Path, mtl: Mtl
) -> None:
    kind("evil:Evil")(model)
    outer = model.parent / "outer"
    outer.mkdir()
    model.rename(outer / folder)
    if folder == "best":
        (outer / "study.yaml").write_text("run: {tasks: {a: {kind: evil:Evil}}}")
    for command in (("predict", "outer", "text"), ("evaluate", "outer")):
        refused = mtl(*command)
        assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)
        assert OUTSIDE in refused.err
    assert not was_run(model)
