"""Models from scratch: other sizes, random weights alike in every run, a tokenizer of the data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from saved_models import save_untrained
from small_decoders import save_decoder
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from mtl_core.assets import load_data
from mtl_core.config import RunConfig
from mtl_core.data.example import Example
from mtl_core.errors import ConfigError, DataError
from mtl_core.model.outline import encoder_outline
from mtl_core.predictor import Predictor
from mtl_core.training.loop import train

LINES = "\n".join(f"the {animal} sat on the mat {n}" for n in range(9) for animal in ("cat", "rat"))
SMALL: dict[str, Any] = {"num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 24}
LM = {"kind": "causal_lm", "dataset": "text", "chunk": 16, "auxiliary": False}
Make = Callable[..., RunConfig]


@pytest.fixture(scope="module")
def decoder(sample: dict[str, list[Example]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decoder")
    save_decoder(folder, "llama", sample["train"])
    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.nn.init.ones_(model.model.layers[0].mlp.up_proj.weight)  # What training has made.
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def make(decoder: Path, tmp_path: Path) -> Make:
    """Makes a run of causal language modelling on a few lines, from scratch."""
    (tmp_path / "train.txt").write_text(LINES, encoding="utf-8")

    def run(*, split: str = "train.txt", **encoder: Any) -> RunConfig:
        settings = {"kind": "decoder", "name": str(decoder), "weights": "random", **encoder}
        path = str(tmp_path / split)
        return RunConfig.model_validate({
            "encoder": settings,
            "datasets": {"text": {"kind": "lines", "splits": {"train": path, "dev": path}}},
            "tasks": {"lm": LM},
            "training": {"epochs": 2, "batch_size": 4, "precision": "fp32"},
            "optimizer": {"encoder_lr": 0.01, "warmup": 0},
        })  # fmt: skip

    return run


def test_weights_are_drawn_alike_and_are_not_the_pretrained_ones(make: Make) -> None:
    first, state = make().encoder.load(), torch.random.get_rng_state()
    second = make().encoder.load()
    assert torch.equal(state, torch.random.get_rng_state())
    pretrained = make(weights="pretrained").encoder.load()
    weight = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(first.get_parameter(weight), second.get_parameter(weight))
    assert not torch.equal(first.get_parameter(weight), pretrained.get_parameter(weight))
    assert first.config.to_dict() == pretrained.config.to_dict()


def test_an_architecture_with_other_settings(make: Make) -> None:
    backbone = make(architecture=SMALL).encoder
    model = backbone.load()
    assert len(model.model.layers) == 2
    assert model.model.layers[0].mlp.up_proj.weight.shape == (24, 16)
    assert encoder_outline(backbone).facts.width == 16
    assert backbone.public_name() is None  # Nothing is left of what was trained.


def test_settings_with_an_entry_for_each_layer_follow_their_number(
    sample: dict[str, list[Example]], tmp_path: Path, make: Make
) -> None:
    save_decoder(tmp_path, "qwen3", sample["train"])
    model = make(name=str(tmp_path), architecture={"num_hidden_layers": 2}).encoder.load()
    assert len(model.config.layer_types) == len(model.model.layers) == 2


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (
            {"architecture": {"num_layer": 2}},
            r"^run\.encoder\.architecture: 'num_layer' is no .* mean 'num_hidden_layers'\?$",
        ),
        (
            {"architecture": {"num_attention_heads": 5}},
            r"^run\.encoder\.architecture: .* cannot have these settings: .*24.* heads .*5",
        ),
        (
            {"architecture": {"hidden_size": "wide"}},
            r"^run\.encoder\.architecture: .* cannot have these settings: .*hidden_size.*wide",
        ),
        (
            {"tokenizer": {"vocabulary": 12}},
            r"^run\.encoder\.tokenizer\.vocabulary: expected at least \d+, .*; found 12$",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    encoder: dict[str, Any], message: str, make: Make
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_data(make(**encoder))


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ({"architecture": SMALL, "weights": "pretrained"}, "architecture: pretrained weights bel"),
        ({"tokenizer": {"vocabulary": 99}, "weights": "pretrained"}, "tokenizer: pretrained weigh"),
        ({"tokenizer": {"vocabulary": 99}, "architecture": {"vocab_size": 9}}, "leave it out"),
    ],
)
def test_settings_without_effect_are_refused(
    encoder: dict[str, Any], message: str, make: Make
) -> None:
    with pytest.raises(ValidationError, match=message):
        make(**encoder)


def test_a_tokenizer_of_the_texts_knows_their_words(make: Make, decoder: Path) -> None:
    config = make(tokenizer={"vocabulary": 320})
    tokenizer = load_data(config).tokenizer
    # The old one has neither of these whole; special tokens keep their names, and stand in front.
    assert tokenizer.tokenize("the cat sat") == ["\u0120the", "\u0120cat", "\u0120sat"]
    assert (tokenizer.pad_token_id, tokenizer.sep_token_id) == (0, 3)
    assert tokenizer("the cat")["input_ids"][0] == tokenizer.cls_token_id
    model = config.encoder.load()
    assert model.config.vocab_size == 320
    assert model.get_input_embeddings().weight.shape[0] == 320


def test_special_tokens_get_the_numbers_that_the_model_is_told(
    sample: dict[str, list[Example]], tmp_path: Path, make: Make
) -> None:
    """Byte-level BPE with its end token behind all others, as GPT-2 has it."""
    save_decoder(tmp_path, "gpt2", sample["train"], bos_token_id=258, eos_token_id=258,
                 pad_token_id=None, vocab_size=259)  # fmt: skip
    pieces = {piece: number for number, piece in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    backend = Tokenizer(
        models.BPE(pieces | {"ab": 256, "bc": 257}, merges=[("a", "b"), ("b", "c")])
    )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.add_special_tokens(["<|end|>"])
    PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|end|>", bos_token="<|end|>", model_max_length=64
    ).save_pretrained(tmp_path)
    config = make(name=str(tmp_path), tokenizer={"vocabulary": 280})
    tokenizer = load_data(config).tokenizer
    model = config.encoder.load()
    assert model.config.eos_token_id == model.config.bos_token_id == tokenizer.eos_token_id == 0
    assert model.generation_config.eos_token_id == 0
    assert len(tokenizer) == 280


def test_every_machine_trains_the_same_tokenizer(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for cache in ("one", "other"):
        monkeypatch.setenv("MTL_CACHE", str(tmp_path / cache))
        found.append(load_data(make(tokenizer={"vocabulary": 320})).tokenizer)
        assert len(list((tmp_path / cache / "tokenizers").glob("*/tokenizer.json"))) == 1
    assert found[0].backend_tokenizer.to_str() == found[1].backend_tokenizer.to_str()


def test_a_run_from_scratch_learns_and_its_model_is_loaded_again(
    make: Make, tmp_path: Path
) -> None:
    config = make(architecture=SMALL, tokenizer={"vocabulary": 320})
    reports = list(train(config))
    assert reports[1].dev["lm"]["perplexity"] < reports[0].dev["lm"]["perplexity"] < 320
    loaded = Predictor.load(save_untrained(config, tmp_path / "model"))
    assert loaded.model.encoder.config.vocab_size == 320
    assert loaded.tokenizer.tokenize("the cat") == ["\u0120the", "\u0120cat"]


def test_missing_files_are_told_before_a_tokenizer_is_trained(make: Make) -> None:
    with pytest.raises(DataError, match=r"^run\.datasets\.text\.splits\.train: .*other\.txt"):
        load_data(make(split="other.txt", tokenizer={"vocabulary": 320}))
