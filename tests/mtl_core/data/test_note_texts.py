"""Notes as people read them: the order, and the names and shares in them."""

import pytest
from hostile import STEERING

from mtl_core.data.notes import DataNote, SplitNotes, by_importance, listed, percent


def test_the_most_important_comes_first_and_equals_keep_their_order():
    notes = SplitNotes("dev")
    for number, level in enumerate(["hint", "serious", "warning", "serious"]):
        notes.add("x", str(number), level=level)
    assert [note.text for note in by_importance(notes.found)] == ["1", "3", "2", "0"]
    assert [DataNote.from_json(note.to_json()) for note in notes.found] == notes.found


def test_names_are_listed_in_quotes_shortened_and_in_part():
    assert listed(["a"]) == "'a'"
    assert listed(list("abcde")) == "'a', 'b', 'c' and 2 more"
    assert listed(["x" * 100]) == f"'{'x' * 37}...'"
    for text, _ in STEERING.values():
        assert listed([f"{text}\n"]).isprintable()


@pytest.mark.parametrize(
    ("count", "of", "text"), [(3, 5, "60 %"), (1, 40, "2.5 %"), (5, 5, "100 %")]
)
def test_shares_for_people(count, of, text):
    assert percent(count, of) == text
