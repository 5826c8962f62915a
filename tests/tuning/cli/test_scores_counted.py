"""The scores that `mtl evaluate` prints are those that others count from what `mtl predict` says.

Files are read here by csv and json alone, and counted with scikit-learn, scipy and a copy of what
the script of SQuAD does; nothing of the package reads or counts for it.
"""

import csv
import json
import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Mtl, RunConfigFactory
from scipy.stats import pearsonr, spearmanr
from short_runs import save_short_run
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, mean_squared_error
from sklearn.preprocessing import MultiLabelBinarizer

from mtl_core.config import RunConfig

Row = dict[str, Any]
WHAT = ["play", "book", "find", "rate"]
WHERE = ["in  paris", "at the café", "in\u00a0new york", "near\u2028here", "“there”, now", "x"]
TEXTS = [f"{what} {where}" for what, where in product(WHAT, WHERE)]
LONG = " ".join(["play some jazz"] * 40)
"""More sub-words than the encoder takes."""


def topics() -> list[Row]:
    """A messy table: quotes, line breaks, rows twice, rows without a label, odd names."""
    names = ["NA", "0.5", "1", "None", 'say "so", he said']
    rows = [
        {"id": number, "sentence": text, "topic": names[number % 5], "mood": str(number % 2)}
        for number, text in enumerate(TEXTS)
    ]
    rows += [rows[3], rows[3], {**rows[4], "topic": ""}, {**rows[5], "mood": ""}]
    return [
        *rows,
        {"id": 90, "sentence": 'play\nit twice,\r\n"please"', "topic": "1", "mood": "0"},
        {"id": 91, "sentence": f"  {LONG}  ", "topic": "NA", "mood": "1"},
    ]


def ratings() -> list[Row]:
    """Sets of labels and numbers, with dense numbers beside the text."""
    rows: list[Row] = [
        {
            "body": text,
            "tags": [WHAT[number % 4], WHAT[(number + 1) % 4]][: number % 3],
            "stars": 0.1 * number,
            "vector": [number / 7, 1.0],
        }
        for number, text in enumerate(TEXTS)
    ]
    return [*rows, {**rows[1], "tags": None}, {**rows[2], "stars": None}, {**rows[3], "body": LONG}]


def pairs() -> list[Row]:
    return [
        {"one": first, "two": second, "same": "yes" if first[:4] == second[:4] else "no"}
        for first, second in zip(TEXTS, [*TEXTS[7:], *TEXTS[:7]], strict=True)
    ] + [{"one": LONG, "two": LONG, "same": "yes"}]


def questions() -> Row:
    """Questions with one, several and no answers, one whose answers are not known, a long text."""
    context = "The cat sat on a mat in Paris. " * 12 + "An owl, a dog and the A-Team left at noon."
    asked: list[Row] = []
    for number, word in enumerate(["cat", "mat", "Paris", "owl", "dog", "the A-Team", "noon"]):
        places = [found.start() for found in re.finditer(re.escape(word), context)]
        answers = [{"text": word, "answer_start": place} for place in places[:2]]
        if number == 3:
            answers += [{"text": "An owl, a dog", "answer_start": context.index("An owl")}]
        asked.append({"id": str(number), "question": f"what  is {word}", "answers": answers})
    asked.append({"id": "none", "question": "who is it", "answers": [], "is_impossible": True})
    asked.append({"id": "open", "question": "why"})
    return {"data": [{"title": "x", "paragraphs": [{"context": context, "qas": asked}]}]}


def write_csv(path: Path, rows: Sequence[Row], delimiter: str = ",") -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        table.writeheader()
        table.writerows(rows)
    return str(path)


def write_lines(path: Path, rows: Sequence[Row]) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


def write_json(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def model(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model with tasks of every kind that says something of a text as a whole."""
    folder = tmp_path_factory.mktemp("counted")
    talk = [[text, text.split()[0]] for text in TEXTS]
    files = {
        "topics": write_csv(folder / "topics.csv", topics(), ";"),
        "ratings": write_lines(folder / "ratings.jsonl", ratings()),
        "pairs": write_csv(folder / "pairs.csv", pairs()),
        "asked": write_json(folder / "asked.json", questions()),
    }
    clinc = write_json(folder / "talk.json", {"train": talk, "val": talk, "test": talk[::2]})
    splits = {
        name: {"splits": dict.fromkeys(("train", "dev"), file)} for name, file in files.items()
    }
    config = run_config({"optimizer.encoder_lr": 1e-3}).model_dump(mode="json")
    config["datasets"] = {
        "topics": {"kind": "csv", "text": "sentence", "delimiter": ";", **splits["topics"]},
        "ratings": {"kind": "jsonl", "text": "body", "features": "vector", **splits["ratings"]},
        "pairs": {"kind": "csv", "text": "one", "text_pair": "two", **splits["pairs"]},
        "talk": {"kind": "clinc", "path": clinc},
        "asked": {"kind": "squad", **splits["asked"]},
    }
    label = {"kind": "classification"}
    config["tasks"] = {
        "topic": {**label, "dataset": "topics", "column": "topic"},
        "mood": {**label, "dataset": "topics", "column": "mood"},
        "tags": {"kind": "multilabel", "dataset": "ratings", "column": "tags"},
        "stars": {"kind": "regression", "dataset": "ratings", "column": "stars"},
        "same": {**label, "dataset": "pairs", "column": "same"},
        "intent": {**label, "dataset": "talk", "column": "intent"},
        "answer": {"kind": "question_answering", "dataset": "asked", "overlap": 4},
    }
    return save_short_run(RunConfig.model_validate(config), folder)


def evaluated(mtl: Mtl, model: Path, *arguments: str) -> Row:
    found = mtl("evaluate", str(model), "--json", *arguments)
    assert found.code == 0, found.err
    plain: Row = json.loads(found.out)
    return plain


def predicted(mtl: Mtl, model: Path, *arguments: str) -> list[Row]:
    found = mtl("predict", str(model), "--json", *arguments)
    assert found.code == 0, found.err
    return [json.loads(line) for line in found.out.split("\n") if line]


def label_scores(pairs: Sequence[tuple[str, str]]) -> Mapping[str, float]:
    gold, said = zip(*pairs, strict=True)
    return {
        "accuracy": accuracy_score(gold, said),
        "macro_f1": f1_score(gold, said, average="macro", zero_division=0.0),
        "micro_f1": f1_score(gold, said, average="micro"),
        "matthews": matthews_corrcoef(gold, said),
    }


def exactly(scores: Mapping[str, float]) -> object:
    return pytest.approx(dict(scores), abs=1e-9, rel=0)


def test_labels_of_a_csv_file(mtl: Mtl, model: Path, tmp_path: Path) -> None:
    # The rows of training, and some that it never showed: other labels, other texts.
    new = {"id": 99, "sentence": "hum a tune", "topic": "unheard", "mood": "2"}
    path = write_csv(tmp_path / "new.csv", [*topics(), new, {**new, "mood": ""}], ";")
    rows = predicted(mtl, model, "--file", path)
    with Path(path).open(newline="", encoding="utf-8") as file:
        raw = list(csv.DictReader(file, delimiter=";"))
    assert [{key: row[key] for key in raw[0]} for row in rows] == raw  # columns are kept
    found = evaluated(mtl, model, "--file", f"topics={path}")
    for task in ("topic", "mood"):
        said = [(row[task], row[f"predicted_{task}"]["label"]) for row in rows if row[task]]
        assert found["scores"][task] == exactly(label_scores(said))
    right = [
        all(not row[task] or row[task] == row[f"predicted_{task}"]["label"]
            for task in ("topic", "mood"))
        for row in rows
        if row["topic"] or row["mood"]
    ]  # fmt: skip
    assert found["joint_accuracy"] == pytest.approx(np.mean(right), abs=1e-9)


def test_sets_and_numbers_of_json_lines_with_features(
    mtl: Mtl, model: Path, tmp_path: Path
) -> None:
    more = [{"body": "rate it", "tags": ["rate", "odd"], "stars": 7.7, "vector": [0.3, 1]}]
    path = write_lines(tmp_path / "new.jsonl", [*ratings(), *more])
    rows = predicted(mtl, model, "--file", path)
    found = evaluated(mtl, model, "--file", f"ratings={path}")["scores"]
    labelled = [row for row in rows if row["tags"] is not None]
    names = MultiLabelBinarizer(classes=[*sorted(WHAT), "odd"])
    gold = names.fit_transform([row["tags"] for row in labelled])
    said = names.transform([[one["label"] for one in row["predicted_tags"]] for row in labelled])
    assert found["tags"] == exactly(
        {
            "micro_f1": f1_score(gold, said, average="micro", zero_division=0.0),
            "macro_f1": f1_score(gold, said, average="macro", zero_division=0.0),
            "accuracy": accuracy_score(gold, said),
        }
    )
    numbers = [(row["stars"], row["predicted_stars"]) for row in rows if row["stars"] is not None]
    right, guess = np.array(numbers).T
    assert found["stars"] == exactly(
        {
            "pearson": pearsonr(right, guess).statistic,
            "spearman": spearmanr(right, guess).statistic,
            "mse": mean_squared_error(right, guess),
        }
    )


def test_labels_of_pairs(mtl: Mtl, model: Path, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "new.csv", pairs()[::-1])
    rows = predicted(mtl, model, "--file", path)
    said = [(row["same"], row["predicted_same"]["label"]) for row in rows]
    found = evaluated(mtl, model, "--file", f"pairs={path}")["scores"]["same"]
    assert found == exactly(label_scores(said))


def test_labels_of_a_split_of_clinc(mtl: Mtl, model: Path) -> None:
    raw = json.loads((model.parent / "talk.json").read_text())["test"]
    # Texts as arguments: lines would be cut where a text has line ends.
    rows = predicted(mtl, model, *[text for text, _ in raw])
    said = [(gold, row["intent"]["label"]) for (_, gold), row in zip(raw, rows, strict=True)]
    assert evaluated(mtl, model)["scores"]["intent"] == exactly(label_scores(said))


def test_answers_by_the_rules_of_squad(mtl: Mtl, model: Path, tmp_path: Path) -> None:
    raw = questions()
    asked = [
        {"question": question["question"], "context": paragraph["context"],
         "id": question["id"], "gold": [one["text"] for one in question["answers"]]}
        for article in raw["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
        if "answers" in question
    ]  # fmt: skip
    rows = predicted(mtl, model, "--file", write_lines(tmp_path / "asked.jsonl", asked))
    answers = {row["id"]: (row["predicted_answer"] or {"text": ""})["text"] for row in rows}
    assert any(answers.values())
    file = write_json(tmp_path / "new.json", raw)
    found = evaluated(mtl, model, "--file", f"asked={file}")["scores"]["answer"]
    exact = {row["id"]: best(squad_exact, row["gold"], answers[row["id"]]) for row in asked}
    f1 = {row["id"]: best(squad_f1, row["gold"], answers[row["id"]]) for row in asked}
    has_answer = [row["id"] for row in asked if row["gold"]]
    assert found == exactly(
        {
            "f1": np.mean(list(f1.values())),
            "exact_match": np.mean(list(exact.values())),
            "has_answer_f1": np.mean([f1[one] for one in has_answer]),
            "no_answer_accuracy": f1["none"],
        }
    )


def best(score: Any, gold: Sequence[str], said: str) -> float:
    """As evaluate-v2.0.py: the best over the answers with a word in them, "" without any."""
    kept = [answer for answer in gold if squad_normal(answer)] or [""]
    return max(score(answer, said) for answer in kept)


def squad_normal(text: str) -> str:
    """As `normalize_answer` of evaluate-v2.0.py."""
    text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return " ".join(re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", text).split())


def squad_exact(gold: str, said: str) -> float:
    return float(squad_normal(gold) == squad_normal(said))


def squad_f1(gold: str, said: str) -> float:
    """As `compute_f1` of evaluate-v2.0.py."""
    right, guess = squad_normal(gold).split(), squad_normal(said).split()
    if not right or not guess:
        return float(right == guess)
    same = sum((Counter(right) & Counter(guess)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(guess), same / len(right)
    return 2 * precision * recall / (precision + recall)


def test_the_own_dev_split_is_scored_as_its_file_is(mtl: Mtl, model: Path) -> None:
    own = evaluated(mtl, model, "--split", "dev")["scores"]
    by_file = evaluated(mtl, model, "--file", f"topics={model.parent / 'topics.csv'}")["scores"]
    assert {task: own[task] for task in by_file} == {
        task: exactly(scores) for task, scores in by_file.items()
    }
