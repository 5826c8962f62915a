"""The format of MultiWOZ: a dialogue written by hand, in both versions."""

import json
from pathlib import Path
from typing import Any

import pytest
from dialogues import REPLIES, TURNS, version_21, write_21, write_22, write_log
from formats import SECTIONS, read
from pydantic import ValidationError

from mtl_core.data.example import ColumnKind
from mtl_core.data.messages import Message
from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError

REPLIES_OF: dict[str, ColumnKind] = {"replies": "target"}
TURNS_OF: dict[str, ColumnKind] = {"acts": "labels", "spans": "tags"}


def test_a_dialogue_has_delexicalised_replies_and_goes_on_from_them(tmp_path: Path) -> None:
    [found] = read(write_21(tmp_path / "val.jsonl"), "multiwoz", REPLIES_OF)
    assert found.labels["replies"] == REPLIES
    assert found.messages == (
        Message("user", "A hotel in the centre of town , please ."),
        Message("assistant", REPLIES[0]),
        Message("user", "Yes , and a train to Ely after 9:30 ."),
        Message("assistant", REPLIES[1]),
    )


def test_replies_may_stay_as_they_were_said(tmp_path: Path) -> None:
    path = write_21(tmp_path / "val.jsonl")
    [found] = read(path, "multiwoz", REPLIES_OF, delexicalised=False)
    assert found.labels["replies"] == tuple(turn["text"] for turn in TURNS[1::2])


def test_all_versions_say_the_same(tmp_path: Path) -> None:
    paths = [
        write_21(tmp_path / "val.jsonl", first=1),
        write_log(tmp_path / "data.json"),
        write_22(tmp_path / "MultiWOZ_2.2"),
    ]
    first, *others = (read(path, "multiwoz", REPLIES_OF) for path in paths)
    assert all(found == first for found in others)
    first, *others = (read(path, "multiwoz", TURNS_OF, rows="turns") for path in paths)
    assert all(found == first for found in others)


def test_turns_have_acts_and_the_tags_of_their_spans(tmp_path: Path) -> None:
    found = read(write_21(tmp_path / "val.jsonl"), "multiwoz", TURNS_OF, rows="turns")
    assert [row.labels.get("acts") for row in found] == [
        ("Hotel-Inform",),
        ("Hotel-Recommend", "Booking-Inform"),
        None,
        ("Booking-Book", "Train-Inform"),
    ]
    tags = dict(zip(found[1].words, found[1].labels["spans"], strict=True))  # type: ignore[arg-type]
    assert tags == {
        "The": "B-name", "Old": "I-name", "Inn": "I-name", "is": "O", "at": "O",
        "01223": "B-phone", "12": "I-phone", ".": "O", "Book": "O", "it": "O", "?": "O",
    }  # fmt: skip
    assert "spans" not in found[2].labels  # nobody annotated the turn


def test_turns_have_what_was_said_before_as_second_text(tmp_path: Path) -> None:
    path = write_21(tmp_path / "val.jsonl")
    first = "user: A hotel in the centre of town , please ."
    second = "system: The Old Inn is at 01223 12 . Book it ?"
    found = read(path, "multiwoz", {"acts": "labels"}, rows="turns", speaker="user", history=2)
    assert [row.second for row in found] == ["-", f"{first} {second}"]
    found = read(path, "multiwoz", {"acts": "labels"}, rows="turns", speaker="system", history=0)
    assert [row.second for row in found] == ["", ""]
    assert [row.words[0] for row in found] == ["The", "Booked"]


def test_dialogues_and_turns_are_cut_alike(tmp_path: Path) -> None:
    path = write_21(tmp_path / "val.jsonl", 10)
    settings = {"kind": "multiwoz", "splits": {"train": str(path), "dev": 0.2, "test": 0.1}}
    columns = {"dialogues": REPLIES_OF, "turns": TURNS_OF}
    groups = {
        rows: {
            split: {example.labels["dialogue"] for example in found}
            for split, found in read_splits(
                SECTIONS.validate_python({**settings, "rows": rows, "split_seed": 3}),
                {**of, "dialogue": "label"},
            ).items()
        }
        for rows, of in columns.items()
    }
    assert groups["dialogues"] == groups["turns"]
    assert {split: len(names) for split, names in groups["turns"].items()} == {
        "train": 7, "dev": 2, "test": 1,
    }  # fmt: skip


def test_a_limit_counts_turns(tmp_path: Path) -> None:
    path = write_21(tmp_path / "val.jsonl", 10)
    raw = {"kind": "multiwoz", "splits": {"train": str(path), "dev": 0.2}, "rows": "turns"}
    section = SECTIONS.validate_python({**raw, "limit": {"train": 13}})
    assert {split: len(rows) for split, rows in read_splits(section, TURNS_OF).items()} == {
        "train": 13, "dev": 8,
    }  # fmt: skip


def test_content_of_all_files_counts_and_not_where_they_lie(tmp_path: Path) -> None:
    prints, keys = [], []
    for name in ("a", "b"):
        path = write_22(tmp_path / name)
        folder = path.parent.parent
        raw = {"kind": "multiwoz", "splits": {"train": str(path), "dev": 0.5}}
        section = SECTIONS.validate_python({**raw, "goals": str(folder / "data.json")})
        prints.append(section.fingerprint())
        keys.append(section.cache_key())
    (folder / "dialog_acts.json").write_text("{}")
    assert prints[0] == prints[1] != section.fingerprint()
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"turns": "none"}, r"1: expected a list at 'turns', found \"none\""),
        ({"turns": TURNS[:1]}, r"1: expected turns of the system, found none"),
        (
            {"turns": [{**TURNS[0], "speaker": "wizard"}]},
            r"turns\[0\]: expected user or system at 'speaker', found 'wizard'",
        ),
        ({"turns": [{"speaker": "user"}]}, r"turns\[0\]: there is no key 'text'; found speaker"),
        (
            {"turns": [{**TURNS[0], "text": " "}]},
            r"turns\[0\]: expected a text, .*`on_empty: skip`",
        ),
        (
            {"turns": [{**TURNS[0], "spans": [["Hotel-Inform", "Area", 1]]}]},
            r"turns\[0\]: expected spans \[act, slot, value, start, end\], found",
        ),
    ],
)
def test_a_dialogue_that_is_none_is_told_with_its_place(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "val.jsonl"
    path.write_text(json.dumps(version_21(**change)) + "\n")
    with pytest.raises(DataError, match=rf"val\.jsonl:{message}|val\.jsonl:1: {message}") as error:
        read(path, "multiwoz", REPLIES_OF)
    assert len(error.value.lines) == 1


def test_acts_that_are_nowhere_are_asked_for(tmp_path: Path) -> None:
    path = write_22(tmp_path / "MultiWOZ_2.2")
    (tmp_path / "MultiWOZ_2.2" / "dialog_acts.json").rename(tmp_path / "elsewhere.json")
    with pytest.raises(DataError, match=r"there is no dialog_acts\.json beside it .*`acts: PATH`"):
        read(path, "multiwoz", TURNS_OF, rows="turns")
    assert read(path, "multiwoz", TURNS_OF, rows="turns", acts=tmp_path / "elsewhere.json")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"history": 2}, "history: only rows: turns have a use for it"),
        ({"rows": "turns", "delexicalised": False}, "delexicalised: only rows: dialogues have"),
    ],
)
def test_settings_without_effect_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SECTIONS.validate_python(
            {"kind": "multiwoz", "splits": {"train": "a", "dev": 0.5}} | settings
        )


def test_missing_files_and_columns_are_told(tmp_path: Path) -> None:
    path = write_21(tmp_path / "val.jsonl")
    raw = {"kind": "multiwoz", "splits": {"train": str(path), "dev": 0.5}, "goals": "none.json"}
    with pytest.raises(DataError, match=r"run\.datasets\.d\.goals: .*none\.json: there is no such"):
        SECTIONS.validate_python(raw).check_files("run.datasets.d")
    with pytest.raises(DataError, match=r"rows: dialogues: there is no column 'acts'; .* replies"):
        read(path, "multiwoz", {"acts": "labels"})
