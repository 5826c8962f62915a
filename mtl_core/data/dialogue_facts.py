"""What is known of a task-oriented dialogue beside its words: goal, states, bookings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import TypeAdapter

State = Mapping[str, Mapping[str, str]]
"""Domain -> slot -> value; `a|b` stands for values of which either is right."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user wants of one domain.

    Attributes:
        wanted: Slot -> value that the venue has to have.
        asked: Slots that the system has to tell, `reference` for a booking.
    """

    wanted: dict[str, str]
    asked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FactsOfTurn:
    """What is known at one turn of the system.

    Attributes:
        state: What the user has said so far, by domain.
        domains: The domains that the turn is about.
    """

    state: dict[str, dict[str, str]]
    domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DialogueFacts:
    """What scores of a dialogue need to know of it.

    Attributes:
        goal: Domain -> what the user wants of it.
        booked: Domains that were booked in the dialogue as it was held.
        turns: One entry for each turn of the system.
    """

    goal: dict[str, Wish]
    booked: tuple[str, ...]
    turns: tuple[FactsOfTurn, ...]

    def to_json(self) -> str:
        """Returns the facts as JSON, by which they are kept beside encoded rows."""
        return _adapter().dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "DialogueFacts":
        """Reads what `to_json` wrote."""
        return _adapter().validate_json(text)


@cache
def _adapter() -> "TypeAdapter[DialogueFacts]":
    from pydantic import TypeAdapter

    return TypeAdapter(DialogueFacts)


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
