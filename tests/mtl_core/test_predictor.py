"""A trained model saved, loaded elsewhere and applied to texts."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory
from saved_models import train_and_export
from transformers import AutoModel

from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError, DataError
from mtl_core.prediction import Prediction, Text
from mtl_core.predictor import Predictor
from mtl_core.scoring import evaluate_model
from mtl_core.tasks.outputs import Label, Span
from mtl_core.training.report import Report

TEXTS = ["play  some jazz\tby miles davis", "", "book a table for two in paris", "  \n "]


@pytest.fixture(scope="module")
def trained(
    run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Report]:
    """A model that has learnt its train split, and the report of its best epoch."""
    folder = tmp_path_factory.mktemp("trained")
    config = run_config(
        {
            "datasets.corpus.splits": {"dev": "train"},
            "optimizer.encoder_lr": 3e-3,
            "optimizer.head_lr": 1e-2,
            "training.batch_size": 4,
            "training.epochs": 8,
        }
    )
    return folder / "model", train_and_export(config, folder)


def test_the_saved_model_has_the_scores_of_its_best_epoch(
    trained: tuple[Path, Report],
) -> None:
    folder, best = trained
    result = evaluate_model(folder, split="dev")
    assert result.scores == best.dev
    assert result.main["intent"] > 0.8


def test_texts_have_labels_and_spans_at_their_characters(
    trained: tuple[Path, Report],
) -> None:
    predictor = Predictor.load(trained[0])
    predictions = predictor(TEXTS)
    assert [prediction.text for prediction in predictions] == TEXTS
    for prediction in predictions:
        label, spans = prediction["intent"], prediction["slots"]
        if not prediction.text.strip():
            assert (label, spans) == (None, None)
            continue
        assert isinstance(label, Label)
        assert label.label in predictor.tasks["intent"].labels.trained
        assert isinstance(spans, tuple)
        for span in spans:
            assert isinstance(span, Span)
            assert prediction.text[span.start : span.end] == span.text
            assert span.text == span.text.strip() != ""


def test_a_text_alone_is_predicted_like_one_among_many(
    trained: tuple[Path, Report],
) -> None:
    predictor = Predictor.load(trained[0])
    together = predictor(TEXTS, batch_size=2)
    [alone] = predictor(TEXTS[0])
    first, second = together[0]["intent"], alone["intent"]
    assert isinstance(first, Label)
    assert isinstance(second, Label)
    assert (first.label, together[0]["slots"]) == (second.label, alone["slots"])
    assert first.probability == pytest.approx(second.probability, abs=1e-5)


def test_half_a_surrogate_pair_is_read_as_the_sign_for_what_is_lost(
    trained: tuple[Path, Report],
) -> None:
    predictor = Predictor.load(trained[0])
    texts = ["play \ud83d jazz", "play jazz\udcff", "play \U0001f600 jazz"]
    whole = ["play \ufffd jazz", "play jazz\ufffd", "play \U0001f600 jazz"]
    found = predictor(texts)
    assert [prediction.text for prediction in found] == whole
    assert [prediction.to_json() for prediction in found] == [
        prediction.to_json() for prediction in predictor(whole)
    ]


def test_predictions_become_json(trained: tuple[Path, Report]) -> None:
    [prediction, empty] = Predictor.load(trained[0])([TEXTS[2], ""])
    record = json.loads(prediction.to_json())
    assert list(record) == ["text", "intent", "slots"]
    assert set(record["intent"]) == {"label", "probability"}
    assert all(set(span) == {"type", "start", "end", "text"} for span in record["slots"])
    assert json.loads(empty.to_json()) == {"text": "", "intent": None, "slots": None}


@pytest.mark.parametrize("wrong", [5, ("a",), ["a", "b", "c"], ("a", 5), None])
def test_what_is_no_text_is_refused(trained: tuple[Path, Report], wrong: object) -> None:
    with pytest.raises(DataError, match=r"^texts: expected strings, pairs .*, found "):
        Predictor.load(trained[0])(["fine", wrong])  # type: ignore[list-item]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_on_an_encoder_of_half_precision_can_be_used(
    run_config: RunConfigFactory, tiny_encoder: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    encoder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    AutoModel.from_pretrained(encoder).to(dtype).save_pretrained(encoder)
    config = run_config({"encoder.name": str(encoder), "training.epochs": 1})
    best = train_and_export(config, tmp_path)
    assert evaluate_model(tmp_path / "model", split="dev").scores == best.dev
    assert Predictor.load(tmp_path / "model")(TEXTS)[0]["intent"] is not None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mtl.json", None, r"no model in this folder"),
        (
            "mtl.json",
            '{"format": 99}',
            r"mtl\.json: expected format 5, found 99; .* give the command again",
        ),
        ("model.safetensors", "x", r"model\.safetensors: expected weights of safetensors"),
        ("heads.safetensors", None, r"no model in this folder, there is no heads\.safetensors"),
        ("heads.safetensors", "x", r"heads\.safetensors: expected weights of safetensors"),
    ],
)
def test_broken_folders_are_refused(
    trained: tuple[Path, Report], tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    shutil.copytree(trained[0], tmp_path, dirs_exist_ok=True)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        Predictor.load(tmp_path)


def test_another_version_is_told_before_files_that_it_did_not_have(
    trained: tuple[Path, Report], tmp_path: Path
) -> None:
    shutil.copytree(trained[0], tmp_path, dirs_exist_ok=True)
    (tmp_path / "heads.safetensors").unlink()
    meta = json.loads((tmp_path / "mtl.json").read_text()) | {"format": 4}
    (tmp_path / "mtl.json").write_text(json.dumps(meta))
    with pytest.raises(ConfigError, match=r"expected format 5, found 4; it was saved by another"):
        Predictor.load(tmp_path)


@pytest.fixture(scope="module")
def mixed(
    run_config: RunConfigFactory, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A model with tasks on single texts, pairs, both, questions, and texts with features."""
    folder = tmp_path_factory.mktemp("mixed")
    texts = (corpus / "train" / "seq.in").read_text().splitlines()[:24]
    rows = [
        {
            "text": text,
            "second": texts[n - 1],
            "intent": "long" if len(text) > 40 else "short",
            "vector": [n % 2, 1.0],
        }
        for n, text in enumerate(texts)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    questions = [{"id": str(n), "question": "where", "answers": []} for n in range(8)]
    paragraphs = [{"context": texts[0], "qas": questions}]
    (folder / "squad.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    rows_file = {"splits": dict.fromkeys(("train", "dev"), str(folder / "rows.jsonl"))}
    squad_file = {"splits": dict.fromkeys(("train", "dev"), str(folder / "squad.json"))}
    label = {"kind": "classification", "column": "intent"}
    config = run_config(
        {
            "datasets.pairs": {"kind": "jsonl", "text_pair": "second", **rows_file},
            "datasets.rated": {"kind": "jsonl", "features": "vector", **rows_file},
            "datasets.asked": {"kind": "squad", **squad_file},
            "tasks.same": {**label, "dataset": "pairs"},
            "tasks.both": {**label, "dataset": ["corpus", "pairs"]},
            "tasks.rated": {**label, "dataset": "rated"},
            "tasks.answer": {"kind": "question_answering", "dataset": "asked", "overlap": 2},
            "optimizer.encoder_lr": 1e-3,
        }
    )
    train_and_export(config, folder)
    return folder / "model"


def probabilities(predictions: list[Prediction]) -> list[dict[str, object]]:
    return [
        {
            task: (output.label, pytest.approx(output.probability, abs=1e-5))
            if isinstance(output, Label)
            else output
            for task, output in prediction.items()
        }
        for prediction in predictions
    ]


PAIR = ("where is the jazz", "play some jazz by miles davis in paris")


def test_what_is_said_of_a_text_never_hangs_on_the_others(mixed: Path) -> None:
    predictor = Predictor.load(mixed)
    texts: list[Text] = [TEXTS[0], PAIR, "", TEXTS[2], (PAIR[1], " ")]
    together = probabilities(predictor(texts))
    assert together == [probabilities(predictor([text]))[0] for text in texts]


def test_tasks_read_what_they_were_trained_on(mixed: Path) -> None:
    predictor = Predictor.load(mixed)
    [first, pair] = predictor([PAIR[0], PAIR])
    [first_says, pair_says] = probabilities([first, pair])
    assert pair_says["intent"] == first_says["intent"]
    assert pair["slots"] == first["slots"]
    assert pair_says["both"] != first_says["both"]
    assert first["same"] is None
    assert isinstance(pair["same"], Label)
    assert pair["rated"] is None
    [rated] = predictor([PAIR], features=[[1.0, 1.0]])
    assert isinstance(rated["rated"], Label)
    assert list(json.loads(pair.to_json()).items())[:2] == [
        ("text", PAIR[0]),
        ("text_pair", PAIR[1]),
    ]
    [alone] = predictor(PAIR[0], features=[[1.0, 1.0]])
    assert probabilities([rated])[0] == {**pair_says, "rated": probabilities([alone])[0]["rated"]}


def test_predictions_are_those_that_are_scored(mixed: Path) -> None:
    predictor = Predictor.load(mixed)
    lines = (mixed.parent / "rows.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    predictions = predictor(
        [(row["text"], row["second"]) for row in rows], features=[row["vector"] for row in rows]
    )
    scores = evaluate_model(mixed, split="dev").scores
    for task, score in {"same": "accuracy", "rated": "accuracy", "both": "pairs/accuracy"}.items():
        right = sum(
            isinstance(found := prediction[task], Label) and found.label == row["intent"]
            for prediction, row in zip(predictions, rows, strict=True)
        )
        assert right / len(rows) == pytest.approx(scores[task][score])


def test_a_question_without_room_for_its_context_gets_no_answer(mixed: Path) -> None:
    predictor = Predictor.load(mixed)
    long = ("where is " * predictor.max_length, PAIR[1])
    [alone] = predictor([long])
    assert alone["answer"] is None
    assert isinstance(alone["same"], Label)
    [beside, other] = probabilities(predictor([long, PAIR]))
    assert beside == probabilities([alone])[0]
    assert other == probabilities(predictor([PAIR]))[0]


def test_tags_need_no_features(run_config: RunConfigFactory, tmp_path: Path) -> None:
    row = {"text": ["play", "jazz"], "tags": ["O", "B-genre"], "vector": [0.5, 1.0]}
    (tmp_path / "rows.jsonl").write_text("\n".join([json.dumps(row)] * 8), encoding="utf-8")
    splits = dict.fromkeys(("train", "dev"), str(tmp_path / "rows.jsonl"))
    config = run_config({"training.epochs": 1}).model_dump(mode="json")
    config["datasets"] = {"rows": {"kind": "jsonl", "features": "vector", "splits": splits}}
    config["tasks"] = {"slots": {"kind": "tagging", "dataset": "rows", "column": "tags"}}
    train_and_export(RunConfig.model_validate(config), tmp_path)
    [found] = Predictor.load(tmp_path / "model")("play jazz")
    assert found["slots"] is not None


def test_features_of_another_size_are_refused(mixed: Path) -> None:
    with pytest.raises(DataError, match=r"features: the model takes 2 numbers .*of \[1\] numbers"):
        Predictor.load(mixed)(PAIR, features=[[1.0]])


def test_features_for_a_model_without_are_refused(trained: tuple[Path, Report]) -> None:
    with pytest.raises(DataError, match=r"features: the model takes 0 numbers for each of the 1"):
        Predictor.load(trained[0])("play it", features=[[1.0]])
