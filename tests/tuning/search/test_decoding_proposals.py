"""What is proposed to trained models: small spaces whole, of larger ones what was best first."""

import math
import pickle
from collections.abc import Mapping, Sequence

import pytest
from pydantic import TypeAdapter

from mtl_core.training.decoded import Tried
from mtl_core.training.decoding_search import Proposal
from tuning.search.decoding import SpaceProposer
from tuning.space.entries import Entry

CHOICE = {"tasks.a.decoding": {"choice": ["argmax", "viterbi"]}}
RANGE = {"tasks.a.thresholds": {"range": [0.0, 1.0]}}
SECTIONS = {
    "tasks.a.decoding": {
        "choice": [{"kind": "greedy"}, {"kind": "beam", "beams": {"int_range": [2, 40]}}]
    }
}


def proposer(search: Mapping[str, object], *, tries: int = 8, **own: object) -> SpaceProposer:
    entries = TypeAdapter(dict[str, Entry]).validate_python(search)
    settings = {key.replace("__", "."): value for key, value in own.items()}
    # As it comes to a worker.
    return pickle.loads(pickle.dumps(SpaceProposer(entries, own=settings, tries=tries)))  # type: ignore[arg-type]


def proposed(
    one: SpaceProposer, gain: object = lambda _: 0.0, known: Sequence[Tried] = (), seed: int = 0
) -> list[Proposal]:
    found, proposals = [], one.proposals(known, seed=seed)
    while (proposal := proposals.ask()) is not None:
        found.append(proposal)
        proposals.tell(proposal, gain(proposal.settings))  # type: ignore[operator]
    return found


def test_a_small_space_is_tried_whole_but_for_the_own_settings() -> None:
    found = proposed(proposer({**CHOICE, "tasks.b.max_answer": {"int_range": [3, 5]}}))
    assert len({str(one.settings) for one in found}) == len(found) == 6
    [other] = proposed(proposer(CHOICE, tasks__a__decoding="argmax"))
    assert other.settings == other.parameters == {"tasks.a.decoding": "viterbi"}


def test_what_was_best_on_other_models_comes_first() -> None:
    key = "tasks.a.decoding"
    known = [
        Tried({key: "argmax"}, 0.3),
        Tried({key: "argmax"}, -0.5),
        Tried({key: "viterbi"}, 0.1),
        Tried({key: "viterbi"}, math.nan),
    ]
    assert [one.settings[key] for one in proposed(proposer(CHOICE), known=known)] == [
        "viterbi",
        "argmax",
    ]
    far = [Tried({"tasks.a.thresholds": 0.31}, 0.2), Tried({"tasks.a.thresholds": 0.9}, -0.1)]
    first, *others = proposed(proposer(RANGE), known=far)
    assert first.settings == {"tasks.a.thresholds": 0.31}
    assert len(others) == 7


def test_nothing_is_first_where_nothing_was_better_than_the_own_settings() -> None:
    known = [Tried({"tasks.a.thresholds": 0.9}, -0.1)]
    assert proposed(proposer(RANGE), known=known)[0].settings != {"tasks.a.thresholds": 0.9}


def test_trial_after_trial_comes_nearer_to_the_best() -> None:
    """Six models with four tries each; the best threshold is 0.3 on all of them."""

    def gain(settings: Mapping[str, float]) -> float:
        return 0.25 - abs(settings["tasks.a.thresholds"] - 0.3)

    known: list[Tried] = []
    for _ in range(6):
        found = proposed(proposer(RANGE, tries=4), gain, known)
        assert len(found) == 4
        known += [Tried(one.point, gain(one.settings)) for one in found]  # type: ignore[arg-type]
    points = [one.point["tasks.a.thresholds"] for one in known]
    assert abs(points[-4] - 0.3) < 0.03  # type: ignore[operator]
    # Nothing is drawn twice; the best so far is tried on each model again.
    assert len(set(points)) > 18


def test_sections_are_drawn_with_what_stands_inside() -> None:
    found = proposed(proposer(SECTIONS, tries=12, tasks__a__decoding__kind="greedy"))
    assert len(found) == 12
    for one in found:
        section = one.settings["tasks.a.decoding"]
        assert isinstance(section, dict)
        assert section["kind"] == "greedy" or 2 <= section["beams"] <= 40
        assert one.parameters["tasks.a.decoding.kind"] == section["kind"]
    again = proposed(proposer(SECTIONS, tries=12, tasks__a__decoding__kind="greedy"))
    assert again == found
    # What was drawn on one model is understood on the next one.
    known = [Tried(one.point, 0.1 * number) for number, one in enumerate(found)]
    assert proposed(proposer(SECTIONS, tries=3), known=known)[0].settings == found[-1].settings


def test_a_space_of_which_all_was_tried_on_a_model_ends() -> None:
    space = {"tasks.a.max_answer": {"int_range": [1, 6]}}
    assert 4 <= len(proposed(proposer(space, tries=5))) <= 5


@pytest.mark.parametrize(
    ("other", "is_same"),
    [(RANGE, True), (CHOICE, False), ({"tasks.a.thresholds": {"range": [0.0, 0.9]}}, False)],
)
def test_what_is_searched_is_known_by_its_hash(other: Mapping[str, object], is_same: bool) -> None:
    found = proposer(RANGE).searched == proposer(other, tries=3).searched
    assert found is is_same
