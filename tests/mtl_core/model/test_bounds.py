"""Bounds on what is built: the weights that are there, and a little beside."""

from pathlib import Path
from threading import Thread

import pytest
import torch
from encoders import FAMILIES, tiny
from torch import nn
from transformers import AutoConfig

from mtl_core.errors import ConfigError
from mtl_core.model.bounds import at_most, check_depth, check_fits
from mtl_core.model.word_rows import RowEmbedding
from mtl_core.weight_sizes import WeightSizes

PLACE = Path("folder/model.safetensors")


def sizes_of(module: nn.Module, before: str = "") -> WeightSizes:
    shapes = {before + name: tuple(value.shape) for name, value in module.state_dict().items()}
    return WeightSizes(PLACE, shapes)


def build_many(count: int) -> nn.Module:
    return nn.Sequential(*(nn.Identity() for _ in range(count)))


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_many(11_000),
        lambda: nn.Linear(2**14, 2**14, device="meta"),
        lambda: [nn.Linear(2**11, 2**11, device="meta") for _ in range(9)],
        lambda: nn.Module().register_buffer("table", torch.empty(2**25, device="meta")),
    ],
    ids=["modules", "a weight", "weights", "a buffer"],
)
def test_what_is_far_larger_than_its_weights_is_not_built(build: object) -> None:
    sizes = WeightSizes(PLACE, {"weight": (10, 10)})
    assert callable(build)
    with (
        pytest.raises(
            ConfigError,
            match=r"^config\.json, which makes a model far larger than model\.safetensors: that "
            r"holds 1 weights of 100 numbers$",
        ),
        at_most(sizes, asked_by="config.json"),
    ):
        build()
    build_many(11_000)  # Outside of the block there is no bound, and a thread has its own.
    with at_most(sizes, asked_by="config.json"):
        other = Thread(target=build_many, args=[11_000])
        other.start()
        other.join()
        build_many(1_000)


@pytest.mark.parametrize("family", FAMILIES)
def test_encoders_fit_their_own_weights(family: str) -> None:
    encoder = tiny(family, vocab_size=99)
    for before in ("", "model.encoder."):
        sizes = sizes_of(encoder, before)
        with at_most(sizes, asked_by="config.json"):
            again = tiny(family, vocab_size=99)
        check_fits(again, sizes, where="config.json")
        check_depth(encoder.config, sizes, where="config.json")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("change", ["vocab_size", "num_hidden_layers"])
def test_encoders_do_not_fit_other_weights(family: str, change: str) -> None:
    larger = tiny(
        family, **{"vocab_size": 99, change: {"vocab_size": 199, "num_hidden_layers": 4}[change]}
    )
    if change == "num_hidden_layers" and family == "albert":
        return  # One layer, used four times.
    with pytest.raises(ConfigError, match=r"^config\.json: it makes "):
        check_fits(larger, sizes_of(tiny(family, vocab_size=99)), where="config.json")


def test_layers_that_share_their_weights_have_a_bound_of_their_own() -> None:
    sizes = sizes_of(tiny("albert", vocab_size=99))
    check_depth(AutoConfig.for_model("albert", num_hidden_layers=256), sizes, where="config.json")
    with pytest.raises(
        ConfigError,
        match=r"^config\.json: num_hidden_layers: expected at most 256, found 1,000,000; ",
    ):
        check_depth(
            AutoConfig.for_model("albert", num_hidden_layers=10**6), sizes, where="config.json"
        )
    with pytest.raises(ConfigError, match=r"n_layers: expected at most 256, found 300"):
        check_depth(AutoConfig.for_model("distilbert", n_layers=300), sizes, where="config.json")


def test_weights_that_are_there_may_come_into_other_modules() -> None:
    # Never touched, so it takes no memory: the word embeddings of most encoders are that large.
    given = nn.Embedding(2**16, 2**9, _weight=torch.empty(2**16, 2**9))
    sizes = WeightSizes(Path("heads.safetensors"), {"head.weight": (4, 8)})
    with at_most(sizes, asked_by="run.yaml", given=given):
        RowEmbedding(given)
    with (
        pytest.raises(ConfigError, match=r"run\.yaml, which makes a model far larger than heads"),
        at_most(sizes, asked_by="run.yaml"),
    ):
        RowEmbedding(given)
