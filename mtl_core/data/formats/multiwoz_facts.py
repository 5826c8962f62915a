"""The facts of dialogues of MultiWOZ: goals, states and bookings, held against its databases."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from mtl_core.data.dialogue_facts import DialogueFacts, Venues, Wish
from mtl_core.data.formats.json_files import find
from mtl_core.data.formats.multiwoz_databases import DOMAINS, Databases, slot_name
from mtl_core.data.formats.multiwoz_files import Acts, speaker_of, state_at, turn_at

_ASKED = ("phone", "address", "postcode", "trainid")
"""Slots of the requests of a goal that scores look for; a booking asks for its reference."""
State = Mapping[str, Mapping[str, str]]
"""Domain -> slot -> value."""


def facts_of(
    row: Any, goal: Mapping[str, Any], acts: Acts, databases: Databases, where: str
) -> DialogueFacts:
    """Returns what scores know of a dialogue.

    Args:
        row: The dialogue.
        goal: What its user wants, as MultiWOZ 2.1 has it.
        acts: The acts of its turns, where it does not have them itself.
        databases: The venues.
        where: What errors begin with.

    Raises:
        DataError: A turn cannot be read.
    """
    numbers = [n for n, turn in enumerate(row["turns"]) if speaker_of(turn, where) == "system"]
    states = [state_at(row, number) for number in numbers]
    active = active_domains(states)
    booked: set[str] = set()
    for number, domains in zip(numbers, active, strict=True):
        for act in turn_at(row, number, acts, where).acts:
            # Bookings of hotels and restaurants do not say of what they are; those of trains do.
            booked |= {*domains} if act == "Booking-Book" else set()
            booked |= {act.partition("-")[0].lower()} if act.endswith("-OfferBooked") else set()
    turns = [
        {domain: _matching(databases, domain, state.get(domain, {})) for domain in domains}
        for state, domains in zip(states, active, strict=True)
    ]
    wanted = {domain: of for domain, of in goal.items() if _is_wish(of)}
    fitting = {domain: _wanted(databases, domain, of) for domain, of in wanted.items()}
    return _numbered(
        {domain: _wish(domain, of) for domain, of in wanted.items()}, booked, fitting, turns
    )


def active_domains(states: Sequence[State]) -> list[tuple[str, ...]]:
    """Returns the domains that each turn is about: those whose state has changed.

    Where nothing has changed they are those of the turn before.

    Args:
        states: The state at each turn of the system.
    """
    found: list[tuple[str, ...]] = []
    before: State = {}
    for state in states:
        changed = tuple(domain for domain in state if state[domain] != before.get(domain))
        found.append(changed or (found[-1] if found else ()))
        before = state
    return found


def _is_wish(value: Any) -> bool:
    return isinstance(value, dict) and bool(value.keys() & {"info", "reqt"})


def _wish(domain: str, goal: Any) -> Wish:
    requests = {slot_name(str(slot)) for slot in find(goal, "reqt") or []}
    asked = [slot for slot in _ASKED if slot in requests]
    booking = ["reference"] if find(goal, "book") else []
    # A train is found by its times; its id has to be told to those alone who ask for it.
    return Wish(None, (*asked, *booking), domain != "train" or "trainid" in requests)


def _wanted(databases: Databases, domain: str, goal: Any) -> frozenset[int] | None:
    """Returns the venues that fit a goal; None where none is to be found."""
    wanted = {slot: str(value) for slot, value in (find(goal, "info") or {}).items()}
    # Taxis, the police and hospitals have no database, and who names a venue knows it.
    if domain not in DOMAINS or "name" in wanted:
        return None
    return databases.matching(domain, wanted)


def _matching(databases: Databases, domain: str, wanted: Mapping[str, str]) -> frozenset[int]:
    return databases.matching(domain, wanted) if domain in DOMAINS else frozenset()


def _numbered(
    goal: Mapping[str, Wish],
    booked: Set[str],
    fitting: Mapping[str, frozenset[int] | None],
    turns: Sequence[Mapping[str, frozenset[int]]],
) -> DialogueFacts:
    """Returns the facts with few numbers: venues that fit the same states and goals share one.

    What is a subset of what stays as it is, and a state that hundreds of trains fit becomes short.
    """

    def sets_of(domain: str) -> Iterator[frozenset[int]]:
        yield fitting.get(domain) or frozenset()
        yield from (turn[domain] for turn in turns if domain in turn)

    numbers: dict[str, dict[int, int]] = {}
    for domain in {*fitting, *(domain for turn in turns for domain in turn)}:
        sets = list(sets_of(domain))
        patterns: dict[tuple[bool, ...], int] = {}
        numbers[domain] = {
            venue: patterns.setdefault(tuple(venue in one for one in sets), len(patterns))
            for venue in sorted(frozenset[int]().union(*sets))
        }

    def numbered(domain: str, venues: frozenset[int]) -> Venues:
        return tuple(sorted({numbers[domain][venue] for venue in venues}))

    wishes = {
        domain: wish
        if (venues := fitting[domain]) is None
        else replace(wish, venues=numbered(domain, venues))
        for domain, wish in goal.items()
    }
    shown = tuple(
        {domain: numbered(domain, venues) for domain, venues in turn.items()} for turn in turns
    )
    return DialogueFacts(wishes, tuple(sorted(booked)), shown)
