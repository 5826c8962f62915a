"""The same rows in every format that a data set may have, for the contract."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from conftest import write_seq_in_out
from dialogues import write_21

from mtl_core.data.example import Example

WORDS = ["play", "book", "jazz", "paris", "now", "table", "two", "rain"]
ROWS = 24

FORMATS: dict[str, dict[str, Any]] = {
    "seq_in_out": {"path": "seq_in_out"},
    "csv": {"splits": {"train": "rows.csv", "dev": 0.25, "test": 0.25}},
    "jsonl": {"splits": {"train": "rows.jsonl", "dev": 0.25, "test": 0.25}},
    "parquet": {"splits": {"train": "rows.parquet", "dev": 0.25, "test": 0.25}},
    "hub": {"name": "hub", "splits": {"dev": 0.25, "test": 0.25}},
    "conll": {"columns": {"slots": 1}, "splits": {"train": "rows.conll", "dev": 0.25}},
    "conllu": {"splits": {"train": "rows.conllu", "dev": 0.25}},
    "squad": {"splits": {"train": "squad.json", "dev": 0.25}},
    "spans_json": {"splits": {"train": "spans.json", "dev": 0.25}},
    "clinc": {"path": "clinc.json", "splits": {"dev": 0.25, "test": None}},
    "lines": {"splits": {"train": "lines.txt", "dev": 0.25}},
    "multiwoz": {"rows": "turns", "splits": {"train": "dialogues.jsonl", "dev": 0.25}},
    "sample": {"limit": 24},
}


def write_formats(folder: Path) -> None:
    rows = list(make_rows())
    texts = [" ".join(row["text"]) for row in rows]
    examples = [
        Example(tuple(row["text"]), {"intent": row["intent"], "slots": tuple(row["slots"])})
        for row in rows
    ]
    for split in ("train", "dev", "test"):
        write_seq_in_out(folder / "seq_in_out" / split, examples)
    apart = ("topics", "vector")
    joined = [
        {k: " ".join(v) if isinstance(v, list) and k not in apart else v for k, v in row.items()}
        for row in rows
    ]
    lines = [json.dumps(row) for row in joined]
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    cells = [f"{row['text']},{row['intent']},{row['slots']}" for row in joined]
    (folder / "rows.csv").write_text("\n".join(["text,intent,slots", *cells]), encoding="utf-8")
    datasets.Dataset.from_list(rows).to_parquet(str(folder / "rows.parquet"))
    (folder / "hub").mkdir()
    (folder / "hub" / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    words = [list(zip(row["text"], row["slots"], row["pos"], strict=True)) for row in rows]
    (folder / "rows.conll").write_text(
        "\n\n".join("\n".join(f"{word} {tag}" for word, tag, _ in row) for row in words)
    )
    (folder / "rows.conllu").write_text(
        "\n\n".join(
            "\n".join(
                "\t".join([str(n), word, "_", pos, *"______"])
                for n, (word, _, pos) in enumerate(row, start=1)
            )
            for row in words
        )
    )
    questions = [
        {
            "id": str(number),
            "question": f"where {row['text'][0]}",
            "answers": [{"text": row["text"][0], "answer_start": 0}] if number % 3 else [],
        }
        for number, row in enumerate(rows)
    ]
    paragraphs = [{"context": text, "qas": [q]} for text, q in zip(texts, questions, strict=True)]
    (folder / "squad.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    spans = [{"text": text, "spans": [[0, len(row["text"][0]), row["intent"]]]}
             for text, row in zip(texts, rows, strict=True)]  # fmt: skip
    (folder / "spans.json").write_text(json.dumps(spans))
    pairs = [[text, row["intent"]] for text, row in zip(texts, rows, strict=True)]
    (folder / "clinc.json").write_text(json.dumps({"train": pairs}))
    (folder / "lines.txt").write_text("\n".join(texts))
    write_21(folder / "dialogues.jsonl", 4)


def make_rows() -> Iterator[dict[str, Any]]:
    generator = np.random.default_rng(0)
    for number in range(ROWS):
        words = generator.permutation(WORDS)[: 3 + number % 4].tolist()
        yield {
            "text": words,
            "intent": "book" if "book" in words else "play",
            "slots": ["B-place" if word == "paris" else "O" for word in words],
            "pos": ["NUM" if word == "two" else "NOUN" for word in words],
            "topics": [word for word in ("jazz", "rain") if word in words],
            "rating": float(len(words)),
            "second": f"{words[0]} {words[-1]}",
            "vector": [float(len(words)), 1.0],
        }
