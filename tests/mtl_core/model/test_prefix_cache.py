"""What frozen layers compute, kept on disk: the same numbers, built once, within a budget."""

import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RunConfigFactory
from transformers import PreTrainedModel

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.data.store import EncodedDataset
from mtl_core.model import prefix_cache
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.model.prefix_cache import PrefixCache, PrefixSettings
from mtl_core.training.loop import train

CPU = torch.device("cpu")
GIB = 2**30
Settings = dict[str, object]
KINDS: list[Settings] = [
    {"kind": "embeddings"},
    {"kind": "lower_layers", "layers": 2},
    {"kind": "lower_layers", "layers": 3},
    {"kind": "encoder"},
    {"kind": "gradual", "every": 1},
    {"kind": "lora", "from_layer": 2},
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "prefix"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind['kind']}{kind.get('layers', '')}")
def test_cached_and_uncached_runs_agree(
    run_config: RunConfigFactory, tiny_encoder_with_dropout: Path, own_cache: Path, kind: Settings
) -> None:
    common: Settings = {
        "encoder.name": str(tiny_encoder_with_dropout),
        "freezing": kind,
        "training.epochs": 4,
        "optimizer.encoder_lr": 1e-3,
    }
    without = list(train(run_config(common | {"training.prefix_cache": "off"})))
    assert not own_cache.exists()
    cached = list(train(run_config(common)))
    assert list(own_cache.glob("*/train.bin"))
    for ours, theirs in zip(cached, without, strict=True):
        assert ours.losses == pytest.approx(theirs.losses, rel=1e-5)
        assert ours.dev == theirs.dev


def test_bf16_stays_within_the_spread_of_seeds(run_config: RunConfigFactory) -> None:
    common: Settings = {
        "freezing": {"kind": "lower_layers", "layers": 2},
        "training.precision": "bf16",
    }
    without, other = (
        list(train(run_config(common | {"training.prefix_cache": "off", "seed": seed})))[-1].losses
        for seed in (0, 1)
    )
    cached = list(train(run_config(common)))[-1].losses
    for task, loss in cached.items():
        assert abs(loss - without[task]) < abs(other[task] - without[task])
    exact = list(train(run_config(common | {"training.prefix_cache": "fp32"})))[-1].losses
    assert exact == pytest.approx(without, rel=1e-3)


def states(config: RunConfig, assets: Assets, budget: int = GIB) -> dict[str, EncodedDataset]:
    cache = PrefixCache("weights")
    settings = PrefixSettings(depth=1, precision="fp32", dtype="fp32", budget=budget)
    return cache.apply(assets.data.datasets, encoder_of(config), settings)


def encoder_of(config: RunConfig) -> PreTrainedModel:
    return Encoder(name=config.encoder.name).load()


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were built, by their names."""
    found: list[str] = []
    build = prefix_cache.build_states

    def counted(path: Path, *args: object) -> None:
        found.append(path.name)
        build(path, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(prefix_cache, "build_states", counted)
    return found


@pytest.mark.parametrize("damage", ["changed", "shorter", "no meta", "bad meta", "half-written"])
def test_damaged_files_are_built_again(
    run_config: RunConfigFactory, own_cache: Path, builds: list[str], damage: str
) -> None:
    config = run_config()
    assets = Assets.load(config, device=CPU)
    first = states(config, assets)["corpus"].splits["train"].frozen
    assert first is not None
    values = first.values.clone()
    [meta] = own_cache.glob("*/meta.json")
    file = meta.with_name("train.bin")
    if damage == "changed":
        content = bytearray(file.read_bytes())
        content[1000] ^= 1
        file.write_bytes(content)
    elif damage == "shorter":
        file.write_bytes(file.read_bytes()[:-4])
    elif damage == "no meta":
        meta.unlink()
    elif damage == "bad meta":
        meta.write_text("{", encoding="utf-8")
    else:
        meta.parent.rename(meta.parent.with_name(f".{meta.parent.name}.killed.part"))
    again = states(config, assets)["corpus"].splits["train"].frozen
    assert again is not None
    assert torch.equal(again.values, values)
    assert builds == ["train.bin", "dev.bin"] * 2
    states(config, assets)
    assert len(builds) == 4
    assert not list(own_cache.glob("*.part"))


def test_two_that_want_the_same_build_it_once(
    run_config: RunConfigFactory, builds: list[str]
) -> None:
    config = run_config()
    assets = Assets.load(config, device=CPU)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: states(config, assets), range(2)))
    assert builds == ["train.bin", "dev.bin"]
    first, second = (found["corpus"].splits["dev"].frozen for found in both)
    assert first is not None
    assert second is not None
    assert torch.equal(first.values, second.values)


def test_what_shapes_hidden_states_builds_them_again(
    run_config: RunConfigFactory, builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config()
    assets = Assets.load(config, device=CPU)
    encoder, dataset = encoder_of(config), assets.data.datasets["corpus"]
    plain = PrefixSettings(depth=1, precision="fp32", dtype="fp32", budget=GIB)

    def use(settings: PrefixSettings = plain, dataset: EncodedDataset = dataset) -> int:
        before = len(builds)
        PrefixCache("weights").apply({"corpus": dataset}, encoder, settings)
        return len(builds) - before

    assert use() == 2
    encoder.config.name_or_path = "elsewhere"
    encoder.config.dtype = torch.float16
    assert use() == 0
    assert use(replace(plain, depth=2)) == 2
    assert use(replace(plain, precision="bf16")) == 2
    assert use(replace(plain, dtype="bf16")) == 2
    assert use(replace(plain, dtype="fp16")) == 2
    typed = {
        name: replace(split, token_types=replace(ids, values=np.ones_like(ids.values)))
        for name, split in dataset.splits.items()
        if (ids := split.token_ids)
    }
    assert use(dataset=replace(dataset, splits=typed)) == 2
    encoder.config.layer_norm_eps = 0.1
    assert use() == 2
    monkeypatch.setattr(prefix_cache.importlib.metadata, "version", lambda name: "5.99")
    assert use() == 2


def test_a_larger_budget_is_heeded(run_config: RunConfigFactory, builds: list[str]) -> None:
    config = run_config()
    assets = Assets.load(config, device=CPU)
    cache = PrefixCache("weights")
    for budget, built in ((1, 0), (GIB, 2)):
        settings = PrefixSettings(depth=1, precision="fp32", dtype="fp32", budget=budget)
        found = cache.apply(assets.data.datasets, encoder_of(config), settings)
        assert len(builds) == built
        assert (found["corpus"].splits["dev"].frozen is not None) == bool(built)


def test_the_least_recently_used_make_room(run_config: RunConfigFactory, own_cache: Path) -> None:
    config = run_config()
    assets = Assets.load(config, device=CPU)
    encoder = encoder_of(config)

    def use(weights: str, budget: int) -> None:
        settings = PrefixSettings(depth=1, precision="fp32", dtype="fp32", budget=budget)
        PrefixCache(weights).apply(assets.data.datasets, encoder, settings)

    def folders() -> set[str]:
        return {path.parent.name for path in own_cache.glob("*/meta.json")}

    use("a", GIB)
    [a] = folders()
    size = sum(path.stat().st_size for path in (own_cache / a).iterdir())
    use("b", GIB)
    [b] = folders() - {a}
    os.utime(own_cache / b / "meta.json", (1, 1))
    use("a", GIB)  # used later than b
    use("c", int(2.5 * size))
    assert a in folders()
    assert b not in folders()
    assert len(folders()) == 2


def test_what_does_not_fit_is_computed_in_every_step_and_told(
    run_config: RunConfigFactory, own_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    overrides: Settings = {"freezing": {"kind": "encoder"}, "training.prefix_cache_gib": 1e-6}
    with caplog.at_level(logging.WARNING):
        small = list(train(run_config(overrides)))
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("the hidden states of data set 'corpus' take 0.0 GiB, more than there")
    off = list(train(run_config(overrides | {"training.prefix_cache": "off"})))
    assert [report.losses for report in small] == [report.losses for report in off]
    assert not list(own_cache.glob("*/meta.json"))


def test_running_text_is_masked_anew_and_so_never_cached(
    run_config: RunConfigFactory, corpus: Path, own_cache: Path
) -> None:
    files = {split: str(corpus / split / "seq.in") for split in ("train", "dev")}
    overrides: Settings = {
        "datasets.text": {"kind": "lines", "splits": files},
        "tasks.words": {"kind": "masked_lm", "dataset": "text", "chunk": 16},
        "freezing": {"kind": "encoder"},
    }
    cached = list(train(run_config(overrides)))
    assert len(list(own_cache.glob("*/meta.json"))) == 1  # of the corpus
    off = list(train(run_config(overrides | {"training.prefix_cache": "off"})))
    for ours, theirs in zip(cached, off, strict=True):
        assert ours.losses == pytest.approx(theirs.losses, rel=1e-5)


def test_questions_in_windows_agree_too(run_config: RunConfigFactory, tmp_path: Path) -> None:
    context = "play some jazz music in paris then book a table for two in the old town tonight"
    answers = [{"text": "paris", "answer_start": context.index("paris")}]
    paragraphs = [
        {"context": context, "qas": [{"id": str(n), "question": "where to play", "answers": a}]}
        for n, a in enumerate([answers, []] * 6)
    ]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    overrides: Settings = {
        "encoder.max_length": 24,
        "datasets.squad": {"kind": "squad", "splits": {"train": str(path), "dev": str(path)}},
        "tasks.answer": {"kind": "question_answering", "dataset": "squad", "overlap": 2},
        "freezing": {"kind": "lower_layers", "layers": 1},
    }
    cached = list(train(run_config(overrides)))
    off = list(train(run_config(overrides | {"training.prefix_cache": "off"})))
    for ours, theirs in zip(cached, off, strict=True):
        assert ours.losses == pytest.approx(theirs.losses, rel=1e-5)
        assert ours.dev == theirs.dev
