"""Texts with spans as people write them, in the formats that hold such, and an encoder for them."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import save_tokenizer
from transformers import BertConfig, BertModel

from mtl_core.data.example import Example

Found = set[tuple[str, int, int]]
"""Type, first character and the one behind the last, of the spans of a text."""

PEOPLE = ["Emil", "Olav", "Anna", "Mr. Li", "Zoe's", "O'Hara", "Jean-Luc"]
PLACES = ["Lund", "Oslo", "St. Ives", "Hull", "U.N."]
CHINESE = {
    "PER": ["\u5f20\u4f1f", "\u674e\u7ea2", "\u738b\u5c0f\u660e"],
    "LOC": ["\u5317\u4eac", "\u897f\u5b89", "\u54c8\u5c14\u6ee8"],
}


@dataclass(frozen=True)
class Text:
    """A text as people write it, with its spans, and the words that a tokeniser made of it."""

    text: str
    spans: Found
    words: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, *parts: tuple[str, str]) -> "Text":
        """Joins (piece, type); a piece is glued to the one before where it begins with "+"."""
        text, spans, words = "", set(), []
        for part, label in parts:
            piece = part.removeprefix("+")
            text += "" if piece != part or not text else " "
            start = len(text)
            text += piece
            if label:
                spans.add((label, start, len(text)))
            place = start
            for word in piece.split():
                words.append((place, place + len(word)))
                place += len(word) + 1
        return cls(text, spans, tuple(words))

    def tags(self) -> list[str]:
        """The IOB2 tag of each of its words."""
        found = []
        for start, end in self.words:
            over = [span for span in self.spans if span[1] <= start and end <= span[2]]
            found += [f"{'B' if start == first else 'I'}-{label}" for label, first, _ in over]
            found += [] if over else ["O"]
        return found

    def rows(self) -> list[tuple[str, str]]:
        """Its words with their tags."""
        return [(self.text[a:b], tag) for (a, b), tag in zip(self.words, self.tags(), strict=True)]


def english(number: int, misfits: float = 0.0) -> Text:
    """A text with marks beside its names; a share of them has a span that ends inside a word."""
    draw = random.Random(number)
    person, place = draw.choice(PEOPLE), draw.choice(PLACES)
    if draw.random() < misfits:
        tail = ("+ish", "") if draw.random() < 0.5 else ("+ner", "LOC")
        return Text.of((person, "PER"), ("+,", ""), ("of", ""), (place.rstrip("."), "LOC"), tail)
    end = draw.choice(["+.", "+!", "+..."])
    parts = [(person, "PER"), ("+,", ""), ("well-known", ""), ("+,", ""), ("lives in", "")]
    extra = [("(", ""), ("+" + draw.choice(PLACES), "LOC"), ("+)", "")] if number % 3 else []
    return Text.of(*parts, (place, "LOC"), *extra, (end, ""))


def chinese(number: int) -> Text:
    """A text without white space, each letter of which is a word."""
    draw = random.Random(number)
    person, place = draw.choice(CHINESE["PER"]), draw.choice(CHINESE["LOC"])
    pieces = [(person, "PER"), ("\u4f4f\u5728", ""), (place, "LOC"), ("\u3002", "")]
    text, spans = "", set()
    for piece, label in pieces:
        if label:
            spans.add((label, len(text), len(text) + len(piece)))
        text += piece
    return Text(text, spans, tuple((n, n + 1) for n in range(len(text))))


def splits_of(make: Callable[[int], Text]) -> dict[str, list[Text]]:
    """60 texts of train, 20 of dev and 40 of test."""
    numbers = {"train": range(60), "dev": range(60, 80), "test": range(80, 120)}
    return {split: [make(number) for number in found] for split, found in numbers.items()}


def write_texts(folder: Path, kind: str, splits: dict[str, list[Text]]) -> dict[str, Any]:
    """Writes the texts in a format; returns the section of the data set."""
    files = {split: folder / f"{split}.txt" for split in splits}
    for split, texts in splits.items():
        if kind == "seq_in_out":
            lines = {"seq.in": [], "seq.out": [], "label": []}
            for text in texts:
                lines["seq.in"].append(" ".join(word for word, _ in text.rows()))
                lines["seq.out"].append(" ".join(text.tags()))
                lines["label"].append("x")
            (folder / split).mkdir()
            for name, rows in lines.items():
                (folder / split / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
            continue
        files[split].write_text("".join(_WRITERS[kind](text) for text in texts), encoding="utf-8")
    if kind == "seq_in_out":
        return {"kind": kind, "path": str(folder)}
    columns = {"columns": {"spans": 1}} if kind == "conll" else {}
    return {"kind": kind, "splits": {split: str(path) for split, path in files.items()}, **columns}


def _json_line(text: Text) -> str:
    spans = [{"start": start, "end": end, "label": label} for label, start, end in text.spans]
    return json.dumps({"text": text.text, "spans": spans}) + "\n"


def _conll(text: Text) -> str:
    return "".join(f"{word}\t{tag}\n" for word, tag in text.rows()) + "\n"


def _conllu(text: Text) -> str:
    rows = [
        "\t".join([str(number), word, "_", tag.replace("-", ""), *"_" * 6])
        for number, (word, tag) in enumerate(text.rows(), start=1)
    ]
    return "\n".join(rows) + "\n\n"


_WRITERS = {"spans_json": _json_line, "conll": _conll, "conllu": _conllu}


def save_encoder(folder: Path, texts: Sequence[Text]) -> str:
    """A small random BERT that knows the letters and short words of the texts."""
    examples = [Example(tuple(word for word, _ in text.rows())) for text in texts]
    config = BertConfig(
        vocab_size=save_tokenizer(folder, examples),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return str(folder)
