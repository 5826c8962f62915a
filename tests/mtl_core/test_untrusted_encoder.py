"""Encoders of strangers: nothing of them runs, and what leads to code is refused in one line."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from conftest import Mtl
from strangers import MARK, PAYLOAD, Spoil, both, pickled_weights, settings, text

from mtl_core.errors import ConfigError
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.model.backbones.tokenizer import load_tokenizer

OWN_CODE = {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.EvilModel"}
OWN_TOKENIZER = {"AutoTokenizer": [None, "evil.EvilTokenizer"]}
NEVER_RUN = "config.json: found 'auto_map', which names code of the model's own, which is never run"

REFUSED: dict[str, tuple[Spoil, str]] = {
    "its own code": (settings("config.json", model_type="evil", auto_map=OWN_CODE), NEVER_RUN),
    "code of another place": (
        settings("config.json", model_type="evil", auto_map={"AutoConfig": "a/b--evil.EvilConfig"}),
        NEVER_RUN,
    ),
    "its own code inside": (
        settings("config.json", text_config={"model_type": "bert", "auto_map": OWN_CODE}),
        NEVER_RUN,
    ),
    "its own code in another file": (
        both(
            settings("config.json", configuration_files=["config.4.0.0.json"]),
            text("config.4.0.0.json", json.dumps({"model_type": "evil", "auto_map": OWN_CODE})),
        ),
        "names other files to be read in its place",
    ),
    "a kernel": (settings("config.json", attn_implementation="a/b"), "allowed: eager, sdpa"),
    "a quantization": (
        settings("config.json", quantization_config={"quant_method": "quark"}), "may fetch code"
    ),
    "other weights": (
        both(
            settings("config.json", transformers_weights="adapter_model.bin"), pickled_weights
        ),
        "",
    ),
    "pickled weights": (pickled_weights, "holds no weights; expected model.safetensors"),
}  # fmt: skip


@pytest.fixture
def encoder(tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tiny encoder, with a payload wherever Python could find one."""
    folder = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, folder)
    for name in ("evil.py", "encoder/evil.py"):
        (tmp_path / name).write_text(PAYLOAD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(MARK, str(tmp_path / "ran"))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    return folder


def was_run(encoder: Path) -> bool:
    return (encoder.parent / "ran").exists() or "evil" in sys.modules


@pytest.mark.parametrize("form", REFUSED)
def test_an_encoder_that_leads_to_code_is_refused(form: str, encoder: Path) -> None:
    spoil, message = REFUSED[form]
    spoil(encoder)
    for load in (
        load_tokenizer,
        lambda name: Encoder(name=name).load(),
        lambda name: Encoder(name=name).configuration(),
    ):
        with pytest.raises(ConfigError) as refused:
            load(str(encoder))
        assert str(refused.value).startswith("run.encoder.name: ")
        assert len(str(refused.value).splitlines()) == 1
        assert message in str(refused.value)
    assert not was_run(encoder)


def test_an_adapter_beside_the_weights_is_refused(encoder: Path) -> None:
    text("adapter_config.json", '{"base_model_name_or_path": "evil", "peft_type": "LORA"}')(encoder)
    with pytest.raises(
        ConfigError, match=r"there is an adapter_config\.json beside them, .* first$"
    ):
        Encoder(name=str(encoder)).load()


def test_code_of_an_encoder_that_transformers_knows_itself_is_passed_over(encoder: Path) -> None:
    settings("config.json", auto_map=OWN_CODE)(encoder)
    settings("tokenizer_config.json", auto_map=OWN_TOKENIZER)(encoder)
    assert type(Encoder(name=str(encoder)).load()).__module__.startswith("transformers.models.bert")
    assert load_tokenizer(str(encoder)).is_fast
    assert not was_run(encoder)


def test_check_refuses_an_encoder_with_code_in_one_line(
    encoder: Path, corpus: Path, mtl: Mtl
) -> None:
    settings("config.json", model_type="evil", auto_map=OWN_CODE)(encoder)
    Path("study.yaml").write_text(
        f"""
run:
  encoder: {{name: ./encoder}}
  datasets: {{corpus: {{kind: seq_in_out, path: {corpus}}}}}
  tasks: {{intent: {{kind: classification, dataset: corpus, column: intent}}}}
study: {{trials: 1}}
"""
    )
    refused = mtl("check", "study.yaml")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert NEVER_RUN in refused.err
    assert not was_run(encoder)
