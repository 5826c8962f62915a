"""Notes on the rows of data: what is found when a data set is encoded, and that it is kept."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter
from transformers import PreTrainedTokenizerFast

from mtl_core.data import store
from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.number import NumberColumn
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.formats.kinds import DatasetSection
from mtl_core.data.layouts.chunks import Chunks
from mtl_core.data.layouts.sentences import Sentences
from mtl_core.data.notes import Lengths, SplitNotes
from mtl_core.data.store import EncodedDataset, load_dataset
from mtl_core.model.backbones.tokenizer import load_tokenizer

INTENT = LabelColumn("intent", "intent")
Rows = Sequence[Mapping[str, object]]


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(tiny_encoder))


def encoded(
    folder: Path,
    tokenizer: PreTrainedTokenizerFast,
    splits: Mapping[str, Rows],
    *columns: AnyColumn,
    max_length: int = 64,
    **settings: object,
) -> EncodedDataset:
    for name, content in splits.items():
        text = "\n".join(map(json.dumps, content))
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    paths = {name: str(folder / f"{name}.jsonl") for name in splits}
    raw = {"kind": "jsonl", "splits": paths, **settings}
    section = TypeAdapter(DatasetSection).validate_python(raw)
    layout = Sentences()
    return load_dataset(
        "d", section, columns or (INTENT,), tokenizer, layout=layout, max_length=max_length
    )


def row(text: str, intent: str | None = "a", **more: object) -> dict[str, object]:
    return {"text": text, "intent": intent, **more}


def of_kind(dataset: EncodedDataset, kind: str) -> list[tuple[str, int, int, str]]:
    found = [note for note in dataset.notes if note.topic == kind]
    return [(note.split, note.count, note.of, note.level) for note in found]


TRAIN = [row(f"word {number}", "ab"[number % 2]) for number in range(30)]


@pytest.mark.parametrize(("known", "is_noted"), [(1, False), (2, True)])
def test_rows_of_train_in_dev_are_told_above_a_twentieth(tokenizer, tmp_path, known, is_noted):
    dev = TRAIN[:known] + [row(f"other {number}") for number in range(20 - known)]
    dataset = encoded(tmp_path, tokenizer, {"train": TRAIN, "dev": dev})
    assert of_kind(dataset, "known") == ([("dev", known, 20, "serious")] if is_noted else [])
    # The texts are kept in any case: other data sets are compared with them.
    assert np.isin(dataset.texts["dev"], dataset.texts["train"]).sum() == known


def test_known_rows_with_another_label_are_counted_apart(tokenizer, tmp_path):
    train = [row("one", "a"), row("two", "b"), row("three", None), row("four", "b")]
    # The same label; another one; none to compare with, twice; not known.
    dev = [row("one", "a"), row("two", "a"), row("three", "a"), row("four", None), row("new")]
    dataset = encoded(tmp_path, tokenizer, {"train": train, "dev": dev})
    (note,) = [note for note in dataset.notes if note.topic == "known"]
    assert note.line == (
        "d [dev]: 4 of 5 rows (80 %) stand in train, too, 1 of them with another label; scores on "
        "them say little"
    )


def test_white_space_makes_no_other_text_and_a_second_text_and_features_do(tokenizer, tmp_path):
    pairs = [row("a b", pair="x", numbers=[1.0]), row("c", "b", pair="y", numbers=[1.0])]
    dev = [
        row("a  b ", pair="x", numbers=[1.0]),
        row("a b", pair="z", numbers=[1.0]),
        row("a b", pair="x", numbers=[2.0]),
    ]
    settings = {"text_pair": "pair", "features": "numbers"}
    dataset = encoded(tmp_path, tokenizer, {"train": pairs, "dev": dev}, **settings)
    assert of_kind(dataset, "known") == [("dev", 1, 3, "serious")]


def test_rows_of_test_that_stand_in_dev_are_told_apart(tokenizer, tmp_path):
    splits = {
        "train": TRAIN,
        "dev": [row("one"), row("two", "b")],
        "test": [row("one"), row("two"), row("word 1"), row("new")],
    }
    dataset = encoded(tmp_path, tokenizer, splits)
    assert of_kind(dataset, "known_from_dev") == [("test", 2, 4, "warning")]
    assert of_kind(dataset, "known") == [("test", 1, 4, "serious")]


def test_rows_that_contradict_each_other_are_counted_for_each_task(tokenizer, tmp_path):
    slots, stars = TagsColumn("slots", "slots"), NumberColumn("stars", "stars")
    train = [
        row("x y", "a", slots=["O", "O"], stars=1.0),
        row("x y", "b", slots=["O", "O"], stars=2.0),
        row("x  y", "a", slots=["O", "O"], stars=3.0),
        row("x y", None, slots=["O", "P"], stars=3.0),
        row("z", "a", slots=["O"], stars=3.0),
        row("z", "a", slots=["O"], stars=3.0),
    ]
    dataset = encoded(
        tmp_path, tokenizer, {"train": train, "dev": [row("n", slots=["O"], stars=1)]}, INTENT,
        slots, stars,
    )  # fmt: skip
    found = {note.task: note for note in dataset.notes if note.topic == "contradicting"}
    # Numbers may differ: several people rate a text.
    assert {task: (note.count, note.of) for task, note in found.items()} == {
        "intent": (3, 6),
        "slots": (4, 6),
    }
    assert "(1 text)" in found["intent"].text


def test_a_slip_of_a_hand_is_no_contradiction_worth_a_line(tokenizer, tmp_path):
    many = [row(f"w {number}", "ab"[number % 2]) for number in range(197)]
    for extra, is_told in (([row("w 0", "b")], True), ([], False)):
        folder = tmp_path / str(is_told)
        folder.mkdir()
        train = [*many, row("same", "a"), *extra]
        found = of_kind(encoded(folder, tokenizer, {"train": train, "dev": TRAIN}), "contradicting")
        assert bool(found) == is_told


def test_counts_equal_those_of_a_plain_second_count(tokenizer, tmp_path):
    for seed in range(6):
        draw = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        splits = {
            split: [
                row(f"w{draw.randrange(9)} x", draw.choice(["a", "b", "c", None]))
                for _ in range(draw.randrange(8, 20))
            ]
            + [row("last", "a")]
            for split in ("train", "dev", "test")
        }
        dataset = encoded(folder, tokenizer, splits)
        assert {
            (note.topic, note.split): (note.count, note.of)
            for note in dataset.notes
            if note.topic in ("known", "known_from_dev", "contradicting")
        } == naive(splits)


def naive(splits: Mapping[str, Rows]) -> dict[tuple[str, str], tuple[int, int]]:
    found = {}
    for split, rows in splits.items():
        for other, kind in (("train", "known"), ("dev", "known_from_dev")):
            if list(splits).index(split) > list(splits).index(other):
                texts = [one["text"] for one in splits[other]]
                found[kind, split] = sum(one["text"] in texts for one in rows)
        found["contradicting", split] = sum(
            any(
                one["text"] == two["text"] and two["intent"] not in (None, one["intent"])
                for two in rows
            )
            for one in rows
            if one["intent"] is not None
        )
    shares = {"known": 0.05, "known_from_dev": 0.05, "contradicting": 0.01}
    return {
        (kind, split): (count, len(splits[split]))
        for (kind, split), count in found.items()
        if count > shares[kind] * len(splits[split])
    }


def test_cut_rows_and_lost_words_are_counted(tokenizer, tmp_path):
    # [CLS] and [SEP] take two of eight places; these words are one piece each.
    dev = [row(" ".join(["play"] * count)) for count in (6, 7, 9)]
    splits = {"train": [row("play music", "b"), row("play")], "dev": dev}
    dataset = encoded(tmp_path, tokenizer, splits, max_length=8)
    assert of_kind(dataset, "cut") == [("dev", 2, 3, "warning")]
    (cut,) = [note for note in dataset.notes if note.topic == "cut"]
    assert "; 4 of 22 words are not read (" in cut.text
    assert "the longest has 11" in cut.text
    assert dataset.lengths == {
        "train": Lengths(2, 2, median=3, high=4, longest=4, cut=0),
        "dev": Lengths(3, 3, median=9, high=11, longest=11, cut=2),
    }


def test_words_that_are_cut_off_lose_their_tags(tokenizer, tmp_path):
    rows = [row("play " * 7, intent, slots=["O"] * 6 + ["B-x"]) for intent in "ab"]
    slots = TagsColumn("slots", "slots", is_bio=True)
    dataset = encoded(tmp_path, tokenizer, {"train": rows, "dev": rows}, slots, max_length=8)
    told = [note.text for note in dataset.notes if note.topic == "cut"]
    assert len(told) == 2
    assert all("2 of 14 words are not read, and spans or tags on them count" in t for t in told)


def test_pairs_that_lose_of_their_second_text_are_cut_rows_without_lost_words(tokenizer, tmp_path):
    rows = [row("play", intent, pair=" ".join(["music"] * 8)) for intent in "ab"]
    splits = {"train": rows, "dev": [row("play", pair="music")]}
    dataset = encoded(tmp_path, tokenizer, splits, max_length=8, text_pair="pair")
    assert of_kind(dataset, "cut") == [("train", 2, 2, "warning")]
    assert all("words are not read" not in note.text for note in dataset.notes)
    assert dataset.lengths["train"].longest == (
        tokenizer.num_special_tokens_to_add(pair=True) + 1 + 8
    )


@pytest.mark.parametrize("max_length", [8, 16, 512])
def test_lengths_are_those_of_rows_that_are_not_cut(tokenizer, tmp_path, sample, max_length):
    texts = [" ".join(example.words) for example in sample["dev"][:60]]
    rows = [row(text, "ab"[number % 2]) for number, text in enumerate(texts)]
    dataset = encoded(tmp_path, tokenizer, {"train": rows, "dev": rows}, max_length=max_length)
    whole = sorted(len(tokenizer(text.split(), is_split_into_words=True).input_ids)
                   for text in texts)  # fmt: skip
    found = dataset.lengths["train"]
    assert found.longest == whole[-1]
    assert found.cut == sum(length > max_length for length in whole)
    if max_length == 512:
        assert found.median == whole[(len(whole) - 1) // 2]
        assert sum(length <= found.high for length in whole) >= 0.95 * len(whole)
        assert sum(length < found.high for length in whole) < 0.95 * len(whole)


def test_rows_without_a_word_that_the_tokenizer_knows(tokenizer, tmp_path):
    strange = "\u4f60\u597d"
    dev = [row(strange), row(f"{strange} play"), row("\u0627"), row("play")]
    dataset = encoded(tmp_path, tokenizer, {"train": TRAIN, "dev": dev})
    assert of_kind(dataset, "unreadable") == [("dev", 2, 4, "warning")]
    dev = [row(strange), row(strange)]
    dataset = encoded(tmp_path, tokenizer, {"train": TRAIN, "dev": dev})
    assert of_kind(dataset, "unreadable") == [("dev", 2, 2, "serious")]


@pytest.mark.parametrize(
    ("tags", "stray", "spans"),
    [
        ([["B-x", "I-x", "O", "B-y"]], 0, 2),
        ([["I-x", "I-x", "O", "I-y"]], 2, 2),  # IOB1 as IOB2
        ([["B-x", "I-y", "I-y", "B-z"]], 1, 3),
        ([["O", "I-x", "B-x", "I-x"], ["I-x", "O", "O", "O"]], 2, 3),  # rows begin anew
    ],
)
def test_spans_that_begin_with_i_are_counted(tokenizer, tmp_path, tags, stray, spans):
    slots = TagsColumn("slots", "slots", is_bio=True)
    train = [row("a b c d", "a", slots=one) for one in tags]
    dev = [row("a", slots=["O"]), row("n", "b", slots=None)]
    dataset = encoded(tmp_path, tokenizer, {"train": train, "dev": dev}, slots)
    level = "serious" if 2 * stray > spans else "warning"
    assert of_kind(dataset, "stray") == ([("train", stray, spans, level)] if stray else [])
    told = [note.text for note in dataset.notes if note.topic == "stray" and "iob1" in note.text]
    assert bool(told) == (2 * stray > spans)


def test_plain_tags_are_no_spans(tokenizer, tmp_path):
    slots = TagsColumn("slots", "slots")
    rows = [row("a b", slots=["I-x", "O"])]
    assert of_kind(encoded(tmp_path, tokenizer, {"train": rows, "dev": rows}, slots), "stray") == []


def test_chunks_of_text_are_compared_as_they_were_read(tokenizer, tmp_path):
    for split, lines in (("train", "a b\nc d\ne f\n"), ("dev", "a b\nx y\n")):
        (tmp_path / f"{split}.txt").write_text(lines, encoding="utf-8")
    paths = {split: str(tmp_path / f"{split}.txt") for split in ("train", "dev")}
    section = TypeAdapter(DatasetSection).validate_python({"kind": "lines", "splits": paths})
    dataset = load_dataset("d", section, (), tokenizer, layout=Chunks(8), max_length=16)
    assert of_kind(dataset, "known") == [("dev", 1, 2, "serious")]
    assert dataset.lengths["train"].examples == 3


def test_notes_are_kept_and_not_found_again(tokenizer, tmp_path, monkeypatch):
    splits = {"train": TRAIN, "dev": TRAIN[:3]}
    first = encoded(tmp_path, tokenizer, splits, max_length=8)
    monkeypatch.setattr(store, "read_splits", lambda *_: pytest.fail("read the data again"))
    again = encoded(tmp_path, tokenizer, splits, max_length=8)
    assert again.notes == first.notes != ()
    assert again.lengths == first.lengths
    assert again.texts["dev"].tolist() == first.texts["train"].tolist()[:3]


def test_what_readers_say_is_kept_with_the_rest(tokenizer, tmp_path, monkeypatch):
    def read(section, source, columns, notes):
        notes.add("skipped", "2 empty rows are left out", count=2)
        return plain(section, source, columns, SplitNotes(""))

    section = type(TypeAdapter(DatasetSection).validate_python(
        {"kind": "jsonl", "splits": {"train": "a", "dev": "b"}}
    ))  # fmt: skip
    plain = section.read_split
    monkeypatch.setattr(section, "read_split", read)
    dataset = encoded(tmp_path, tokenizer, {"train": TRAIN, "dev": [row("new")]})
    told = [note.line for note in dataset.notes if note.topic == "skipped"]
    assert told == [f"d [{split}]: 2 empty rows are left out" for split in ("train", "dev")]


def test_the_content_of_a_data_set_does_not_hang_on_its_notes(tokenizer, tmp_path, monkeypatch):
    splits = {"train": TRAIN, "dev": TRAIN[:3]}
    content = encoded(tmp_path, tokenizer, splits).content
    monkeypatch.setattr("mtl_core.data.inspection.MOST_KNOWN", 1.0)
    monkeypatch.setattr(store, "cache_folder", lambda: tmp_path / "other")
    other = encoded(tmp_path, tokenizer, splits)
    assert of_kind(other, "known") == []
    assert other.content == content
