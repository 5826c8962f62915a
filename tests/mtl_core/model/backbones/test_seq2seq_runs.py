"""Runs on encoder-decoders and on encoders with a small decoder: trained, saved, loaded."""

from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory
from pydantic import ValidationError
from saved_models import train_and_export
from seq2seq_models import save_seq2seq
from transformers import AutoModelForSeq2SeqLM

from mtl_core.assets import Assets, build_tasks, load_data
from mtl_core.config import RunConfig
from mtl_core.data.example import Example
from mtl_core.errors import ConfigError
from mtl_core.predictor import Predictor
from mtl_core.saved_model import load_model
from mtl_core.training.best import load_best
from mtl_core.training.loop import train

CPU = torch.device("cpu")
WITH_TEXT: dict[str, object] = {
    "tasks": {
        "intent": {"kind": "classification", "dataset": "corpus", "column": "intent"},
        "words": {"kind": "causal_lm", "dataset": "running", "column": "", "chunk": 16},
    },
    "training.epochs": 1,
}


@pytest.fixture(scope="module")
def with_text(
    run_config: RunConfigFactory,
    sample: dict[str, list[Example]],
    tmp_path_factory: pytest.TempPathFactory,
) -> RunConfigFactory:
    """Makes a run of an intent and of running text, which the model learns to write."""
    folder = tmp_path_factory.mktemp("running")
    splits = {}
    for split, size in (("train", 24), ("dev", 8)):
        path = folder / f"{split}.txt"
        path.write_text("".join(f"{' '.join(one.words)}\n" for one in sample[split][:size]))
        splits[split] = str(path)
    corpus = run_config().model_dump(mode="json")["datasets"]["corpus"]
    datasets = {"corpus": corpus | {"limit": 24}, "running": {"kind": "lines", "splits": splits}}

    def make(overrides: dict[str, object] | None = None) -> RunConfig:
        return run_config(WITH_TEXT | {"datasets": datasets} | (overrides or {}))

    return make


@pytest.fixture(params=["t5", "bart", "encoder-decoder", "small"])
def config(
    request: pytest.FixtureRequest,
    with_text: RunConfigFactory,
    sample: dict[str, list[Example]],
    tmp_path: Path,
) -> RunConfig:
    if request.param == "small":
        return with_text({"encoder.decoder": {"layers": 1}})
    save_seq2seq(tmp_path / "pretrained", request.param, sample["train"])
    encoder = {"kind": "encoder_decoder", "name": str(tmp_path / "pretrained")}
    return with_text({"encoder": encoder})


def test_a_trained_model_is_what_is_loaded(config: RunConfig, tmp_path: Path) -> None:
    assets = Assets.load(config, device=CPU)
    [report] = train(config, assets=assets, checkpoint=tmp_path / "checkpoint")
    assert {"head.intent", "writer"} <= {*report.trained}
    best = train_and_export(config, tmp_path)
    assert best.dev["words"]["perplexity"] > 1
    saved = load_model(tmp_path / "model", trust_code=False)
    # What the checkpoint holds of the best report is what the folder of the model has.
    again = Assets.load(config, device=CPU)
    model = again.new_model(config, build_tasks(config, again.data.datasets))
    load_best(tmp_path / "checkpoint", model)
    expected = model.state_dict()
    assert saved.model.state_dict().keys() == expected.keys()
    for name, value in saved.model.state_dict().items():
        torch.testing.assert_close(value, expected[name])
    words = ("play", "some", "music")
    assert Predictor.load(tmp_path / "model")(" ".join(words))[0]["intent"] is not None


def test_transformers_reads_a_trained_encoder_decoder(
    with_text: RunConfigFactory, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    save_seq2seq(tmp_path / "pretrained", "t5", sample["train"])
    encoder = {"kind": "encoder_decoder", "name": str(tmp_path / "pretrained")}
    train_and_export(with_text({"encoder": encoder}), tmp_path)
    read = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "model")
    pretrained = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "pretrained")
    own = load_model(tmp_path / "model", trust_code=False).model.whole.state_dict()
    moved = set()
    for name, value in read.state_dict().items():
        torch.testing.assert_close(value, own[name])
        if not torch.equal(value, pretrained.state_dict()[name]):
            moved.add(name.partition(".")[0])
    assert moved >= {"encoder", "decoder", "shared"}


def test_a_second_run_on_the_same_assets_begins_anew(config: RunConfig, tmp_path: Path) -> None:
    assets = Assets.load(config, device=CPU)
    first = list(train(config, assets=assets, checkpoint=tmp_path / "a"))
    second = list(train(config, assets=assets, checkpoint=tmp_path / "b"))
    assert first[-1].losses == second[-1].losses
    assert first[-1].dev == second[-1].dev


def test_a_small_decoder_that_nothing_writes_with_is_refused(run_config: RunConfigFactory) -> None:
    with pytest.raises(ValidationError, match=r"encoder\.decoder: no task writes text"):
        run_config({"encoder.decoder": {"layers": 1}})


def test_an_encoder_alone_does_not_write(with_text: RunConfigFactory) -> None:
    with pytest.raises(
        ValidationError, match=r"tasks\.words\.kind: causal_lm writes text.*decoder"
    ):
        with_text()


def test_a_decoder_that_the_encoder_cannot_have_is_refused_before_a_run(
    with_text: RunConfigFactory,
) -> None:
    with pytest.raises(ConfigError, match=r"encoder\.decoder\.layers: expected at most 3"):
        Assets.load(with_text({"encoder.decoder": {"layers": 9}}), device=CPU)


@pytest.mark.parametrize(("init", "most"), [("encoder", 64), ("random", 512)])
def test_longer_targets_than_the_decoder_has_places_for_are_refused_before_a_run(
    init: str, most: int, run_config: RunConfigFactory, tmp_path: Path
) -> None:
    rows = "".join(f'{{"en": "one {n}", "pt": "um {n}"}}\n' for n in range(8))
    (tmp_path / "rows.jsonl").write_text(rows)
    splits = {"train": str(tmp_path / "rows.jsonl"), "dev": 0.5}
    overrides = {
        "encoder.decoder": {"layers": 1, "init": init},
        "datasets": {"pairs": {"kind": "jsonl", "text": "en", "splits": splits}},
        "tasks": {"pt": {"kind": "generation", "dataset": "pairs", "column": "pt"}},
    }
    load_data(run_config(overrides | {"tasks.pt.target_length": most}))
    message = rf"'pairs': expected at most {most},.*found {most + 1}"
    with pytest.raises(ConfigError, match=message):
        load_data(run_config(overrides | {"tasks.pt.target_length": most + 1}))


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_adapters_reach_the_decoder(
    family: str, with_text: RunConfigFactory, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    save_seq2seq(tmp_path / "pretrained", family, sample["train"])
    encoder = {"kind": "encoder_decoder", "name": str(tmp_path / "pretrained")}
    config = with_text({"encoder": encoder, "freezing": {"kind": "lora", "rank": 2}})
    train_and_export(config, tmp_path)
    pretrained = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "pretrained").state_dict()
    trained = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "model").state_dict()
    moved = {name for name, value in trained.items() if not torch.equal(value, pretrained[name])}
    # Merged: linear layers of both halves have changed, norms and embeddings have not.
    assert any("encoder." in name for name in moved)
    assert any("decoder." in name for name in moved)
    assert not any("norm" in name or "embed" in name or "shared" in name for name in moved)


def test_states_that_are_kept_give_the_same_run(
    with_text: RunConfigFactory, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    save_seq2seq(tmp_path / "pretrained", "t5", sample["train"])
    encoder = {"kind": "encoder_decoder", "name": str(tmp_path / "pretrained")}
    frozen = {"encoder": encoder, "freezing": {"kind": "lower_layers", "layers": 1}}
    kept, computed = (
        list(train(with_text(frozen | {"training.prefix_cache": cache})))[-1]
        for cache in ("fp32", "off")
    )
    assert kept.losses == pytest.approx(computed.losses, rel=1e-5)
    assert kept.dev["words"] == pytest.approx(computed.dev["words"], rel=1e-5)
