"""What `evaluate` says of a tagger is what anybody counts from its predictions on raw texts."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import Mtl
from saved_models import train_and_export
from span_texts import (
    CHINESE,
    PEOPLE,
    PLACES,
    Found,
    Text,
    chinese,
    english,
    save_encoder,
    write_texts,
)

from mtl_core.config import RunConfig
from mtl_core.predictor import Predictor
from mtl_core.scoring import evaluate_model, score
from mtl_core.tasks.outputs import Span


@dataclass(frozen=True)
class Case:
    """A data set and a task on it.

    Attributes:
        kind: Format.
        make: Number -> text.
        data: More settings of the data set.
        task: More settings of the task.
        misfits: How many of the spans of test no words express.
    """

    kind: str
    make: Any = english
    data: dict[str, Any] | None = None
    task: dict[str, Any] | None = None
    misfits: bool = False


CASES = {
    "spans": Case("spans_json"),
    "spans inside words": Case("spans_json", lambda n: english(n, 0.4), misfits=True),
    "spans between white space": Case("spans_json", data={"words": "whitespace"}, misfits=True),
    "spans of characters": Case(
        "spans_json", lambda n: english(n, 0.4), data={"words": "characters"}
    ),
    "spans, crf": Case("spans_json", lambda n: english(n, 0.4), task={"crf": True}, misfits=True),
    "spans, all sub-words": Case("spans_json", task={"subwords": "all", "decoding": "viterbi"}),
    "chinese spans": Case("spans_json", chinese),
    "conll": Case("conll"),
    "chinese conll": Case("conll", chinese),
    "seq_in_out": Case("seq_in_out"),
    "conllu": Case("conllu", task={"scheme": "plain", "column": "upos"}),
}


@pytest.mark.parametrize("name", CASES)
def test_scores_are_those_of_the_predictions_on_raw_texts(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    splits = {
        split: [case.make(number) for number in numbers]
        for split, numbers in {
            "train": range(60),
            "dev": range(60, 80),
            "test": range(80, 120),
        }.items()
    }
    section = write_texts(tmp_path, case.kind, splits) | (case.data or {})
    column = {"seq_in_out": "slots"}.get(case.kind, "spans")
    task = {"column": column, **(case.task or {})}
    predictor = tagger(tmp_path, section, splits["train"], task=task)
    evaluation = evaluate_model(tmp_path / "model")
    texts = splits["test"]
    predicted = [spans_of(found["t"], text) for found, text in zip(
        predictor([text.text for text in texts]), texts, strict=True)]  # fmt: skip
    scores = evaluation.scores["t"]
    if case.kind == "conllu":
        gold = [words_of(text) for text in texts]
        right = sum(len(a & b) for a, b in zip(gold, predicted, strict=True))
        assert scores["accuracy"] == pytest.approx(right / sum(map(len, gold)))
        assert scores["accuracy"] > 0.5
    else:
        gold = [text.spans for text in texts]
        assert {name: scores[name] for name in ("precision", "recall", "f1")} == pytest.approx(
            count(gold, predicted)
        )
        assert scores["f1"] > 0.2 or name == "spans between white space"
        assert (scores["f1"] < 1) or not case.misfits
    same = [a == b for a, b in zip(gold, predicted, strict=True)]
    assert evaluation.joint_accuracy == pytest.approx(sum(same) / len(same))


def tagger(
    folder: Path,
    section: dict[str, Any],
    texts: Sequence[Text],
    datasets: dict[str, Any] | None = None,
    tasks: dict[str, Any] | None = None,
    task: dict[str, Any] | None = None,
) -> Predictor:
    """Trains a task `t` on a data set `d`, and perhaps others; returns what it has learnt."""
    tagging = {"kind": "tagging", "dataset": "d", "column": "spans", **(task or {})}
    raw = {
        "encoder": {"name": save_encoder(folder / "encoder", texts)},
        "datasets": {"d": section, **(datasets or {})},
        "tasks": {"t": tagging, **(tasks or {})},
        "optimizer": {"encoder_lr": 3e-3, "head_lr": 1e-2},
        "training": {"epochs": 4, "batch_size": 8, "precision": "fp32"},
    }
    train_and_export(RunConfig.model_validate(raw), folder)
    return Predictor.load(folder / "model")


def spans_of(output: object, text: Text) -> Found:
    assert isinstance(output, tuple)
    found = set()
    for span in output:
        assert isinstance(span, Span)
        assert text.text[span.start : span.end] == span.text
        found.add((span.type, span.start, span.end))
    return found


def words_of(text: Text) -> Found:
    tags = [tag.replace("-", "") for tag in text.tags()]
    return {(tag, *place) for tag, place in zip(tags, text.words, strict=True)}


def count(gold: Sequence[Found], predicted: Sequence[Found]) -> dict[str, float]:
    """Precision, recall and F1 of sets of spans."""
    right = sum(len(a & b) for a, b in zip(gold, predicted, strict=True))
    num_gold, num_predicted = sum(map(len, gold)), sum(map(len, predicted))
    f1 = 2 * right / (num_gold + num_predicted) if num_gold + num_predicted else 0.0
    precision = right / num_predicted if num_predicted else 0.0
    return {"precision": precision, "recall": right / num_gold, "f1": f1}


def test_tokenised_texts_can_be_taken_as_they_are(tmp_path: Path) -> None:
    texts = [english(number) for number in range(60)]
    draw = random.Random(0)
    # Words that no rule keeps whole, such as "Lund]" and "[Emil".
    strange = [
        Text.of((f"[{draw.choice(PEOPLE)}", "PER"), (",", ""), ("lives in", ""),
                (f"{draw.choice(PLACES)}]", "LOC"))
        for _ in range(20)
    ]  # fmt: skip
    section = write_texts(tmp_path, "conll", {"train": texts, "dev": texts, "test": strange})
    predictor = tagger(tmp_path, section, texts)
    found = predictor([text.text for text in strange], words="whitespace")
    spans = [spans_of(one["t"], text) for one, text in zip(found, strange, strict=True)]
    scores = evaluate_model(tmp_path / "model").scores["t"]
    expected = count([text.spans for text in strange], spans)
    assert {name: scores[name] for name in expected} == pytest.approx(expected)
    assert scores["f1"] > 0


def test_tasks_of_one_model_have_words_of_their_own(tmp_path: Path) -> None:
    texts = [english(number) for number in range(60)]
    tagged = write_texts(tmp_path, "conll", {"train": texts, "dev": texts[:20], "test": texts[:20]})
    rows = [{"text": text.text, "topic": "x" if "Lund" in text.text else "y"} for text in texts]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(lines, encoding="utf-8")
    files = {split: str(tmp_path / "rows.jsonl") for split in ("train", "dev", "test")}
    predictor = tagger(
        tmp_path, tagged, texts,
        {"topics": {"kind": "jsonl", "splits": files}},
        {"topic": {"kind": "classification", "dataset": "topics", "column": "topic"}},
    )  # fmt: skip
    assert {name: cut.words for name, cut in predictor.cuts.items()} == {
        "d": "punctuation", "topics": "whitespace"
    }  # fmt: skip
    scores = evaluate_model(tmp_path / "model").scores
    found = predictor([row["text"] for row in rows])
    right = [one["topic"].label == row["topic"] for one, row in zip(found, rows, strict=True)]  # type: ignore[union-attr]
    assert scores["topic"]["accuracy"] == pytest.approx(sum(right) / len(right))
    spans = [spans_of(one["t"], text) for one, text in zip(found, texts, strict=True)]
    expected = count([text.spans for text in texts[:20]], spans[:20])
    assert scores["t"]["f1"] == pytest.approx(expected["f1"])


def test_a_guess_at_words_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    parts = [[(piece, label) for piece, label in text_parts(n)] for n in range(40)]
    texts = [Text.of(*found) for found in parts]
    section = write_texts(tmp_path, "conll", {"train": texts, "dev": texts, "test": texts})
    predictor = tagger(tmp_path, section, texts)
    raw = ["".join(piece for piece, _ in found) for found in parts]
    predictor([text.text for text in texts], words="whitespace")
    predictor(["Lund is fine"])
    assert "guess" not in caplog.text
    found = predictor(raw)
    predictor(raw)
    assert caplog.text.count("which is a guess") == 1
    # All words are known here, so that the guess is right.
    glued = [Text.of(parts[n][0], *((f"+{piece}", label) for piece, label in parts[n][1:]))
             for n in range(40)]  # fmt: skip
    spans = [spans_of(one["t"], text) for one, text in zip(found, glued, strict=True)]
    scores = evaluate_model(tmp_path / "model").scores["t"]
    assert count([text.spans for text in glued], spans)["f1"] == pytest.approx(scores["f1"])


def text_parts(number: int) -> list[tuple[str, str]]:
    """Words of several Chinese letters."""
    draw = random.Random(number)
    person, place = draw.choice(CHINESE["PER"]), draw.choice(CHINESE["LOC"])
    return [(person, "PER"), ("\u4f4f\u5728", ""), (place, "LOC"), ("\u5f88\u4e45", "")]


def test_another_file_is_cut_as_the_model_was_trained(tmp_path: Path) -> None:
    texts = [english(number) for number in range(60)]
    section = write_texts(tmp_path, "spans_json", {"train": texts, "dev": texts})
    predictor = tagger(tmp_path, section, texts)
    # Every span of its own would fit words that end at white space, and the most fit no others.
    others = [Text.of(("Emil", "PER"), ("of", ""), ("Lund,", "LOC"), ("Oslo.", "LOC"))] * 3
    others += texts[:10]
    (tmp_path / "other").mkdir()
    write_texts(tmp_path / "other", "spans_json", {"train": others})
    path = tmp_path / "other" / "train.txt"
    scores = score(predictor, files={"": path}).scores["t"]
    found = predictor([text.text for text in others])
    spans = [spans_of(one["t"], text) for one, text in zip(found, others, strict=True)]
    expected = count([text.spans for text in others], spans)
    assert {name: scores[name] for name in expected} == pytest.approx(expected)
    assert scores["recall"] < 1


def test_the_commands_say_the_same(tmp_path: Path, mtl: Mtl) -> None:
    splits = {
        split: [english(number, 0.3) for number in numbers]
        for split, numbers in (
            ("train", range(60)),
            ("dev", range(60, 80)),
            ("test", range(80, 99)),
        )
    }
    section = write_texts(tmp_path, "spans_json", splits)
    tagger(tmp_path, section, splits["train"])
    evaluated = mtl("evaluate", str(tmp_path / "model"), "--json")
    raw = tmp_path / "raw.txt"
    raw.write_text("".join(f"{text.text}\n" for text in splits["test"]), encoding="utf-8")
    predicted = mtl("predict", str(tmp_path / "model"), "--json", "--file", str(raw))
    assert (evaluated.code, predicted.code) == (0, 0), evaluated.err + predicted.err
    found = [
        {(span["type"], span["start"], span["end"]) for span in json.loads(line)["t"]}
        for line in predicted.out.splitlines()
    ]
    scores = json.loads(evaluated.out)["scores"]["t"]
    expected = count([text.spans for text in splits["test"]], found)
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert 0 < scores["f1"] < 1
