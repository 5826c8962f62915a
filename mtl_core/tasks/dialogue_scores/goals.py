"""Whether the replies of a dialogue give its user what the goal wants: inform and success."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mtl_core.data.dialogue_facts import DialogueFacts, FactsOfTurn, Wish
from mtl_core.tasks.dialogue_scores.databases import DOMAINS, Databases, slot_name

_BY_NAME = "[name]"
_BY_ID = "[trainid]"
_TOLD = ("phone", "address", "postcode", "reference", "trainid")
"""Slots that success looks for; each stands in replies as [slot]."""


class Reached(NamedTuple):
    """What the replies of a dialogue reached.

    Attributes:
        inform: Whether every venue that was offered in the end is one that the user wants.
        success: Whether the user also got all that was asked for.
    """

    inform: bool
    success: bool


def reached(facts: DialogueFacts, replies: Sequence[str], databases: Databases) -> Reached:
    """Returns what delexicalised replies reach, judged as in Nekvinda and Dusek 2021.

    https://aclanthology.org/2021.gem-1.4/; states and domains are those of the data ("policy
    optimization").

    Args:
        facts: The goal of the dialogue, and its states.
        replies: The reply at each turn of the system, with placeholders such as [name]. Where there
            are fewer than turns, as in a dialogue that was cut, they are those of the last turns.
        databases: The venues.
    """
    turns = facts.turns[len(facts.turns) - len(replies) :]
    pairs = [(turn, reply.lower()) for turn, reply in zip(turns, replies, strict=True)]
    informed = all(
        _is_informed(domain, wish, pairs, databases) for domain, wish in facts.goal.items()
    )
    told = all(
        {*map(slot_name, wish.asked)} & {*_TOLD} <= _told(domain, pairs, facts.booked)
        for domain, wish in facts.goal.items()
    )
    return Reached(informed, informed and told)


def _is_informed(
    domain: str, wish: Wish, pairs: Sequence[tuple[FactsOfTurn, str]], databases: Databases
) -> bool:
    # Taxis, the police and hospitals have no database, and who names a venue knows it.
    if domain not in DOMAINS or "name" in wish.wanted:
        return True
    offer = _last_offer(domain, pairs, databases)
    if offer is None:
        # A train is found by its times; its id has to be told to those alone who ask for it.
        return domain == "train" and "trainid" not in map(slot_name, wish.asked)
    return offer <= databases.matching(domain, wish.wanted)


def _last_offer(
    domain: str, pairs: Sequence[tuple[FactsOfTurn, str]], databases: Databases
) -> frozenset[int] | None:
    """Returns the venues that the replies offer in the end; None = they offer none.

    Which one a placeholder stands for is not known: it is any that fits the state.
    """
    shown = _BY_ID if domain == "train" else _BY_NAME
    offer: frozenset[int] | None = None
    for turn, reply in pairs:
        if domain not in turn.domains or shown not in reply:
            continue
        found = databases.matching(domain, turn.state.get(domain, {}))
        # An earlier offer that still fits stays: it is the narrower one.
        if found and not (offer and offer <= found):
            offer = found
    return offer


def _told(domain: str, pairs: Sequence[tuple[FactsOfTurn, str]], booked: Sequence[str]) -> set[str]:
    """Returns the slots that are told while the domain is active."""
    replies = [reply for turn, reply in pairs if domain in turn.domains]
    told = {slot for slot in _TOLD if any(f"[{slot}]" in reply for reply in replies)}
    # Nothing was booked where the data have no booking, whatever the reply says.
    return told if domain in booked else told - {"reference"}


def shares(found: Sequence[Reached]) -> Mapping[str, float]:
    """Returns the shares of dialogues that inform and succeed, in [0, 1]; NaN without any."""
    count = len(found)
    if not count:
        return {"inform": float("nan"), "success": float("nan")}
    return {
        "inform": sum(one.inform for one in found) / count,
        "success": sum(one.success for one in found) / count,
    }
