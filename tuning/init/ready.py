"""Looks at formats that leave nothing to guess: SQuAD, CLINC, folders of seq.in, lines of text."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtl_core.any_path import is_file
from tuning.init.content import Content, read_content
from tuning.init.groups import split_named
from tuning.init.guess import DatasetGuess, TaskGuess, counted, latin_share


def squad_guess(documents: Mapping[str, Sequence[Any]]) -> DatasetGuess | None:
    """Returns the data set of SQuAD files; None = they are none.

    Args:
        documents: Split -> what its JSON files hold.
    """
    counts, lengths, questions, answered = {}, [], [], 0
    for split, found in documents.items():
        counts[split] = 0
        for paragraph in _paragraphs(found):
            asked = paragraph["qas"]
            counts[split] += len(asked)
            lengths += [len(str(paragraph["context"]).split())] * len(asked)
            questions += [str(question.get("question", "")) for question in asked]
            answered += sum(bool(question.get("answers")) for question in asked)
    if not lengths:
        return None
    seen = f"{len(lengths):,} questions, {len(lengths) - answered:,} of them without an answer"
    task = TaskGuess("answer", {"kind": "question_answering"}, seen)
    return DatasetGuess({"kind": "squad"}, [task], counts, lengths, latin_share(questions))


def clinc_guess(document: object, path: Path) -> DatasetGuess | None:
    """Returns the data set of JSON {split: [[text, label], ...]}; None = it is none."""
    if not isinstance(document, Mapping) or not document:
        return None
    rows = {str(key): value for key, value in document.items() if _are_labelled(value)}
    if len(rows) < len(document):
        return None
    splits = {split: name for name in rows if (split := split_named(name)) and "oos" not in name}
    if not {"train", "dev"} <= splits.keys():
        return None
    train = rows[splits["train"]]
    counts = Counter(label for _, label in train)
    seen = f"{len(counts):,} labels: {counted(counts)}"
    task = TaskGuess("intent", {"kind": "classification", "column": "intent"}, seen)
    notes = []
    if any(name.startswith("oos_") for name in rows):
        notes.append("out_of_scope: true adds the rows of oos_train, oos_val and oos_test")
    texts = [str(text) for text, _ in train]
    sizes = {split: len(rows[name]) for split, name in splits.items()}
    usual = {"train": "train", "dev": "val", "test": "test"}
    names = {} if all(usual[split] == name for split, name in splits.items()) else splits
    settings = {"kind": "clinc", "path": path}
    lengths = [len(text.split()) for text in texts]
    return DatasetGuess(settings, [task], sizes, lengths, latin_share(texts), notes, names)


def folder_guess(folder: Path) -> DatasetGuess | None:
    """Returns the data set of a folder of seq.in, seq.out and label by split; None = it is none."""
    inside = [path for path in sorted(folder.iterdir()) if is_file(path / "seq.in")]
    named = {split: path for path in inside if (split := split_named(path.name))}
    if "train" not in named:
        return None
    texts = {split: _lines(path / "seq.in") for split, path in named.items()}
    tags = Counter(tag for line in _lines(named["train"] / "seq.out") for tag in line.split())
    labels = Counter(label.strip() for label in _lines(named["train"] / "label") if label.strip())
    tasks = []
    if labels:
        seen = f"{len(labels):,} labels: {counted(labels)}"
        tasks.append(TaskGuess("intent", {"kind": "classification", "column": "intent"}, seen))
    if tags:
        seen = f"{len(tags):,} tags: {counted(tags)}"
        tasks.append(TaskGuess("slots", {"kind": "tagging", "column": "slots"}, seen))
    names = {split: path.name for split, path in named.items()}
    lengths = [len(line.split()) for line in texts["train"]]
    settings = {"kind": "seq_in_out", "path": folder}
    usual = all(split == name for split, name in names.items())
    counts = {split: len(lines) for split, lines in texts.items()}
    share = latin_share(texts["train"])
    return DatasetGuess(
        settings, tasks, counts, lengths, share, splits_by_name={} if usual else names
    )


def lines_guess(contents: Mapping[str, Sequence[Content]]) -> DatasetGuess | None:
    """Returns the data set of running text, one text a line; None = there is none."""
    lines = {
        split: [line for content in found for line in content.text.split("\n") if line.strip()]
        for split, found in contents.items()
    }
    if not lines["train"]:
        return None
    seen = "no labels: words are masked and guessed; of use beside tasks with labels"
    task = TaskGuess("words", {"kind": "masked_lm"}, seen, is_auxiliary=True)
    counts = {split: len(found) for split, found in lines.items()}
    lengths = [len(line.split()) for line in lines["train"]]
    share = latin_share(lines["train"])
    return DatasetGuess({"kind": "lines"}, [task], counts, lengths, share, takes_encoding=True)


def json_document(content: Content) -> object:
    """Returns what a JSON file holds, None where it is none."""
    if not re.match(r"\s*[\[{]", content.text):
        return None
    try:
        return json.loads(content.text)
    except (ValueError, RecursionError):
        return None


def _paragraphs(documents: Sequence[Any]) -> list[Mapping[str, Any]]:
    articles = [
        article
        for document in documents
        if isinstance(document, Mapping) and isinstance(document.get("data"), list)
        for article in document["data"]
    ]
    found = [p for a in articles if isinstance(a, Mapping) for p in a.get("paragraphs") or ()]
    return [p for p in found if isinstance(p, Mapping) and "context" in p and "qas" in p]


def _are_labelled(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, list) and len(row) == 2 and all(isinstance(item, str) for item in row)
        for row in value
    )


def _lines(path: Path) -> list[str]:
    return read_content(path).text.splitlines() if is_file(path) else []
