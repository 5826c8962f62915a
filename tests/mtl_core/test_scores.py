"""Scores in tables and in JSON."""

import json
import math

from mtl_core.scores import ends_of, flatten, only_finite, show_difference, show_score
from mtl_core.training.report import Report

TREE = {"combined": 0.5, "words": {"accuracy": 0.25, "perplexity": 41.5, "a/perplexity": 40.0}}


def test_shares_are_shown_in_percent_and_others_as_they_are() -> None:
    shown = {name: show_score(name, value) for name, value in flatten(TREE).items()}
    assert shown == {
        "combined": "50.00",
        "words accuracy": "25.00",
        "words perplexity": "41.5",
        "words a/perplexity": "40",
    }
    assert show_score("rating mse", 0.5) == "0.5"
    assert show_score("words bits_per_byte", 1.25) == "1.25"
    assert [show_score("f1", value) for value in (None, math.nan)] == ["-", "-"]


def test_it_is_known_between_which_ends_scores_lie() -> None:
    shares = ("joint_accuracy", "intent/accuracy", "slots/snips/f1", "slots/f1/PER", "f1.bleu")
    assert {ends_of(name) for name in shares} == {(0, 1)}
    assert ends_of("rating/pearson") == (-1, 1)
    assert ends_of("rating/mse") == ends_of("words/bits_per_byte") == (0, math.inf)
    # exp of a mean loss that is never below 0
    assert ends_of("words/perplexity") == (1, math.inf)
    # What a task of its own kind reports may be anything, whatever the task is called.
    assert ends_of("f1/r2") == (-math.inf, math.inf)


def test_differences_have_a_sign() -> None:
    assert show_difference("intent.f1/PER", 0.013) == "+1.30"
    assert show_difference("words.perplexity", -2.25) == "-2.25"
    assert show_difference("f1", None) == "-"


def test_a_report_is_strict_json_also_without_a_joint_accuracy() -> None:
    report = Report(
        1, 1, 1.0, 4, {"a": 0.1}, {"a": 1.0}, {"encoder": 1e-4}, {"a": {"mse": 0.5, "r": math.nan}},
        math.nan, 0.5, 0.5, 1, 2.0, 30.0,
    )  # fmt: skip
    line = report.to_json()
    assert json.loads(line, parse_constant=lambda name: 1 / 0)["joint_accuracy"] is None
    again = Report.from_json(line)
    assert math.isnan(again.joint_accuracy)
    assert math.isnan(again.dev["a"]["r"])
    assert again.dev["a"]["mse"] == 0.5
    assert only_finite({"a": [math.nan, 1.0]}) == {"a": [None, 1.0]}
