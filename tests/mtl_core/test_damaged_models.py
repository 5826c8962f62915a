"""Damaged models and encoders: an answer in one line, soon, and nothing written."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from answers import Case, answer_of
from conftest import Mtl, RunConfigFactory
from damaged_models import cases
from encoders import FAMILIES as ENCODERS
from encoders import tiny
from safetensors.torch import load_file, save_file
from saved_models import save_untrained
from strangers import settings
from token_encoders import random_model

from mtl_core.assets import Assets, build_tasks
from mtl_core.errors import ConfigError
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.predictor import Predictor

TEXTS = ["play some jazz by miles davis in paris", "book a table for two"]
ROOM = 8 * 2**30
"""Bytes of address space; torch and Transformers alone take most of it."""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    return list(cases(tmp_path_factory.mktemp("damaged"), seed=16, count=32))


@pytest.mark.parametrize("number", range(32))
def test_damage_is_answered(number: int, drawn: list[Case]) -> None:
    case = drawn[number]
    assert case.fault() is None, case.name


def absurd(name: str, value: object) -> Callable[[Path], None]:
    return settings("config.json", **{name: value})


def large_head(folder: Path) -> None:
    run = folder / "run.yaml"
    changed = run.read_text().replace("kind: linear", "kind: mlp\n      hidden_size: 1000000000", 1)
    run.write_text(changed)


HUGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "layers": (absurd("num_hidden_layers", 10**6), "num_hidden_layers: expected at most 8,192"),
    "fewer layers": (absurd("num_hidden_layers", 8_000), "num_hidden_layers: expected at most 25"),
    "words": (absurd("vocab_size", 10**9), "vocab_size: expected at most 1,048,576, found 1,000,"),
    "fewer words": (absurd("vocab_size", 400_000), "and model.safetensors holds one of ("),
    "width": (absurd("hidden_size", 2**20), "makes a model far larger than model.safetensors"),
    "positions": (absurd("max_position_embeddings", 2**20), "far larger than model.safetensors"),
    "labels": (absurd("num_labels", 10**9), "num_labels: expected at most 100,000"),
    "a number of many digits": (absurd("vocab_size", 10**300), "found a number of 301 digits"),
    "a part of a layer": (absurd("chunk_size_feed_forward", 10**12), "expected at most 1,048,576"),
    "a head": (large_head, "run.yaml and mtl.json, which makes a model far larger than heads."),
}  # fmt: skip
"""What a few bytes ask for -> what is said."""

PROBE = """
import resource, sys
from mtl_core.errors import ConfigError
from mtl_core.predictor import Predictor
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for folder in sys.argv[2:]:
    try:
        Predictor.load(folder, device="cpu")
        print("loaded", folder)
    except ConfigError as error:
        print(error)
"""


@pytest.mark.slow
def test_what_asks_for_more_than_there_is_takes_neither_time_nor_memory(
    untrained_model: Path, tmp_path: Path
) -> None:
    for form, (spoil, _) in HUGE.items():
        shutil.copytree(untrained_model, tmp_path / form)
        spoil(tmp_path / form)
    folders = [str(tmp_path / form) for form in HUGE]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, "-", *folders],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM)),
    )
    lines = done.stdout.splitlines()
    assert (done.returncode, len(lines)) == (0, len(HUGE)), done.stderr[-2000:]
    for line, (form, (_, said)) in zip(lines, HUGE.items(), strict=True):
        assert line.startswith(str(tmp_path / form))
        assert said in line


@pytest.mark.parametrize(
    ("family", "key"), [("longformer", "attention_window"), ("funnel", "block_repeats"),
                        ("canine", "num_hash_functions"), ("bart", "decoder_layers")],
)  # fmt: skip
def test_what_is_in_no_weight_is_bounded_too(family: str, key: str, tmp_path: Path) -> None:
    random_model(family, vocab_size=99).save_pretrained(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())[key]
    absurd(key, [10**5] * len(written) if isinstance(written, list) else 10**5)(tmp_path)
    with pytest.raises(ConfigError, match=rf"{key}.*: expected at most 8,192, found 100,000"):
        Encoder(name=str(tmp_path)).load()


@pytest.mark.parametrize("form", [form for form in HUGE if form != "a head"])
def test_an_encoder_is_bounded_as_a_model_is(form: str, tiny_encoder: Path, tmp_path: Path) -> None:
    spoil, said = HUGE[form]
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    spoil(folder)
    from mtl_core.model.outline import encoder_outline

    with pytest.raises(ConfigError, match=r"^run\.encoder\.name: cannot load the ") as told:
        encoder_outline(Encoder(name=str(folder)))
    assert said in str(told.value)
    with pytest.raises(ConfigError):
        Encoder(name=str(folder)).load()


def test_weights_that_an_encoder_lacks_are_not_drawn_anew(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.bias"]
    weights["padding"] = torch.zeros(10_000)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"they lack 'encoder\.layer\.1\.output\.dense\.bias', "):
        Encoder(name=str(folder)).load()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("../weights.safetensors", "expected files of safetensors beside it, found '../weights"),
        ("pytorch_model.bin", "expected files of safetensors beside it, found 'pytorch_model.bin'"),
        ("none.safetensors", "there is no none.safetensors beside it"),
        (5, "weight_map: expected names of files"),
    ],
)
def test_weights_in_several_files_lie_beside_each_other(
    tiny_encoder: Path, tmp_path: Path, target: object, said: str
) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    shards = {"a.safetensors": names[:20], "b.safetensors": names[20:]}
    for file, inside in shards.items():
        save_file({n: weights[n] for n in inside}, folder / file, metadata={"format": "pt"})
    index: dict[str, Any] = {"metadata": {"total_size": 1}}
    index["weight_map"] = {name: file for file, inside in shards.items() for name in inside}
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    loaded = Encoder(name=str(folder)).load().state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in loaded)
    index["weight_map"][names[0]] = target
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ConfigError) as told:
        Encoder(name=str(folder)).load()
    assert said in str(told.value)


def test_outputs_that_a_configuration_asks_for_do_no_harm(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    plain = Encoder(name=str(folder)).load()
    settings("config.json", output_attentions=True, output_hidden_states=True, return_dict=False)(
        folder
    )
    ids = torch.tensor([[5, 6, 7]])
    found = Encoder(name=str(folder)).load()(input_ids=ids)
    assert torch.equal(found.last_hidden_state, plain(input_ids=ids).last_hidden_state)
    assert found.attentions is None


@pytest.mark.parametrize("name", ["model.safetensors", "heads.safetensors"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
def test_weights_that_are_no_numbers_predict_nothing(
    untrained_model: Path, tmp_path: Path, name: str, value: float
) -> None:
    folder = shutil.copytree(untrained_model, tmp_path / "model")
    weights = load_file(folder / name)
    broken = {key: torch.full_like(weight, value) for key, weight in weights.items()}
    save_file(broken, folder / name, metadata={"format": "pt"})
    said = (
        "expected numbers, found NaN or inf"
        if value != 1e38
        else "NaN or infinity in place of numbers"
    )
    with pytest.raises(ConfigError, match=said):
        Predictor.load(folder)(TEXTS)


@pytest.mark.parametrize(
    "name", ["loop", "pipe", "file", "x" * 300, f"a/{'x' * 5000}", f"{'x' * 90}/y", "\udcff",
             "a\nb", "", "pipe/x", "loop/x", "~nobody/x", "/proc"],
)  # fmt: skip
def test_names_that_are_no_folder_are_told_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for command in (["predict", name, "text"], ["push", name, "a/b"], ["evaluate", name]):
        answer = answer_of(command, [tmp_path])
        assert answer.fault() is None
        assert (answer.code in (2, 75), len(answer.stderr.splitlines())) == (True, 1)


@pytest.mark.parametrize("target", ["README.md", "modules.json", "config.json"])
def test_nothing_from_outside_the_folder_is_pushed(
    untrained_model: Path, tmp_path: Path, mtl: Mtl, target: str
) -> None:
    folder = shutil.copytree(untrained_model, tmp_path / "model")
    secret = tmp_path / "secret"
    (folder / target).rename(secret)
    (folder / target).symlink_to(secret)
    refused = mtl("push", str(folder), "somebody/model")
    assert refused.code == 2
    assert refused.err == (
        f"error: {folder / target}: it is a link to {secret}, outside of the model\n"
    )


@pytest.mark.parametrize("family", ["bert", "albert", "deberta-v2", "modernbert", "t5", "bart"])
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_what_is_whole_loads_and_says_what_it_said(
    run_config: RunConfigFactory, tiny_encoder: Path, tmp_path: Path, family: str
) -> None:
    folder = tmp_path / "encoder"
    size = json.loads((tiny_encoder / "config.json").read_text())["vocab_size"]
    made = tiny if family in ENCODERS else random_model
    made(family, vocab_size=size).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_encoder / name, folder)
    config = run_config({"encoder.name": str(folder), "encoder.max_length": 32})
    save_untrained(config, tmp_path / "model")
    assets = Assets.load(config, device=torch.device("cpu"))
    torch.manual_seed(0)
    model = assets.new_model(config, build_tasks(config, assets.data.datasets)).eval()
    loaded = Predictor.load(tmp_path / "model", device="cpu")
    # The heads of one were drawn at another time than those of the other.
    model.heads.load_state_dict(loaded.model.heads.state_dict())
    inputs = dict(assets.data.tokenizer(TEXTS, return_tensors="pt", padding=True))
    kept = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        expected = model.encoder(**kept).last_hidden_state
        found = loaded.model.encoder(**kept).last_hidden_state
    assert torch.equal(found, expected)
    assert [one["intent"] is not None for one in loaded(TEXTS)] == [True, True]
