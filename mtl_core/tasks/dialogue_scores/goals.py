"""Whether the replies of a dialogue give its user what the goal wants: inform and success."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mtl_core.data.dialogue_facts import DialogueFacts, Venues, Wish

_TOLD = ("phone", "address", "postcode", "reference", "trainid")
"""Slots that success looks for; each stands in replies as [slot]."""
_Turns = Sequence[tuple[Mapping[str, Venues], str]]
"""The domains of each turn, with the venues that fit; and its reply, in lower case."""


class Reached(NamedTuple):
    """What the replies of a dialogue reached.

    Attributes:
        inform: Whether every venue that was offered in the end is one that the user wants.
        success: Whether the user also got all that was asked for.
    """

    inform: bool
    success: bool


def reached(facts: DialogueFacts, replies: Sequence[str]) -> Reached:
    """Returns what delexicalised replies reach, judged as in Nekvinda and Dusek 2021.

    https://aclanthology.org/2021.gem-1.4/; states and domains are those of the data ("policy
    optimization").

    Args:
        facts: The goal of the dialogue, and its states.
        replies: The reply at each turn of the system, with placeholders such as [name]. Where there
            are fewer than turns, as in a dialogue that was cut, they are those of the last turns.
    """
    turns = facts.turns[len(facts.turns) - len(replies) :]
    pairs = [(turn, reply.lower()) for turn, reply in zip(turns, replies, strict=True)]
    informed = all(_is_informed(domain, wish, pairs) for domain, wish in facts.goal.items())
    told = all(
        {*wish.asked} <= _told(domain, pairs, is_booked=domain in facts.booked)
        for domain, wish in facts.goal.items()
    )
    return Reached(informed, informed and told)


def _is_informed(domain: str, wish: Wish, turns: _Turns) -> bool:
    if wish.venues is None:
        return True
    offer = _last_offer(domain, turns)
    return not wish.needs_offer if offer is None else offer <= {*wish.venues}


def _last_offer(domain: str, turns: _Turns) -> set[int] | None:
    """Returns the venues that the replies offer in the end; None = they offer none.

    Which one a placeholder stands for is not known: it is any that fits the state.
    """
    shown = "[trainid]" if domain == "train" else "[name]"
    offer: set[int] | None = None
    for domains, reply in turns:
        found = {*domains.get(domain, ())} if shown in reply else set()
        # An earlier offer that still fits stays: it is the narrower one.
        if found and not (offer and offer <= found):
            offer = found
    return offer


def _told(domain: str, turns: _Turns, *, is_booked: bool) -> set[str]:
    """Returns the slots that are told while the domain is active."""
    replies = [reply for domains, reply in turns if domain in domains]
    told = {slot for slot in _TOLD if any(f"[{slot}]" in reply for reply in replies)}
    # Nothing was booked where the data have no booking, whatever the reply says.
    return told if is_booked else told - {"reference"}
