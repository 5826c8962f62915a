"""What scores of a task-oriented dialogue know of it beside its words."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FACTS = "facts"
"""The column that holds the facts of each dialogue, as JSON."""
Venues = tuple[int, ...]
"""Numbers of venues, which compare within one domain of one dialogue alone: venues that fit the
same of its states and goals share one."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user wants of one domain.

    Attributes:
        venues: The venues that fit; None = any, as none is to be found.
        asked: Slots that the system has to tell, by the names of placeholders in replies.
        needs_offer: Whether a venue has to be offered at all.
    """

    venues: Venues | None
    asked: tuple[str, ...]
    needs_offer: bool = True


@dataclass(frozen=True, slots=True)
class DialogueFacts:
    """What scores of a dialogue know of it.

    Attributes:
        goal: Domain -> what the user wants of it.
        booked: Domains that were booked in the dialogue as it was held.
        turns: For each turn of the system: domain that it is about -> the venues that fit what the
            user has said so far.
    """

    goal: dict[str, Wish]
    booked: tuple[str, ...]
    turns: tuple[dict[str, Venues], ...]

    def to_json(self) -> str:
        """Returns the facts as JSON, by which they are kept beside encoded rows."""
        return _adapter().dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "DialogueFacts":
        """Reads what `to_json` wrote.

        Raises:
            ValueError: It is something else.
        """
        return _adapter().validate_json(text)


@cache
def _adapter() -> "TypeAdapter[DialogueFacts]":
    from pydantic import TypeAdapter

    return TypeAdapter(DialogueFacts)
