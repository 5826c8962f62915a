"""What a report says of trials that took over the weights of others."""

from dataclasses import replace

from trials import record

from tuning.records import TakenOver, TrialRecord
from tuning.report.lineage import lineage_section, replay_note


def taken_over(*scores: float) -> TrialRecord:
    """Trial 7, which took over after its second report: half the rate, the double weight."""
    before = {"rate": 2e-4}, {"rate": 2e-4, "weight": 1.0, "kind": "none"}
    now = {"rate": 1e-4, "weight": 2.0, "kind": "none"}
    made = record(7, "complete", *scores)
    past = (TakenOver(2, "0003", before),)
    return replace(made, overrides={"rate": 1e-4}, parameters=now, taken_over=past)


def test_a_table_says_who_took_over_from_whom_and_with_what() -> None:
    assert lineage_section([record(1, "complete", 0.5)]) == []
    title, table = lineage_section([record(1, "complete", 0.5), taken_over(0.1, 0.2, 0.3)])
    assert title == "## Trials that took over the weights of others"
    assert table.splitlines()[2:] == ["| 0007 | 2 | 0003 | `rate` `0.0001`, `weight` `2` |"]


def test_a_replay_is_said_to_be_another_model_only_where_it_is() -> None:
    [said] = replay_note(taken_over(0.1, 0.2, 0.3))
    assert said.startswith("Trial 0007 took over weights from 0003 (after report 2). The command")
    # Its best report came before: the recipe up to there is what the command trains.
    early = taken_over(0.1, 0.4, 0.3)
    assert replay_note(early) == []
    assert early.best_recipe == ({"rate": 2e-4}, {"rate": 2e-4, "weight": 1.0, "kind": "none"})
    assert taken_over(0.1, 0.2, 0.3).best_recipe[0] == {"rate": 1e-4}
    assert replay_note(record(1, "complete", 0.5)) == replay_note(None) == []
