"""Viterbi decoding against all sequences written out, and against pytorch-crf."""

from itertools import pairwise, product

import torch
from torchcrf import CRF

from mtl_core.tasks.viterbi import FORBIDDEN, bio_penalties, viterbi

TAGS = ("B-x", "B-y", "I-x", "I-y", "O")


def test_the_best_of_all_sequences_is_found() -> None:
    torch.manual_seed(0)
    scores, steps, end = torch.randn(1, 4, 3), torch.randn(4, 3), torch.randn(3)

    def total(path: tuple[int, ...]) -> float:
        value = steps[0, path[0]] + end[path[-1]]
        value += sum(scores[0, word, tag] for word, tag in enumerate(path))
        return float(value + sum(steps[a + 1, b] for a, b in pairwise(path)))

    best = max(product(range(3), repeat=4), key=total)
    found = viterbi(scores, torch.ones(1, 4, dtype=torch.bool), steps, end)
    assert tuple(found[0].tolist()) == best


def test_sentences_of_different_length_equal_pytorch_crf() -> None:
    torch.manual_seed(1)
    crf = CRF(5, batch_first=True)
    scores = torch.randn(6, 7, 5)
    lengths = torch.tensor([7, 1, 3, 5, 7, 2])
    mask = torch.arange(7) < lengths[:, None]
    steps = torch.cat([crf.start_transitions[None], crf.transitions])
    found = viterbi(scores, mask, steps, crf.end_transitions)
    ours = [row[:length].tolist() for row, length in zip(found, lengths, strict=True)]
    assert ours == crf.decode(scores, mask)


def test_a_tag_inside_follows_only_its_own_span() -> None:
    penalties = bio_penalties(TAGS)
    allowed = {
        (before, tag)
        for row, before in enumerate(("start", *TAGS))
        for column, tag in enumerate(TAGS)
        if penalties[row, column] > FORBIDDEN
    }
    inside = {(before, tag) for before, tag in allowed if tag.startswith("I-")}
    assert inside == {("B-x", "I-x"), ("I-x", "I-x"), ("B-y", "I-y"), ("I-y", "I-y")}
    assert {(before, "O") for before in ("start", *TAGS)} <= allowed


def test_decoded_tags_are_always_bio() -> None:
    torch.manual_seed(2)
    scores = torch.randn(50, 9, 5)
    found = viterbi(scores, torch.ones(50, 9, dtype=torch.bool), bio_penalties(TAGS))
    for row in found.tolist():
        tags = [TAGS[number] for number in row]
        for before, tag in zip(["O", *tags], tags, strict=False):
            assert not tag.startswith("I-") or before[1:] == tag[1:]
