"""Notes on data: what is found when a data set is encoded, and that it is kept."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from transformers import PreTrainedTokenizerFast

from mtl_core.data import store
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.formats.kinds import DatasetSection
from mtl_core.data.layouts.sentences import Sentences
from mtl_core.data.notes import DataNote, SplitNotes, by_importance, line_of
from mtl_core.data.store import load_dataset
from mtl_core.model.backbones.encoder import load_tokenizer

INTENT = LabelColumn("intent", "intent")
Rows = Sequence[Mapping[str, object]]


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(tiny_encoder))


def notes_on(
    folder: Path,
    tokenizer: PreTrainedTokenizerFast,
    splits: Mapping[str, Rows],
    *columns: AnyColumn,
    max_length: int = 16,
) -> Sequence[DataNote]:
    for name, content in splits.items():
        text = "\n".join(map(json.dumps, content))
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    paths = {name: str(folder / f"{name}.jsonl") for name in splits}
    section = TypeAdapter(DatasetSection).validate_python({"kind": "jsonl", "splits": paths})
    layout = Sentences()
    return load_dataset(
        "d", section, columns or (INTENT,), tokenizer, layout=layout, max_length=max_length
    ).notes


def row(text: str, intent: str = "a") -> dict[str, object]:
    return {"text": text, "intent": intent}


@pytest.mark.parametrize(("known", "is_noted"), [(1, False), (2, True)])
def test_rows_of_train_in_dev_are_counted(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, known: int, is_noted: bool
) -> None:
    train = [row(f"word {number}", "ab"[number % 2]) for number in range(30)]
    dev = [row(f"other {number}") for number in range(10)]
    notes = notes_on(tmp_path, tokenizer, {"train": train, "dev": train[:known] + dev})
    found = [(note.split, note.count, note.of) for note in notes if note.kind == "known"]
    assert found == ([("dev", known, 10 + known)] if is_noted else [])


def test_cut_rows_and_words_are_counted(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    # [CLS] and [SEP] take two of eight places; these words are one piece each.
    dev = [row(" ".join(["play"] * count)) for count in (6, 7, 9)]
    splits = {"train": [row("play music", "b"), row("play")], "dev": dev}
    notes = notes_on(tmp_path, tokenizer, splits, max_length=8)
    (cut,) = [note for note in notes if note.kind == "cut"]
    assert (cut.split, cut.count, cut.of) == ("dev", 2, 3)
    assert "4 of 22 words" in cut.text


def test_notes_are_kept_and_not_found_again(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = {"train": [row("one"), row("two", "b")], "dev": [row("one")]}
    first = notes_on(tmp_path, tokenizer, splits)
    monkeypatch.setattr(store, "read_splits", lambda *_: pytest.fail("read the data again"))
    assert notes_on(tmp_path, tokenizer, splits) == first != ()


def test_the_most_important_comes_first_and_equals_keep_their_order() -> None:
    notes = SplitNotes("dev")
    for number, level in enumerate(["hint", "serious", "warning", "serious"]):
        notes.add("x", str(number), level=level)  # type: ignore[arg-type]
    assert [note.text for note in by_importance(notes.found)] == ["1", "3", "2", "0"]
    assert line_of("d", notes.found[0]) == "d [dev]: 0"
    assert [DataNote.from_json(note.to_json()) for note in notes.found] == notes.found
