"""A dialogue written by hand, as MultiWOZ 2.1 and 2.2 have it, and venues to talk about."""

import json
from pathlib import Path
from typing import Any

GOAL = {
    "hotel": {"info": {"area": "centre", "type": "hotel"}, "reqt": ["phone"], "book": {"day": "x"}},
    "train": {"info": {"destination": "ely", "leaveAt": "9:30"}, "reqt": ["trainID", "price"]},
    "topic": {"hotel": True},
    "message": "You want a hotel.",
}
TURNS: list[dict[str, Any]] = [
    {
        "speaker": "user",
        "text": "A hotel in the  centre of town , please .",
        "acts": {"Hotel-Inform": [["Area", "centre"]]},
        "spans": [["Hotel-Inform", "Area", "centre", 4, 6]],
    },
    {
        "speaker": "system",
        "text": "The Old Inn is at 01223 12 . Book it ?",
        "acts": {
            "Hotel-Recommend": [["Name", "The Old Inn"]],
            "Booking-Inform": [["none", "none"]],
        },
        "spans": [
            ["Hotel-Recommend", "Phone", "01223 12", 5, 6],
            ["Hotel-Recommend", "Name", "The Old Inn", 0, 2],
            ["Hotel-Recommend", "Name", "Inn", 2, 2],
            ["Hotel-Recommend", "Area", "none", 7, 3],
        ],
        "state": {"hotel-area": "centre", "hotel-type": "hotel"},
    },
    {"speaker": "user", "text": "Yes , and a train to Ely after 9:30 .", "acts": {}, "spans": []},
    {
        "speaker": "system",
        "text": "Booked , it is AB12 . TR1 leaves 10:00 .",
        "acts": {"Booking-Book": [["Ref", "AB12"]], "Train-Inform": [["Id", "TR1"]]},
        "spans": [
            ["Booking-Book", "Ref", "AB12", 4, 4],
            ["Train-Inform", "Id", "TR1", 6, 6],
            ["Train-Inform", "Leave", "10:00", 8, 8],
        ],
        "state": {
            "hotel-area": "centre",
            "hotel-type": "hotel",
            "hotel-book day": "monday",
            "train-destination": "ely",
            "train-leaveat": "09:30",
        },
    },
]
REPLIES = (
    "[name] is at [phone] . book it ?",
    "booked , it is [reference] . [trainid] leaves [time] .",
)
VENUES: dict[str, list[dict[str, Any]]] = {
    "hotel": [
        {"name": "the old inn", "area": "centre", "type": "hotel", "phone": "1"},
        {"name": "the new inn", "area": "centre", "type": "guesthouse", "phone": "2"},
        {"name": "the far inn", "area": "north", "type": "hotel", "phone": "3"},
    ],
    "train": [
        {"trainID": "TR0", "destination": "ely", "leaveAt": "09:00", "arriveBy": "09:20"},
        {"trainID": "TR1", "destination": "ely", "leaveAt": "10:00", "arriveBy": "10:20"},
        {"trainID": "TR2", "destination": "ely", "leaveAt": "11:00", "arriveBy": "11:20"},
        {"trainID": "TR3", "destination": "leeds", "leaveAt": "11:00", "arriveBy": "12:20"},
    ],
    "restaurant": [{"name": "nandos", "food": "portuguese", "area": "south"}],
    "attraction": [
        {"name": "the pool", "type": "swimmingpool", "area": "north"},
        {"name": "the museum", "type": "museum", "area": "?"},
    ],
}


def version_21(name: str = "MUL1", **more: Any) -> dict[str, Any]:
    """Returns the dialogue as a line of the files of 2.1."""
    return {"id": name, "goal": GOAL, "turns": TURNS, **more}


def write_21(path: Path, count: int = 1, *, first: int = 0) -> Path:
    """Writes the dialogue under several names, as JSON lines."""
    lines = [json.dumps(version_21(f"MUL{number}")) for number in range(first, first + count)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_log(path: Path, count: int = 1) -> Path:
    """Writes the dialogue under several names, as `data.json` of 2.1 has it."""
    log = []
    for turn in TURNS:
        metadata: dict[str, Any] = {}
        for key, value in turn.get("state", {}).items():
            domain, _, slot = key.partition("-")
            of = metadata.setdefault(domain, {"semi": {"name": ""}, "book": {"booked": []}})
            part = "book" if slot.startswith("book ") else "semi"
            of[part][slot.removeprefix("book ")] = value
        log.append(
            {
                "text": turn["text"],
                "dialog_act": turn["acts"],
                "span_info": turn["spans"],
                "metadata": metadata,
            }
        )
    every = {f"MUL{number}.json": {"goal": GOAL, "log": log} for number in range(1, 1 + count)}
    path.write_text(json.dumps(every), encoding="utf-8")
    return path


def write_22(folder: Path) -> Path:
    """Writes the dialogue as 2.2 has it, with its acts; returns its file."""
    acts: dict[str, Any] = {}
    turns = []
    for number, turn in enumerate(TURNS):
        text = " ".join(turn["text"].split())
        frames = []
        if number + 1 < len(TURNS) and "state" in TURNS[number + 1]:
            values: dict[str, dict[str, list[str]]] = {}
            for slot, value in TURNS[number + 1]["state"].items():
                of = values.setdefault(slot.partition("-")[0], {})
                of[slot.replace("book ", "book")] = [value, value.title()]
            frames = [
                {"service": one, "state": {"slot_values": found}} for one, found in values.items()
            ]
        speaker = turn["speaker"].upper()
        turns.append(
            {"speaker": speaker, "turn_id": str(number), "utterance": text, "frames": frames}
        )
        # By hand in 2.1 they count words; here the characters of the same words.
        words = text.split(" ")
        spans = [
            [
                act,
                slot,
                value,
                len(" ".join([*words[:one], ""])),
                len(" ".join(words[: last + 1])),
            ]
            for act, slot, value, one, last in turn["spans"]
        ]
        acts[str(number)] = {"dialog_act": turn["acts"], "span_info": spans}
    (folder / "dev").mkdir(parents=True)
    (folder / "dialog_acts.json").write_text(json.dumps({"MUL1.json": acts}))
    (folder / "data.json").write_text(json.dumps({"MUL1.json": {"goal": GOAL, "log": []}}))
    path = folder / "dev" / "dialogues_001.json"
    path.write_text(json.dumps([{"dialogue_id": "MUL1.json", "services": [], "turns": turns}]))
    return path


def write_databases(folder: Path) -> Path:
    """Writes the venues as the four files of MultiWOZ."""
    folder.mkdir(exist_ok=True)
    for domain, venues in VENUES.items():
        (folder / f"{domain}_db.json").write_text(json.dumps(venues))
    return folder
