"""The files of MultiWOZ: turns with acts, spans and states, whichever version wrote them.

2.1 has it all in each dialogue, in one object {dialogue: {goal, log}} (`data.json`, and `val.json`
of ConvLab-2), or as JSON lines with `turns`; spans count words. 2.2 keeps dialogues in
`dialogues_NNN.json`, and acts in `dialog_acts.json`; spans count characters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from mtl_core.data.example import CharSpan
from mtl_core.data.formats.json_files import find, get_key, short, sound_rows
from mtl_core.data.formats.spans import check_spans
from mtl_core.data.formats.text_files import EmptyTextError, read_json
from mtl_core.errors import DataError

Speaker = Literal["user", "system"]
SLOTS = {
    **dict.fromkeys(("Addr", "address"), "address"),
    **dict.fromkeys(("Arrive", "Leave", "Time", "Open"), "time"),
    **dict.fromkeys(("arriveby", "leaveat", "booktime", "duration", "openhours"), "time"),
    **dict.fromkeys(("Choice", "choice"), "value_count"),
    **dict.fromkeys(("Car", "Type", "type"), "type"),
    **dict.fromkeys(("Day", "day", "bookday"), "day"),
    **dict.fromkeys(("Depart", "departure"), "departure"),
    **dict.fromkeys(("Dest", "destination"), "destination"),
    **dict.fromkeys(("Fee", "Ticket", "price", "entrancefee"), "price"),
    **dict.fromkeys(("Id", "trainid"), "trainid"),
    **dict.fromkeys(("People", "people", "bookpeople"), "people"),
    **dict.fromkeys(("Post", "postcode"), "postcode"),
    **dict.fromkeys(("Price", "pricerange"), "pricerange"),
    **dict.fromkeys(("Ref", "ref"), "reference"),
    **dict.fromkeys(("Stay", "stay", "bookstay"), "stay"),
}
"""Slots of acts, as 2.1 (capital letters) and 2.2 call them -> what both are called here.

Others are called the same, in lower case.
"""
ACTS_FILE = "dialog_acts.json"
"""Where 2.2 keeps the acts of all its dialogues, in the folder of the folders of the splits."""
_NOT_SAID = ("", "not mentioned", "none")
"""What logs of 2.1 have at slots that nobody has said."""
Row = tuple[str, Any]
"""Place and content of a dialogue."""
Acts = Mapping[str, Any]
"""Dialogue -> number of a turn -> its acts and spans, as in `ACTS_FILE`."""


@dataclass(frozen=True, slots=True)
class WozTurn:
    """A turn of a dialogue.

    Attributes:
        speaker: Who speaks.
        text: What is said.
        acts: Its dialogue acts, such as `Hotel-Inform`; () = it was not annotated.
        spans: Values of slots in the text, by the names of `SLOTS`; none overlap.
    """

    speaker: Speaker
    text: str
    acts: tuple[str, ...]
    spans: tuple[CharSpan, ...]


def read_dialogues(path: Path) -> list[Row]:
    """Returns place and content of the dialogues of a file, of which each has a list of turns.

    Raises:
        DataError: The file cannot be read, or a row of it is no dialogue.
    """
    rows = sound_rows(path)
    if len(rows) == 1 and _is_of_logs(rows[0][1]):
        rows = [(f"{path}: {name}", _with_turns(name, of)) for name, of in rows[0][1].items()]
    for where, row in rows:
        get_key(row, "turns", list, where)
    return rows


def _is_of_logs(row: Any) -> bool:
    return isinstance(row, dict) and bool(row) and all(find(one, "log") for one in row.values())


def _with_turns(name: str, dialogue: Any) -> dict[str, Any]:
    """Returns a dialogue of 2.1 that has a log as one that has turns."""
    # The user begins, and both take turns: the log does not say who speaks.
    turns = [
        {
            "speaker": "system" if number % 2 else "user",
            "text": find(turn, "text"),
            "acts": find(turn, "dialog_act"),
            "spans": find(turn, "span_info"),
            "state": dict(_slots_of(find(turn, "metadata"))),
        }
        for number, turn in enumerate(get_key(dialogue, "log", list, name))
    ]
    return {"id": name, "goal": find(dialogue, "goal"), "turns": turns}


def _slots_of(metadata: Any) -> Iterator[tuple[str, str]]:
    """Yields slot and value of a state as the logs of 2.1 have it."""
    for domain, parts in metadata.items() if isinstance(metadata, dict) else ():
        for part, prefix in (("semi", ""), ("book", "book ")):
            for slot, value in (find(parts, part) or {}).items():
                # At `booked` is what was booked, and no wish.
                if isinstance(value, str) and value not in _NOT_SAID:
                    yield f"{domain}-{prefix}{slot.lower()}", value


def acts_for(path: Path, rows: Sequence[Row], given: Path | None) -> Acts:
    """Returns the acts of the dialogues of a file that does not have them itself, as in 2.2.

    Args:
        path: The file.
        rows: Its dialogues.
        given: Where the acts are; None = in `ACTS_FILE` beside the file or a folder above it.

    Raises:
        DataError: There is no such file, or it is no object.
    """
    if not any(_is_version_22(row) for _, row in rows):
        return {}
    found = given or acts_beside(path)
    if found is None:
        raise DataError(
            f"{path}: its turns have no acts, and there is no {ACTS_FILE} beside it or a folder "
            "above; `acts: PATH` says where it is"
        )
    return read_object(found)


def acts_beside(path: Path) -> Path | None:
    """Returns the file of the acts that lies beside a file of dialogues, or a folder above it."""
    places = (folder / ACTS_FILE for folder in (path.parent, path.parent.parent))
    return next((place for place in places if place.is_file()), None)


@lru_cache(maxsize=2)
def read_object(path: Path) -> Mapping[str, Any]:
    """Returns the object that a JSON file holds.

    It is kept for the other files of a split, until `cache_clear`: there are 17 of train, which
    share one.

    Raises:
        DataError: The file cannot be read, or holds no object.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected an object {{dialogue: ...}}, found {short(content)}")
    return content


def name_of(row: Any) -> str:
    """Returns the name of a dialogue, as all files agree on it; "" = it has none."""
    return str(find(row, "dialogue_id") or find(row, "id") or "").removesuffix(".json")


def speaker_of(turn: Any, where: str) -> Speaker:
    """Returns who speaks at a turn.

    Raises:
        DataError: It does not say.
    """
    said = get_key(turn, "speaker", str, where).lower()
    if said not in ("user", "system"):
        raise DataError(f"{where}: expected user or system at 'speaker', found '{said}'")
    return "user" if said == "user" else "system"


def text_of(turn: Any, where: str) -> str:
    """Returns what is said at a turn, with single blanks where spans count words.

    Raises:
        EmptyTextError: Nothing is said.
        DataError: There is no text.
    """
    is_22 = "utterance" in turn
    text: str = get_key(turn, "utterance" if is_22 else "text", str, where)
    if not text.strip():
        raise EmptyTextError(f"{where}: expected a text, found an empty one")
    return text if is_22 else " ".join(text.split())


def turn_at(row: Any, number: int, acts: Acts, where: str) -> WozTurn:
    """Returns a turn of a dialogue.

    Args:
        row: The dialogue.
        number: The number of the turn, from 0.
        acts: See `acts_for`.
        where: What errors begin with.

    Raises:
        DataError: The turn cannot be read.
    """
    turn = row["turns"][number]
    speaker, text = speaker_of(turn, where), text_of(turn, where)
    if _is_version_22(row):
        name = get_key(row, "dialogue_id", str, where)
        of_turn = (acts.get(name) or acts.get(name_of(row)) or {}).get(str(number)) or {}
        found, spans = find(of_turn, "dialog_act"), find(of_turn, "span_info")
        places = list(_char_spans(spans or [], where))
    else:
        found, spans = find(turn, "acts"), find(turn, "spans")
        places = list(_word_spans(spans or [], text, where))
    names = tuple(found) if isinstance(found, Mapping | list) else ()
    # Some end before they begin: annotators' slips, of which a text of 100,000 words has a few.
    sound = [span for span in places if 0 <= span.start < span.end <= len(text)]
    return WozTurn(speaker, text, names, check_spans(text, sound, overlaps="longest"))


def state_at(row: Any, number: int) -> dict[str, dict[str, str]]:
    """Returns the state at a turn of the system: domain -> slot -> value."""
    turns = row["turns"]
    flat: dict[str, Any] = dict(find(turns[number], "state") or {})
    if _is_version_22(row) and number:
        for frame in find(turns[number - 1], "frames") or []:
            flat |= find(frame, "state.slot_values") or {}
    state: dict[str, dict[str, str]] = {}
    for key, value in flat.items():
        domain, _, slot = key.partition("-")
        values = value if isinstance(value, list) else [value]
        state.setdefault(domain, {})[slot] = "|".join(map(str, values))
    return state


def _is_version_22(row: Any) -> bool:
    return isinstance(row, dict) and "dialogue_id" in row


def _char_spans(spans: Sequence[Any], where: str) -> Iterator[CharSpan]:
    for span in spans:
        match span:
            case [_, str(slot), _, int(start), int(end)]:
                yield CharSpan(start, end, slot_of(slot))
            case _:
                raise DataError(
                    f"{where}: expected spans [act, slot, value, start, end], found {short(span)}"
                )


def _word_spans(spans: Sequence[Any], text: str, where: str) -> Iterator[CharSpan]:
    starts, ends, place = [], [], 0
    for word in text.split(" "):
        starts.append(place)
        ends.append(place + len(word))
        place = ends[-1] + 1
    for first, last, slot in _char_spans(spans, where):  # here they count words, the last included
        if 0 <= first <= last < len(ends):
            yield CharSpan(starts[first], ends[last], slot)


def slot_of(name: str) -> str:
    """Returns what a slot of an act is called here; see `SLOTS`."""
    return SLOTS.get(name, name.lower())
