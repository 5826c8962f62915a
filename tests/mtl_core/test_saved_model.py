"""The folder of a saved model, in other hands: file modes, other libraries."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory
from encoders import tiny
from safetensors.torch import load_file
from saved_models import train_and_export
from torch import Tensor
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from mtl_core.model.pooling import Normalization, Pooler, PoolingKind
from mtl_core.predictor import Predictor

TEXT = "play some jazz by miles davis in paris"
EncoderFolder = Callable[..., Path]


@pytest.fixture
def encoder_folder(tiny_encoder: Path, tmp_path: Path) -> EncoderFolder:
    """Saves a tiny encoder of a family with the tokenizer of `tiny_encoder`."""

    def make(family: str, **settings: object) -> Path:
        folder = tmp_path / "encoder"
        vocabulary = json.loads((tiny_encoder / "config.json").read_text())["vocab_size"]
        tiny(family, vocab_size=vocabulary, **settings).save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(tiny_encoder / name, folder)
        return folder

    return make


def hidden_states(folder: Path, text: str) -> Tensor:
    """Returns what Transformers alone makes of a text with a model folder."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoder = AutoModel.from_pretrained(folder)
    with torch.inference_mode():
        states: Tensor = encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state
    return states


def own_hidden_states(folder: Path, text: str) -> Tensor:
    """Returns what the predictor's model makes of a text."""
    model = Predictor.load(folder)
    inputs = model.tokenizer(text, return_tensors="pt")
    kept = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        states: Tensor = model.model.encoder(**kept).last_hidden_state
    return states


@pytest.mark.parametrize(
    "family", ["bert", "roberta", "distilbert", "deberta-v2", "electra", "albert", "modernbert"]
)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_transformers_alone_finds_the_trained_encoder(
    run_config: RunConfigFactory, encoder_folder: EncoderFolder, tmp_path: Path, family: str
) -> None:
    settings = {"max_position_embeddings": 80} if family == "roberta" else {}
    folder = encoder_folder(family, **settings)
    before = hidden_states(folder, TEXT)
    changes = {"encoder.name": str(folder), "optimizer.encoder_lr": 1e-2, "training.epochs": 1}
    train_and_export(run_config(changes), tmp_path)

    loaded, info = AutoModel.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert not info["unexpected_keys"]
    # Transformers builds a layer behind `pooler_output`, which was not trained.
    assert all(name.startswith("pooler.") for name in info["missing_keys"])
    # The checkpoint is what training itself has written.
    trained = load_file(tmp_path / "checkpoint" / "best.safetensors")
    weights = loaded.state_dict()
    names = [name for name in trained if name.startswith("encoder.")]
    assert len(names) >= 20
    for name in names:
        assert torch.equal(trained[name], weights[name.removeprefix("encoder.")]), name

    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["architectures"] == [type(loaded).__name__]
    assert config["dtype"] == "float32"
    states = hidden_states(tmp_path / "model", TEXT)
    torch.testing.assert_close(
        states, own_hidden_states(tmp_path / "model", TEXT), rtol=0, atol=2e-6
    )
    assert (states - before).abs().max() > 0.1


def test_merged_adapters_are_in_what_transformers_finds(
    run_config: RunConfigFactory, tiny_encoder: Path, tmp_path: Path
) -> None:
    changes = {
        "freezing": {"kind": "lora", "rank": 2},
        "optimizer.encoder_lr": 1e-2,
        "training.epochs": 1,
    }
    train_and_export(run_config(changes), tmp_path)
    names = load_file(tmp_path / "model" / "model.safetensors").keys()
    assert names == {n for n in load_file(tiny_encoder / "model.safetensors") if "pooler" not in n}
    states = hidden_states(tmp_path / "model", TEXT)
    torch.testing.assert_close(
        states, own_hidden_states(tmp_path / "model", TEXT), rtol=0, atol=2e-6
    )
    assert (states - hidden_states(tiny_encoder, TEXT)).abs().max() > 0.01


def test_a_model_that_was_trained_on_masked_words_loads_for_them(
    run_config: RunConfigFactory, corpus: Path, tmp_path: Path
) -> None:
    lines = {
        "kind": "lines",
        "splits": dict.fromkeys(("train", "dev"), str(corpus / "train/seq.in")),
    }
    changes = {
        "datasets.raw": lines,
        "tasks.mlm": {"kind": "masked_lm", "dataset": "raw", "chunk": 16},
        "training.epochs": 1,
    }
    train_and_export(run_config(changes), tmp_path)
    whole = AutoModelForMaskedLM.from_pretrained(tmp_path / "model")
    table = load_file(tmp_path / "checkpoint" / "best.safetensors")
    words = table["encoder.embeddings.word_embeddings.weight"]
    assert torch.equal(whole.get_input_embeddings().weight, words)
    assert torch.equal(whole.get_output_embeddings().weight, words)


@pytest.mark.parametrize(
    ("pooling", "normalize"),
    [("mean", "none"), ("cls", "l2"), ("max", "none")],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_sentence_transformers_makes_the_vectors_of_the_model(
    run_config: RunConfigFactory, tmp_path: Path, pooling: PoolingKind, normalize: Normalization
) -> None:
    # It comes with the extra `demo`.
    SentenceTransformer = pytest.importorskip("sentence_transformers").SentenceTransformer  # noqa: N806

    changes = {
        "encoder.pooling": pooling,
        "encoder.normalize": normalize,
        "optimizer.encoder_lr": 1e-2,
        "training.epochs": 1,
    }
    train_and_export(run_config(changes), tmp_path)
    texts = [TEXT, "book a table"]
    model = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    vectors = model.encode(texts, convert_to_tensor=True)
    pooler = Pooler(pooling, 32, normalize)
    for text, vector in zip(texts, vectors, strict=True):
        states = own_hidden_states(tmp_path / "model", text)
        [expected] = pooler(states, torch.ones(states.shape[:2]))
        torch.testing.assert_close(vector, expected, rtol=0, atol=2e-6)
    long = " ".join(["jazz"] * 200)
    assert model.tokenize([long])["input_ids"].shape == (1, 64)


@pytest.mark.parametrize("changes", [{"encoder.pooling": "attention"}, {"encoder.normalize": "l1"}])
def test_a_pooling_that_sentence_transformers_lacks_is_not_promised_to_it(
    run_config: RunConfigFactory, tmp_path: Path, changes: dict[str, object]
) -> None:
    train_and_export(run_config(changes | {"training.epochs": 1}), tmp_path)
    assert not (tmp_path / "model" / "modules.json").exists()
    heads = load_file(tmp_path / "model" / "heads.safetensors")
    assert ("pooler.scores.weight" in heads) == ("encoder.pooling" in changes)
    assert Predictor.load(tmp_path / "model")(TEXT)[0]["intent"] is not None


@pytest.mark.parametrize("umask", [0o022, 0o007])
def test_all_files_of_a_run_can_be_read_by_whom_the_umask_allows(
    run_config: RunConfigFactory, tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        train_and_export(run_config({"training.epochs": 1}), tmp_path / "run")
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    written = {path.name for path in files}
    assert {"best.safetensors", "state.pt", "model.safetensors", "heads.safetensors"} <= written
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in files}
    assert set(modes.values()) == {oct(0o666 & ~umask)}, modes
