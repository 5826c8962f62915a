"""Masks filled by a model, held against Transformers' fill-mask pipeline."""

import json
from pathlib import Path

import pytest
import torch
from conftest import Mtl, RunConfigFactory
from safetensors.torch import load_file
from saved_models import train_and_export
from torch import nn
from transformers import AddedToken, AutoTokenizer, BertForMaskedLM, pipeline

from mtl_core.errors import ConfigError, DataError
from mtl_core.fill_mask import fill_masks
from mtl_core.predictor import Predictor

TEXT = "play some [MASK] by miles davis, and [MASK] in paris"


@pytest.fixture(scope="module")
def model(
    run_config: RunConfigFactory, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A model with a task of masked words that has learnt a little of them."""
    folder = tmp_path_factory.mktemp("masked")
    splits = dict.fromkeys(("train", "dev"), str(corpus / "train" / "seq.in"))
    task = {"kind": "masked_lm", "chunk": 24, "probability": 0.3}
    changes = {
        "datasets.raw": {"kind": "lines", "splits": splits},
        "tasks.words": {**task, "dataset": "raw"},
        "optimizer.encoder_lr": 3e-3,
        "optimizer.head_lr": 1e-2,
        "training.batch_size": 4,
        "training.epochs": 4,
    }
    train_and_export(run_config(changes), folder)
    return folder / "model"


def equivalent(model: Path) -> BertForMaskedLM:
    """Makes of the model one of Transformers' own class, whose head has the same parts."""
    whole = BertForMaskedLM.from_pretrained(model)
    head, weights = whole.cls.predictions, load_file(model / "heads.safetensors")
    own = {name.removeprefix("heads.head_words."): value for name, value in weights.items()}
    with torch.no_grad():
        head.transform.dense.weight.copy_(own["body.1.weight"])
        head.transform.dense.bias.copy_(own["body.1.bias"])
        head.transform.LayerNorm.weight.copy_(own["norm.weight"])
        head.transform.LayerNorm.bias.copy_(own["norm.bias"])
        head.bias.copy_(own["bias"])
    head.transform.LayerNorm.eps = nn.LayerNorm(1).eps
    return whole


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_words_and_probabilities_are_those_of_the_pipeline_of_transformers(model: Path) -> None:
    whole = equivalent(model)
    pipe = pipeline("fill-mask", model=whole, tokenizer=AutoTokenizer.from_pretrained(model))
    expected = pipe(TEXT, top_k=4)
    found = fill_masks(Predictor.load(model), TEXT, top_k=4)
    assert [TEXT[mask.start : mask.end] for mask in found] == ["[MASK]", "[MASK]"]
    assert found[0].start < found[1].start
    for mask, guesses in zip(found, expected, strict=True):
        assert [guess.word for guess in mask.guesses] == [one["token_str"] for one in guesses]
        assert [guess.probability for guess in mask.guesses] == pytest.approx(
            [one["score"] for one in guesses], abs=1e-5
        )
        # It has learnt something: a model that has not says the same of all words.
        assert mask.guesses[0].probability > 3 / whole.config.vocab_size


def test_the_command_line_says_the_same(model: Path, mtl: Mtl) -> None:
    found = fill_masks(Predictor.load(model), TEXT, top_k=2)
    said = mtl("fill-mask", str(model), TEXT, "--top-k", "2")
    assert said.code == 0
    assert said.out == f"{TEXT}\n  {found[0]}\n  {found[1]}\n"
    first = found[0].guesses[0]
    assert f"[10:16]: {first.word} ({first.probability:.3f}), " in said.out
    said = mtl("fill-mask", str(model), TEXT, "a [MASK]", "--top-k", "2", "--json")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [line["text"] for line in lines] == [TEXT, "a [MASK]"]
    [mask, _] = lines[0]["masks"]
    assert mask == {
        "start": 10,
        "end": 16,
        "guesses": [
            {"word": guess.word, "probability": pytest.approx(guess.probability, abs=1e-6)}
            for guess in found[0].guesses
        ],
    }


def test_a_mask_that_touches_other_characters_is_found(model: Path) -> None:
    text = " x([MASK]).\ud800"
    [mask] = fill_masks(Predictor.load(model), text, top_k=1000)
    assert text[mask.start : mask.end] == "[MASK]"
    assert sum(guess.probability for guess in mask.guesses) == pytest.approx(1, abs=1e-4)


def test_blanks_that_a_tokenizer_has_in_its_mask_are_not_of_the_mask(model: Path) -> None:
    predictor = Predictor.load(model)
    with_blanks = AddedToken("[MASK]", lstrip=True, special=True)
    predictor.tokenizer.add_special_tokens({"mask_token": with_blanks})
    text = "play  [MASK] now"
    assert predictor.tokenizer(text, return_offsets_mapping=True)["offset_mapping"][2] == (4, 12)
    [mask] = fill_masks(predictor, text)
    assert text[mask.start : mask.end] == "[MASK]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("book a table", r"no mask in the text 'book a table'; this model's is \[MASK\]"),
        ("book a <mask>", r"this model's is \[MASK\]"),
        ("", r"no mask in the text ''"),
        ("jazz " * 90 + "[MASK]", r"has \d+ sub-words, and the model takes 64; give less"),
    ],
)
def test_texts_without_a_mask_or_too_long_are_one_line(
    text: str, message: str, model: Path, mtl: Mtl
) -> None:
    with pytest.raises(DataError, match=message):
        fill_masks(Predictor.load(model), text)
    refused = mtl("fill-mask", str(model), text)
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)


def test_a_task_is_named_where_it_has_to_be(model: Path) -> None:
    predictor = Predictor.load(model)
    assert fill_masks(predictor, TEXT, task="words") == fill_masks(predictor, TEXT)
    with pytest.raises(ConfigError, match=r"--task: found 'word'; .*: words\. Did you mean 'wor"):
        fill_masks(predictor, TEXT, task="word")
    predictor.tasks["others"] = predictor.tasks["words"]
    with pytest.raises(ConfigError, match="several tasks fill masks, name one: words, others"):
        fill_masks(predictor, TEXT)


def test_a_model_without_such_a_task_says_so(
    run_config: RunConfigFactory, tmp_path: Path, mtl: Mtl
) -> None:
    train_and_export(run_config({"training.epochs": 1}), tmp_path)
    refused = mtl("fill-mask", str(tmp_path / "model"), TEXT)
    assert (refused.code, refused.err) == (
        2,
        "error: the model fills no masks: that needs a task of kind masked_lm, and its tasks are "
        "intent, slots\n",
    )
