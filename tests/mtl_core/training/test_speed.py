"""How long a prediction takes: measured before training, which it does not change."""

from dataclasses import replace

import pytest
from conftest import RunConfigFactory
from times import all_timeless

from mtl_core.data.store import EncodedDataset
from mtl_core.training import speed
from mtl_core.training.loop import train
from mtl_core.training.report import Report


def test_reports_say_it_when_asked_and_are_the_same_otherwise(
    run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config({"training.epochs": 2, "freezing": {"kind": "encoder"}})
    seen: list[EncodedDataset] = []
    measure = speed.ms_per_sentence

    def spied(model: object, tasks: object, datasets: dict, **settings: object) -> float:
        seen.extend(datasets.values())
        return measure(model, tasks, datasets, **settings)

    monkeypatch.setattr("mtl_core.training.run.ms_per_sentence", spied)

    def plain_ones(reports: list[Report]) -> list[Report]:
        return [replace(one, ms_per_sentence=None) for one in all_timeless(reports)]

    asked, plain = list(train(config, times_predictions=True)), list(train(config))
    assert plain_ones(asked) == plain_ones(plain)
    assert {one.ms_per_sentence for one in plain} == {None}
    [found] = {one.ms_per_sentence for one in asked}
    assert found is not None
    assert 0 < found < 1000
    # On rows as they were read: with kept states of the frozen encoder hardly anything is computed.
    assert seen
    assert all(split.frozen is None for one in seen for split in one.splits.values())
