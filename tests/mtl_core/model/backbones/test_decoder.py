"""Runs on decoders, of running text and labels: trained, resumed, cached, saved, refused."""

from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory
from encoders import tiny
from saved_models import train_and_export
from short_runs import assert_same, run
from small_decoders import save_decoder
from token_encoders import save_family
from transformers import AutoModel, AutoModelForCausalLM

from mtl_core.assets import Assets, build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.example import Example
from mtl_core.errors import ConfigError
from mtl_core.model.backbones.decoder import Decoder
from mtl_core.model.backbones.tokenizer import load_tokenizer
from mtl_core.model.outline import encoder_outline
from mtl_core.paths import cache_folder
from mtl_core.predictor import Predictor
from mtl_core.training.loop import train

CPU = torch.device("cpu")
Settings = dict[str, object]


@pytest.fixture(scope="module")
def with_text(
    run_config: RunConfigFactory,
    sample: dict[str, list[Example]],
    tmp_path_factory: pytest.TempPathFactory,
) -> RunConfigFactory:
    """Makes a run of intents, tags and running text on a decoder of some family."""
    folder = tmp_path_factory.mktemp("running")
    splits = {}
    for split, size in (("train", 24), ("dev", 8)):
        path = folder / f"{split}.txt"
        path.write_text("".join(f"{' '.join(one.words)}\n" for one in sample[split][:size]))
        splits[split] = str(path)
    corpus = run_config().model_dump(mode="json")["datasets"]["corpus"]
    datasets = {"corpus": corpus | {"limit": 24}, "running": {"kind": "lines", "splits": splits}}

    def make(family: str, overrides: Settings | None = None) -> RunConfig:
        if not (folder / family).exists():
            save_decoder(folder / family, family, sample["train"])
        return run_config(
            {
                "encoder": {"kind": "decoder", "name": str(folder / family)},
                "datasets": datasets,
                "tasks.words": {"kind": "causal_lm", "dataset": "running", "chunk": 16},
                "optimizer.encoder_lr": 1e-2,
                **(overrides or {}),
            }
        )

    return make


@pytest.mark.parametrize("family", ["llama", "gpt_neox"])  # tied, and not
def test_a_run_learns_and_goes_on_where_it_stopped(
    with_text: RunConfigFactory, tmp_path: Path, family: str
) -> None:
    config = with_text(family, {"training.epochs": 3})
    reports, weights = run(config, tmp_path / "whole")
    assert reports[-1].dev["words"]["perplexity"] < 0.8 * reports[0].dev["words"]["perplexity"]
    cut = train(config, checkpoint=tmp_path / "cut")
    next(cut)
    cut.close()
    resumed, same = run(config, tmp_path / "cut")
    assert [one.losses for one in resumed] == [one.losses for one in reports[-len(resumed) :]]
    assert_same(weights, same)
    # What embeddings and output layer have in common is kept once.
    size = max(value.shape[0] for value in weights.values() if value.ndim == 2)
    tables = [name for name, value in weights.items() if value.ndim == 2 and len(value) == size]
    assert len(tables) == (1 if family == "llama" else 2)


@pytest.mark.parametrize("family", ["gemma", "qwen3"])
def test_transformers_reads_the_saved_model(
    with_text: RunConfigFactory, tmp_path: Path, family: str
) -> None:
    config = with_text(family, {"training.epochs": 1})
    train_and_export(config, tmp_path)
    loaded = Predictor.load(tmp_path / "model")
    ids = torch.tensor([[2, 9, 12, 7]])
    with torch.no_grad():
        expected = loaded.model.whole(input_ids=ids).logits
        states = loaded.model.encoder(input_ids=ids, attention_mask=torch.ones_like(ids))
        before = AutoModelForCausalLM.from_pretrained(config.encoder.name)(input_ids=ids).logits
        found = AutoModelForCausalLM.from_pretrained(tmp_path / "model")(input_ids=ids).logits
        base = AutoModel.from_pretrained(tmp_path / "model")(input_ids=ids).last_hidden_state
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(base, states.last_hidden_state)
    assert not torch.allclose(found, before, atol=1e-2)
    assert loaded("play a song")[0]["intent"] is not None


@pytest.mark.parametrize(
    ("freezing", "kept"),
    [
        ({"kind": "lower_layers", "layers": 1}, 2),  # what both modes have in common
        ({"kind": "lower_layers", "layers": 2}, 2),
        ({"kind": "encoder"}, 2),
    ],
    ids=lambda value: f"{value['kind']}{value.get('layers', '')}" if value != 2 else "",
)
def test_cached_is_uncached_where_layers_look_ahead(
    with_text: RunConfigFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    freezing: Settings,
    kept: int,
) -> None:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    common: Settings = {"freezing": freezing, "encoder.bidirectional_layers": 2}
    without = list(train(with_text("qwen3", common | {"training.prefix_cache": "off"})))
    cached = list(train(with_text("qwen3", common)))
    assert len(list(cache_folder().glob("prefix/*/train.bin"))) == kept
    for ours, theirs in zip(cached, without, strict=True):
        assert ours.losses == pytest.approx(theirs.losses, rel=1e-4)
    # Other layers that look ahead are other states, where these are kept.
    plain = list(train(with_text("qwen3", common | {"encoder.bidirectional_layers": 0})))
    assert plain[-1].losses["words"] == pytest.approx(cached[-1].losses["words"], rel=0.2)
    assert plain[0].losses["intent"] != pytest.approx(cached[0].losses["intent"], rel=1e-4)


@pytest.mark.parametrize(
    ("freezing", "writes"),
    [
        ({"kind": "none"}, True),
        ({"kind": "embeddings"}, True),
        ({"kind": "encoder"}, True),
        ({"kind": "upper_layers", "layers": 1}, False),
        ({"kind": "lora", "rank": 2}, False),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_what_trains_of_the_output_layer(
    with_text: RunConfigFactory, freezing: Settings, writes: bool
) -> None:
    config = with_text("gpt_neox", {"freezing": freezing, "training.epochs": 1})
    [report] = train(config)
    assert ("writer" in report.trained) == writes
    assert ("writer" in report.learning_rates) == writes
    # Without a task that writes, it stays as it is.
    datasets = {"corpus": config.model_dump(mode="json")["datasets"]["corpus"]}
    tasks = {name: config.tasks[name].model_dump(mode="json") for name in ("intent", "slots")}
    raw = config.model_dump(mode="json") | {"tasks": tasks, "datasets": datasets}
    [report] = train(RunConfig.model_validate(raw))
    assert "writer" not in report.trained


def test_runs_on_the_same_assets_begin_anew(with_text: RunConfigFactory) -> None:
    config = with_text("llama", {"training.epochs": 1})
    assets = Assets.load(config, device=CPU)
    first = list(train(config, assets=assets))
    frozen = with_text("llama", {"training.epochs": 1, "freezing": {"kind": "lora", "rank": 2}})
    list(train(frozen, assets=assets))
    second = list(train(config, assets=assets))
    assert [one.losses for one in first] == [one.losses for one in second]
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    # Tied to the output layer, so all of the embeddings train.
    assert model.row_embedding is None
    assert model.whole.get_output_embeddings().weight is model.encoder.embed_tokens.weight


@pytest.mark.parametrize(
    ("family", "settings", "said"),
    [
        ("bert", {}, "a 'bert' model is an encoder; use run.encoder.kind encoder"),
        ("bart", {}, "it is an encoder-decoder; use run.encoder.kind encoder_decoder"),
        ("gpt2", {"bidirectional_layers": 4}, "bidirectional_layers: expected at most 2, the lay"),
        ("bloom", {"bidirectional_layers": 1}, "the layers of a 'bloom' model are not known to lo"),
    ],
)
def test_models_and_settings_that_do_not_fit_are_refused(
    sample: dict[str, list[Example]], tmp_path: Path, family: str, settings: Settings, said: str
) -> None:
    save_family(tmp_path, family, sample["train"])
    backbone = Decoder(name=str(tmp_path), **settings)
    with pytest.raises(ConfigError, match=r"^run\.encoder\.") as refused:
        backbone.check(encoder_outline(backbone).encoder, load_tokenizer(str(tmp_path)))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_tasks_that_a_decoder_cannot_have_are_refused(with_text: RunConfigFactory) -> None:
    masked = {"kind": "masked_lm", "dataset": "running", "column": ""}
    with pytest.raises(ValueError, match=r"tasks.words.kind: masked_lm needs sub-words that see"):
        with_text("llama", {"tasks.words": masked})
    with_text("llama", {"tasks.words": masked, "encoder.bidirectional_layers": 3})
    with pytest.raises(ValueError, match=r"tasks.words.kind: causal_lm writes text, which encode"):
        with_text("llama", {"encoder.kind": "encoder"})


def test_a_decoder_without_its_output_layer_is_refused(
    sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    save_decoder(tmp_path, "qwen3", sample["train"])
    tiny("qwen3", vocab_size=99).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"it lacks lm_head.weight of \(99, 32\)$"):
        Decoder(name=str(tmp_path)).load()
