"""What is known of a dialogue of MultiWOZ: venues of its databases, and facts worked by hand."""

from pathlib import Path
from typing import Any

import pytest
from dialogues import GOAL, VENUES, version_21, write_21, write_22, write_databases, write_log
from formats import SECTIONS, read

from mtl_core.data.dialogue_facts import DialogueFacts, Wish
from mtl_core.data.example import ColumnKind
from mtl_core.data.formats.multiwoz_databases import Databases
from mtl_core.data.formats.multiwoz_facts import active_domains, facts_of
from mtl_core.errors import DataError

DATABASES = Databases(VENUES)
COLUMNS: dict[str, ColumnKind] = {"replies": "target", "facts": "target"}


def test_facts_of_a_hand_worked_dialogue() -> None:
    found = facts_of(version_21(), GOAL, {}, DATABASES, "here")
    # Trains from 9:30 on are TR1 and TR2, for the goal as for the last state: they share a number.
    assert found == DialogueFacts(
        {"hotel": Wish((0,), ("phone", "reference")), "train": Wish((0,), ("trainid",))},
        ("hotel", "train"),
        ({"hotel": (0,)}, {"hotel": (0,), "train": (0,)}),
    )
    assert DialogueFacts.from_json(found.to_json()) == found


def test_numbers_keep_what_is_a_part_of_what() -> None:
    goal = {"hotel": {"info": {"area": "centre", "type": "hotel"}}}
    states = [{"hotel-area": "centre"}, {"hotel-type": "hotel"}, {"hotel-area": "north"}]
    turns = [{"speaker": "system", "text": "yes", "state": state} for state in states]
    found = facts_of({"turns": turns}, goal, {}, DATABASES, "here")
    centre, hotel, north = ({*turn["hotel"]} for turn in found.turns)
    wanted = set(found.goal["hotel"].venues or ())
    assert wanted < centre
    assert wanted < hotel
    assert not centre <= hotel
    assert not hotel <= centre
    assert north < hotel
    assert not north & centre


def test_some_domains_have_no_venue_to_find() -> None:
    goal: dict[str, Any] = {
        "hotel": {"info": {"name": "the old inn"}},
        "taxi": {"info": {"leaveAt": "9:00"}, "reqt": ["car type", "phone"]},
        "train": {"info": {"destination": "leeds"}, "reqt": ["price"]},
    }
    found = facts_of({"turns": []}, goal, {}, DATABASES, "here").goal
    assert found["hotel"] == Wish(None, ())
    assert found["taxi"] == Wish(None, ("phone",))
    assert found["train"] == Wish((0,), (), needs_offer=False)


def test_where_no_state_changes_a_turn_is_about_what_the_one_before_was() -> None:
    hotel, train = {"hotel": {"area": "north"}}, {"train": {"day": "monday"}}
    both = hotel | train
    found = active_domains([{}, hotel, hotel, both, both, both | {"hotel": {"area": "south"}}])
    assert found == [(), ("hotel",), ("hotel",), ("train",), ("train",), ("hotel",)]


def test_all_versions_have_the_same_facts(tmp_path: Path) -> None:
    databases = write_databases(tmp_path / "db")
    first = read(write_21(tmp_path / "val.jsonl"), "multiwoz", COLUMNS, databases=databases)
    logs = write_log(tmp_path / "data.json")
    assert read(logs, "multiwoz", COLUMNS, databases=databases) == first
    new = write_22(tmp_path / "MultiWOZ_2.2")
    assert read(new, "multiwoz", COLUMNS, databases=databases, goals=logs) == first


def test_facts_need_databases_and_goals(tmp_path: Path) -> None:
    path = write_22(tmp_path / "MultiWOZ_2.2")
    with pytest.raises(DataError, match=r"inform and success need `databases: FOLDER`, with rest"):
        read(path, "multiwoz", COLUMNS)
    databases = write_databases(tmp_path / "db")
    with pytest.raises(DataError, match=r"which have none; `goals: data\.json` takes them"):
        read(path, "multiwoz", COLUMNS, databases=databases)
    raw = {"kind": "multiwoz", "splits": {"train": str(path), "dev": 0.5}}
    section = SECTIONS.validate_python({**raw, "databases": str(tmp_path)})
    with pytest.raises(DataError, match=r"databases: .*restaurant_db\.json: there is no") as error:
        section.check_files("run.datasets.d")
    assert len(error.value.lines) == 4


@pytest.mark.parametrize(
    ("domain", "wanted", "expected"),
    [
        ("train", {"leaveAt": "09:30", "destination": "Ely"}, {1, 2}),
        ("train", {"arriveBy": "10:20", "destination": "ely"}, {0, 1}),
        ("train", {"leaveat": "10:00|11:00"}, {1, 2, 3}),
        ("train", {"leaveat": "in the morning", "book people": "3"}, {0, 1, 2, 3}),
        ("hotel", {"type": "guest house"}, {1}),
        ("hotel", {"area": "center", "type": "dontcare"}, {0, 1}),
        ("hotel", {"area": "centre|north", "name": "Old Inn"}, {0}),
        ("hotel", {"area": "do n't care"}, {0, 1, 2}),
        ("restaurant", {"food": "portugese"}, {0}),
        ("attraction", {"type": "swimming pool", "area": "north"}, {0}),
        ("attraction", {"type": "museum", "area": "west"}, {1}),  # nobody knows where it is
        ("attraction", {"type": "castle"}, set()),
    ],
)
def test_venues_are_found_however_values_are_written(
    domain: str, wanted: dict[str, str], expected: set[int]
) -> None:
    assert DATABASES.matching(domain, wanted) == expected


@pytest.mark.parametrize("content", ["{}", "[1]", "["])
def test_databases_that_are_none_are_told(content: str, tmp_path: Path) -> None:
    folder = write_databases(tmp_path / "db")
    (folder / "train_db.json").write_text(content)
    with pytest.raises(DataError, match=r"train_db\.json(:1)?: (expected a list of|not JSON)"):
        Databases.read(folder)
