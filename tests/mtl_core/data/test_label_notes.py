"""Notes on labels: counted over all data sets of a task, against a plain second count."""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hostile import MARKUP, STEERING

from mtl_core.assets import load_data
from mtl_core.config import RunConfig
from mtl_core.data.notes import DataNote
from mtl_core.errors import DataError

Rows = Sequence[Mapping[str, object]]
Y = {"kind": "classification", "dataset": "d", "column": "y"}
MANY = [str(number) for number in range(60)]
"""Enough rows that a small dev is not told."""


def notes_on(
    folder: Path, encoder: Path, tasks: Mapping[str, object], **datasets: Mapping[str, Rows]
) -> list[DataNote]:
    return list(load_data(config_of(folder, encoder, tasks, **datasets)).notes)


def config_of(
    folder: Path, encoder: Path, tasks: Mapping[str, object], **datasets: Mapping[str, Rows]
) -> RunConfig:
    sections: dict[str, object] = {}
    for name, splits in datasets.items():
        paths = {split: folder / f"{name}.{split}.jsonl" for split in splits}
        for split, rows in splits.items():
            paths[split].write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        sections[name] = {"kind": "jsonl", "splits": {s: str(p) for s, p in paths.items()}}
    raw = {"encoder": {"name": str(encoder)}, "datasets": sections, "tasks": tasks}
    return RunConfig.model_validate(raw)


def labelled(*labels: object, column: str = "y", prefix: str = "w") -> list[dict[str, object]]:
    return [{"text": f"{prefix} {number}", column: label} for number, label in enumerate(labels)]


def of_kind(notes: Sequence[DataNote], kind: str) -> list[tuple[str, str, int, int]]:
    return [(note.dataset, note.split, note.count, note.of) for note in notes if note.topic == kind]


def test_labels_that_train_lacks_are_counted_by_their_rows(tmp_path, tiny_encoder):
    splits = {
        "train": labelled(*"aabb"),
        "dev": labelled(*"abxx", None, prefix="v"),
        "test": labelled(*"axyy", prefix="u"),
    }
    notes = notes_on(tmp_path, tiny_encoder, {"t": Y}, d=splits)
    assert of_kind(notes, "unseen") == [("d", "test", 3, 4), ("d", "dev", 2, 4)]
    told = [(note.level, note.text) for note in notes if note.topic == "unseen"]
    assert told == [
        ("serious", "task 't': 3 of 4 rows (75 %) have a label that train lacks, and count as "
         "wrong: 'x', 'y'"),
        ("warning", "task 't': 2 of 4 rows (50 %) have a label that train lacks, and count as "
         "wrong: 'x'"),
    ]  # fmt: skip


def test_what_one_data_set_of_a_task_lacks_another_may_have(tmp_path, tiny_encoder):
    task = {"kind": "classification", "dataset": ["d", "e"], "column": "y"}
    d = {"train": labelled(*"aabb"), "dev": labelled(*"abc", prefix="v")}
    e = {"train": labelled(*"cc"), "dev": labelled(*"cz", prefix="v")}
    notes = notes_on(tmp_path, tiny_encoder, {"t": task}, d=d, e=e)
    assert of_kind(notes, "unseen") == [("e", "dev", 1, 2)]
    # By itself the train split of `e` has a single label.
    assert of_kind(notes, "single") == []


def test_rows_that_stand_in_train_of_another_data_set_with_the_task(tmp_path, tiny_encoder):
    tasks = {"t": Y | {"dataset": ["d", "e"]}, "u": Y | {"dataset": "f"}}
    both = {"train": labelled(*"abab"), "dev": labelled(*"ab", prefix="v")}
    sets = {
        "d": both | {"test": labelled(*"abababababab")},  # four stand in train, two of them in e's
        "e": {
            "train": [*labelled(*"ab"), *labelled(*"ab", prefix="e"), *labelled(*"ab", prefix="v")],
            "dev": labelled(*"ab", prefix="x"),
        },
        # As many, but for another task.
        "f": {"train": labelled(*"abababababab"), "dev": labelled(*"ab", prefix="e")},
    }
    notes = notes_on(tmp_path, tiny_encoder, tasks, **sets)
    assert sorted(of_kind(notes, "known")) == [("d", "dev", 2, 2), ("d", "test", 4, 12)]
    told = {note.split: note.line for note in notes if note.topic == "known"}
    assert told["dev"] == (
        "d [dev]: 2 of 2 rows (100 %) stand in train of data set 'e', which has the same task; "
        "scores on them say little"
    )


def test_sets_of_labels_and_tags_count_rows_too(tmp_path, tiny_encoder):
    tasks = {
        "sets": {"kind": "multilabel", "dataset": "d", "column": "sets"},
        "tags": {"kind": "tagging", "dataset": "d", "column": "tags"},
    }
    train = [
        {"text": "one two", "sets": ["a", "b"], "tags": ["B-x", "I-x"]},
        {"text": "three four", "sets": [], "tags": ["O", "B-x"]},
    ]
    dev = [
        {"text": "v w", "sets": ["a", "c", "d"], "tags": ["B-y", "B-z"]},
        {"text": "x y", "sets": ["d"], "tags": ["B-x", "O"]},
        {"text": "y z", "sets": ["b"], "tags": None},
    ]
    notes = notes_on(tmp_path, tiny_encoder, tasks, d={"train": train, "dev": dev})
    found = {note.task: (note.count, note.of) for note in notes if note.topic == "unseen"}
    assert found == {"sets": (2, 3), "tags": (1, 2)}


@pytest.mark.parametrize("seed", range(4))
def test_counts_equal_those_of_a_plain_second_count(tmp_path, tiny_encoder, seed):
    draw = random.Random(seed)
    sets = {
        name: {
            split: labelled(
                *"ab", *draw.choices(["a", "b", "c", "d", "e", None], k=draw.randrange(3, 12)),
                prefix=f"{name} {split}",
            )
            for split in ("train", "dev", "test")
        }
        for name in ("d", "e")
    }  # fmt: skip
    tasks = {"t": {"kind": "classification", "dataset": ["d", "e"], "column": "y"}}
    notes = notes_on(tmp_path, tiny_encoder, tasks, **sets)
    train = Counter(row["y"] for name in sets for row in sets[name]["train"] if row["y"])
    unseen, unlabelled = {}, {}
    for name, splits in sets.items():
        for split, rows in splits.items():
            known = [row["y"] for row in rows if row["y"]]
            if count := sum(label not in train for label in known):
                unseen[name, split] = (count, len(known))
            if 2 * len(known) <= len(rows):
                unlabelled[name, split] = (len(rows) - len(known), len(rows))
    assert {(d, s): (n, of) for d, s, n, of in of_kind(notes, "unseen")} == unseen
    assert {(d, s): (n, of) for d, s, n, of in of_kind(notes, "unlabelled")} == unlabelled
    once = sum(count == 1 for count in train.values())
    assert of_kind(notes, "once") == ([("d, e", "", once, len(train))] if once else [])
    small = sum(row["y"] is not None for name in sets for row in sets[name]["dev"])
    assert of_kind(notes, "small") == [("d, e", "dev", small, 0)]


def test_a_dev_split_of_other_labels_is_refused(tmp_path, tiny_encoder):
    splits = {"train": labelled("no", "yes"), "dev": labelled("No.", "Yes.")}
    with pytest.raises(DataError) as error:
        notes_on(tmp_path, tiny_encoder, {"t": Y}, d=splits)
    assert str(error.value) == (
        "data set 'd': task 't': train has none of the labels of dev, so every score would be 0; "
        "dev has 'No.', 'Yes.', train has 'no', 'yes'; `labels: {map: ...}` of a data set renames "
        "labels"
    )


def test_one_known_label_of_dev_is_enough(tmp_path, tiny_encoder):
    splits = {"train": labelled(*"ab"), "dev": labelled(*"axyz", prefix="v")}
    assert of_kind(notes_on(tmp_path, tiny_encoder, {"t": Y}, d=splits), "unseen")


@pytest.mark.parametrize(
    ("tags", "is_refused"),
    [(["B-y", "O"], True), (["B-x", "B-y"], False), (["O", "O"], False)],
)
def test_spans_of_other_types_are_refused_and_o_is_no_label(
    tmp_path, tiny_encoder, tags, is_refused
):
    task = {"kind": "tagging", "dataset": "d", "column": "y"}
    splits = {"train": [{"text": "a b", "y": ["B-x", "O"]}], "dev": [{"text": "c d", "y": tags}]}
    config = config_of(tmp_path, tiny_encoder, {"t": task}, d=splits)
    if is_refused:
        with pytest.raises(DataError, match=r"dev has 'B-y', train has 'B-x'; "):
            load_data(config)
    else:
        load_data(config)


def test_a_few_rows_for_a_trial_are_let_through_with_a_note(tmp_path, tiny_encoder):
    splits = {"train": labelled(*"abcd"), "dev": labelled(*"wxyz", prefix="v")}
    config = config_of(tmp_path, tiny_encoder, {"t": Y}, d=splits)
    raw = config.model_dump(mode="json")
    raw["datasets"]["d"]["limit"] = 3
    (note,) = [n for n in load_data(RunConfig.model_validate(raw)).notes if n.topic == "unseen"]
    assert (note.level, note.count, note.of) == ("serious", 3, 3)


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        (["Sport", "sport", "news"], [["Sport", "sport"]]),
        (["a b", "a  b", " a b", "c"], [["a b", "a  b", " a b"]]),
        (["caf\u00e9", "cafe\u0301", "tea"], [["caf\u00e9", "cafe\u0301"]]),  # NFC and NFD
        (["\uff21", "a", "b"], [["\uff21", "a"]]),  # full width
        (["01", "1", "2"], []),  # may be codes
        (["a.0", "a", "-1.0", "-1"], [["-1.0", "-1"]]),
        (["a", "b"], []),
    ],
)
def test_labels_that_differ_only_in_writing(tmp_path, tiny_encoder, labels, groups):
    # As lists of one label, which tables take as they are.
    rows = [{"text": f"w {n}", "y": [label]} for n, label in enumerate(labels)]
    task = {"kind": "multilabel", "dataset": "d", "column": "y"}
    notes = notes_on(tmp_path, tiny_encoder, {"t": task}, d={"train": rows, "dev": rows})
    count = sum(map(len, groups))
    assert of_kind(notes, "alike") == ([("d", "", count, len(labels))] if groups else [])
    (text,) = [note.text for note in notes if note.topic == "alike"] or [""]
    assert all(repr(name) in text for group in groups for name in group)


def test_labels_of_dev_alone_are_compared_too(tmp_path, tiny_encoder):
    splits = {"train": labelled("yes", "no"), "dev": labelled("yes", "No", prefix="v")}
    assert of_kind(notes_on(tmp_path, tiny_encoder, {"t": Y}, d=splits), "alike") == [
        ("d", "", 2, 3)
    ]


@pytest.mark.parametrize(
    ("kind", "values", "is_single"),
    [
        ("classification", ["a", "a"], True),
        ("classification", ["a", None], True),
        ("classification", ["a", "b"], False),
        ("regression", [1.5, 1.5], True),
        ("regression", [1.5, 2.5], False),
        ("multilabel", [["a"], ["a"]], True),
        ("multilabel", [["a"], []], False),
        ("tagging", [["O"], ["O"]], True),
        ("tagging", [["O"], ["B-x"]], False),
    ],
)
def test_a_task_whose_train_has_one_label(tmp_path, tiny_encoder, kind, values, is_single):
    rows = [{"text": f"w{number}", "y": value} for number, value in enumerate(values)]
    task = {"kind": kind, "dataset": "d", "column": "y"}
    notes = notes_on(tmp_path, tiny_encoder, {"t": task}, d={"train": rows, "dev": rows})
    assert [note.level for note in notes if note.topic == "single"] == ["serious"] * is_single


def test_labels_seen_once_are_named_in_part(tmp_path, tiny_encoder):
    splits = {"train": labelled(*"aabcdef"), "dev": labelled("a", prefix="v")}
    (note,) = [
        note
        for note in notes_on(tmp_path, tiny_encoder, {"t": Y}, d=splits)
        if note.topic == "once"
    ]
    assert note.line == "d: task 't': 5 of 6 labels stand once in train: 'b', 'c', 'd' and 2 more"
    assert note.level == "hint"


def test_half_of_the_rows_without_a_label_are_told(tmp_path, tiny_encoder):
    splits = {
        "train": labelled("a", "b", None),
        "dev": labelled("a", "b", None, None, prefix="v"),
        "test": labelled(None, None, prefix="u"),
    }
    notes = notes_on(tmp_path, tiny_encoder, {"t": Y}, d=splits)
    assert of_kind(notes, "unlabelled") == [("d", "dev", 2, 4), ("d", "test", 2, 2)]


def test_tasks_on_the_same_rows_share_the_note_on_a_small_dev(tmp_path, tiny_encoder):
    rows = [{"text": f"w {n}", "y": "ab"[n % 2], "z": "cd"[n % 2]} for n in range(40)]
    tasks = {name: Y | {"column": name} for name in "yz"}
    notes = notes_on(tmp_path, tiny_encoder, tasks, d={"train": rows, "dev": rows})
    told = [note.line for note in notes if note.topic == "small"]
    assert told == ["d [dev]: 40 rows, so that one row is 2.5 points of a score"]
    rows = [row | {"z": row["z"] if number else None} for number, row in enumerate(rows)]
    notes = notes_on(tmp_path, tiny_encoder, tasks, d={"train": rows, "dev": rows})
    told = [note.line for note in notes if note.topic == "small"]
    assert told == [
        "d [dev]: task 'y': 40 rows, so that one row is 2.5 points of a score",
        "d [dev]: task 'z': 39 rows, so that one row is 2.6 points of a score",
    ]


def test_clean_data_has_no_notes(tmp_path, tiny_encoder):
    splits = {split: labelled(*"abcd" * 30, prefix=split) for split in ("train", "dev", "test")}
    assert notes_on(tmp_path, tiny_encoder, {"t": Y}, d=splits) == []
    kinds = {"intent": "classification", "slots": "tagging"}
    sample = {
        "encoder": {"name": str(tiny_encoder)},
        "datasets": {"d": {"kind": "sample"}},
        "tasks": {n: {"kind": kind, "dataset": "d", "column": n} for n, kind in kinds.items()},
    }
    assert load_data(RunConfig.model_validate(sample)).notes == ()


def test_hostile_and_long_labels_make_lines_that_can_be_shown(tmp_path, tiny_encoder):
    names = [*MARKUP, *(text for text, _ in STEERING.values() if text.isprintable()), "x" * 5000]
    rows = [{"text": f"w {n}", "y": [name, "a"]} for n, name in enumerate(names)]
    dev = [{"text": f"v {n}", "y": [f"{name}!"]} for n, name in enumerate(names)]
    task = {"kind": "multilabel", "dataset": "d", "column": "y"}
    splits = {"train": rows, "dev": [*dev, rows[0]]}
    notes = notes_on(tmp_path, tiny_encoder, {"t": task}, d=splits)
    assert {"once", "unseen"} <= {note.topic for note in notes}
    for note in notes:
        assert note.line.isprintable()
        assert len(note.line) < 400
