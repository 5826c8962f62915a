"""Inform, success and richness: dialogues worked by hand, and the public ones where they lie."""

import math
from pathlib import Path

import numpy as np
import pytest
from dialogues import REPLIES, VENUES, write_21, write_databases
from formats import read

from mtl_core.data.dialogue_facts import DialogueFacts, FactsOfTurn, Wish
from mtl_core.errors import DataError
from mtl_core.tasks.dialogue_scores.databases import Databases
from mtl_core.tasks.dialogue_scores.goals import reached, shares
from mtl_core.tasks.dialogue_scores.richness import richness

SHARED = Path(__file__).parents[4] / "shared" / "data"
DATABASES = Databases(VENUES)


def facts(
    goal: dict[str, Wish], *turns: dict[str, dict[str, str]], booked: tuple[str, ...] = ()
) -> DialogueFacts:
    """Returns facts whose every turn is about all domains of its state."""
    return DialogueFacts(goal, booked, tuple(FactsOfTurn(state, tuple(state)) for state in turns))


HOTEL = {"hotel": Wish({"area": "centre", "type": "hotel"}, ("phone",))}
VAGUE = {"hotel": {"area": "centre"}}  # two venues, of which one is a hotel
EXACT = {"hotel": {"area": "centre", "type": "hotel"}}


def test_the_dialogue_as_it_was_held_succeeds(tmp_path: Path) -> None:
    [row] = read(write_21(tmp_path / "val.jsonl"), "multiwoz", {"facts": "target"})
    found = DialogueFacts.from_json(str(row.labels["facts"]))
    databases = Databases.read(write_databases(tmp_path / "db"))
    assert reached(found, REPLIES, databases) == (True, True)
    # Without its number the booking is not told of; with neither hotel nor train nothing is.
    assert reached(found, [REPLIES[0], "[trainid]"], databases) == (True, False)
    assert reached(found, ["", ""], databases) == (False, False)


@pytest.mark.parametrize(
    ("states", "replies", "expected"),
    [
        ((EXACT,), ("[name] at [phone]",), (True, True)),
        ((EXACT,), ("[NAME]",), (True, False)),  # nobody said the phone
        ((EXACT,), ("it is at [phone]",), (False, False)),  # nothing was offered
        ((VAGUE,), ("[name] at [phone]",), (False, False)),  # a guesthouse, perhaps
        # The last offer counts; one that an offer before it is part of does not.
        ((VAGUE, EXACT), ("[name]", "[name] [phone]"), (True, True)),
        ((EXACT, VAGUE), ("[name]", "[name] [phone]"), (True, True)),
        ((EXACT, {"hotel": {"area": "north"}}), ("[name] [phone]", "[name]"), (False, False)),
        # Where no venue fits the state, the offer stays.
        ((EXACT, {"hotel": {"area": "west"}}), ("[name] [phone]", "[name]"), (True, True)),
        # What is shown while another domain is active is not of the hotel.
        ((EXACT, {"train": {}}), ("[name]", "[phone]"), (True, False)),
    ],
)
def test_an_offer_has_to_be_what_the_user_wants(
    states: tuple[dict[str, dict[str, str]], ...],
    replies: tuple[str, ...],
    expected: tuple[bool, bool],
) -> None:
    assert reached(facts(HOTEL, *states), replies, DATABASES) == expected


def test_a_reference_counts_where_the_data_book() -> None:
    goal = {"hotel": Wish({"area": "centre", "type": "hotel"}, ("reference",))}
    told = ["[name] : [reference]"]
    assert reached(facts(goal, EXACT, booked=("hotel",)), told, DATABASES) == (True, True)
    assert reached(facts(goal, EXACT), told, DATABASES) == (True, False)


def test_some_domains_need_no_offer() -> None:
    named = {"hotel": Wish({"name": "the old inn"}, ())}
    taxi = {"taxi": Wish({"destination": "ely"}, ("phone", "car type"))}
    assert reached(facts(named, {}), [""], DATABASES) == (True, True)
    assert reached(facts(taxi, {"taxi": {}}), ["[phone]"], DATABASES) == (True, True)
    assert reached(facts(taxi, {"taxi": {}}), [""], DATABASES) == (True, False)


def test_a_train_has_to_be_offered_where_it_is_asked_for() -> None:
    wanted = {"destination": "ely", "leaveAt": "09:30"}
    asked = {"train": Wish(wanted, ("trainID", "price"))}
    state = {"train": wanted}
    assert reached(facts({"train": Wish(wanted, ())}, state), ["at [time]"], DATABASES).inform
    assert not reached(facts(asked, state), ["at [time]"], DATABASES).inform
    assert reached(facts(asked, state), ["[trainid]"], DATABASES) == (True, True)
    early = {"train": {"destination": "ely", "leaveat": "8:00"}}
    assert not reached(facts(asked, early), ["[trainid]"], DATABASES).inform


def test_replies_of_a_dialogue_that_was_cut_are_its_last() -> None:
    found = facts(HOTEL, VAGUE, EXACT)
    assert reached(found, ["[name] [phone]"], DATABASES) == (True, True)


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


def test_databases_that_are_none_are_told(tmp_path: Path) -> None:
    folder = write_databases(tmp_path / "db")
    (folder / "train_db.json").write_text("{}")
    with pytest.raises(DataError, match=r"train_db\.json: expected a list of objects"):
        Databases.read(folder)
    (folder / "train_db.json").write_text("[")
    with pytest.raises(DataError, match=r"train_db\.json: expected JSON"):
        Databases.read(folder)
    (folder / "hotel_db.json").unlink()
    with pytest.raises(DataError, match=r"hotel_db\.json: there is no such file; .*train_db\.json"):
        Databases.read(folder)


def test_richness_of_a_hand_worked_case() -> None:
    # a b a b | c: of 5 words a and b are 2 each; a is followed by b alone, b by a alone.
    found = richness(["A b, a [b]", "c"])
    entropy = 2 * 2 / 5 * math.log2(5 / 2) + 1 / 5 * math.log2(5)
    assert found["entropy"] == pytest.approx(entropy)
    assert found["conditional_entropy"] == pytest.approx(0)
    assert (found["length"], found["unigrams"], found["bigrams"], found["trigrams"]) == (
        2.5,
        3,
        2,
        2,
    )
    assert math.isnan(found["msttr"])
    # Windows of 50: the first has 50 words, the second one, the rest is no window.
    words = [str(number) for number in range(50)] + ["x"] * 60
    assert richness([" ".join(words)])["msttr"] == pytest.approx((1 + 1 / 50) / 2)
    # a is followed by b and by c, as often: one bit, in two of three cases.
    assert richness(["a b", "a c", "d e"])["conditional_entropy"] == pytest.approx(2 / 3)
    assert math.isnan(richness([])["entropy"])


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_public_dialogues_have_the_shares_that_are_known_of_them(tmp_path: Path) -> None:
    """Measured with the algorithm of the reference: 91.7 and 86.7, random replies 52.5 and 7.5."""
    path = tmp_path / "first.jsonl"
    lines = (SHARED / "multiwoz21_val" / "val.jsonl").read_text(encoding="utf-8").split("\n")[:120]
    path.write_text("\n".join(lines), encoding="utf-8")
    rows = read(path, "multiwoz", {"facts": "target"})
    databases = Databases.read(SHARED / "multiwoz_db")
    known = [DialogueFacts.from_json(str(row.labels["facts"])) for row in rows]
    said = [[message.text for message in row.messages[1::2]] for row in rows]
    found = shares([reached(*pair, databases) for pair in zip(known, said, strict=True)])
    assert found["inform"] == pytest.approx(0.917, abs=0.01)
    assert found["success"] == pytest.approx(0.867, abs=0.01)
    every = [reply for replies in said for reply in replies]
    drawn = []
    for seed in range(5):
        mixed = iter(np.random.default_rng(seed).permutation(every).tolist())
        random = [[next(mixed) for _ in replies] for replies in said]
        drawn += [reached(*pair, databases) for pair in zip(known, random, strict=True)]
    found = shares(drawn)
    assert found["inform"] == pytest.approx(0.525, abs=0.06)
    assert found["success"] == pytest.approx(0.075, abs=0.06)
    rich = richness(every)
    assert rich["entropy"] == pytest.approx(7.13, abs=0.05)
    assert rich["conditional_entropy"] == pytest.approx(3.05, abs=0.15)
    assert rich["length"] == pytest.approx(16.0, abs=0.05)
    assert rich["msttr"] == pytest.approx(0.75, abs=0.005)
