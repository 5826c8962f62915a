"""An encoder's outline: freezing says of it what it says of the encoder, importing no code."""

import subprocess
import sys
from pathlib import Path

import pytest
from encoders import FAMILIES, tiny
from pydantic import TypeAdapter
from torch import nn
from transformers import AutoModel

from mtl_core.errors import ConfigError
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.model.kinds import FreezingSection
from mtl_core.model.layers import separate_layers
from mtl_core.model.outline import Outline, encoder_outline, from_outline, take_outline
from mtl_core.model.trained import describe_encoder
from mtl_core.paths import cache_folder

KINDS: TypeAdapter[FreezingSection] = TypeAdapter(FreezingSection)
FREEZING: list[dict[str, object]] = [
    {"kind": "none"},
    {"kind": "embeddings"},
    {"kind": "lower_layers", "layers": 2},
    {"kind": "lower_layers", "layers": 4},
    {"kind": "upper_layers", "layers": 1},
    {"kind": "encoder"},
    {"kind": "gradual"},
    {"kind": "bias_only"},
    {"kind": "lora", "rank": 2},
    {"kind": "lora", "targets": ["nowhere"]},
    {"kind": "lora", "targets": "attention", "from_layer": 1, "dora": True, "bits": 4},
]


def outline(name: str) -> Outline:
    return encoder_outline(Encoder(name=name))


def saved(folder: Path, encoder: nn.Module) -> str:
    encoder.save_pretrained(folder)
    return str(folder)


def verdict(encoder: nn.Module, kind: dict[str, object]) -> str | list[object]:
    """Returns all that freezing has to say of an encoder, or the error."""
    section = KINDS.validate_python(kind)
    names = {p: name for name, p in encoder.named_parameters()}
    modules = {module: name for name, module in encoder.named_modules()}
    try:
        section.check(encoder)
        frozen = section.frozen_parameters(encoder, epoch=2)
        return [
            sorted(names[p] for p in frozen),
            [modules[module] for module in section.frozen_modules(encoder, epoch=2)],
            section.frozen_depth(encoder, epoch=2),
            describe_encoder(encoder, section, epoch=2),
        ]
    except ConfigError as error:
        return str(error)


@pytest.mark.parametrize("family", [*FAMILIES, "t5", "gpt2"])
def test_freezing_says_the_same_of_an_outline(family: str, tmp_path: Path):
    name = saved(tmp_path / "encoder", tiny(family))
    for kind in FREEZING:
        for _ in range(2):  # Taken from the encoder, and read from the file.
            assert verdict(outline(name).encoder, kind) == verdict(tiny(family), kind)
    shapes = {key: p.shape for key, p in tiny(family).named_parameters()}
    assert {key: p.shape for key, p in outline(name).encoder.named_parameters()} == shapes
    if family not in ("albert", "t5"):
        assert len(separate_layers(outline(name).encoder, "key").layers) == 3


def test_what_is_described_stays_as_it_is():
    section = KINDS.validate_python({"kind": "lora", "rank": 2})
    for device in ("cpu", "meta"):
        encoder = tiny("bert").to(device)
        modules = [(name, type(module)) for name, module in encoder.named_modules()]
        described = [describe_encoder(encoder, section, epoch=1) for _ in range(2)]
        assert described[0] == described[1]
        assert [(name, type(module)) for name, module in encoder.named_modules()] == modules
        assert all(parameter.requires_grad for parameter in encoder.parameters())


def test_weights_with_two_names_count_once():
    # T5 has one table of words for its encoder and its decoder.
    whole = AutoModel.from_config(tiny("t5").config)
    read = from_outline(take_outline(whole))
    words = read.get_parameter("encoder.embed_tokens.weight")
    assert words is read.get_parameter("decoder.embed_tokens.weight")
    count = sum(p.numel() for p in whole.parameters())
    assert sum(p.numel() for p in read.parameters()) == count


@pytest.mark.parametrize("broken", ["", "[]", '{"modules": [], "parameters": []}'])
def test_broken_file_is_taken_anew(
    broken: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    name = saved(tmp_path / "encoder", tiny("bert"))
    count = len(list(outline(name).encoder.parameters()))
    (file,) = (cache_folder() / "outlines").glob("*.json")
    whole = file.read_text()
    file.write_text(broken)
    assert len(list(outline(name).encoder.parameters())) == count
    assert [line for line in caplog.messages if "damaged: " in line and str(file) in line]
    assert file.read_text() == whole
    assert {path for path in file.parent.iterdir() if path.suffix != ".lock"} == {file}


def test_other_configuration_has_another_outline(tmp_path: Path):
    before = outline(saved(tmp_path / "encoder", tiny("bert"))).encoder
    after = outline(saved(tmp_path / "encoder", tiny("bert", num_hidden_layers=1))).encoder
    assert len(separate_layers(before, "key").layers) == 3
    assert len(separate_layers(after, "key").layers) == 1


def test_second_time_imports_no_code_of_the_family(tmp_path: Path):
    name = saved(tmp_path / "encoder", tiny("bert"))
    code = (
        "import sys; from mtl_core.model.backbones.encoder import Encoder;"
        "from mtl_core.model.outline import encoder_outline;"
        f"encoder_outline(Encoder(name={name!r}));"
        "print('transformers.modeling_utils' in sys.modules)"
    )
    run = [sys.executable, "-c", code]
    said = [subprocess.run(run, capture_output=True, text=True, check=True).stdout for _ in "12"]
    assert said == ["True\n", "False\n"]
