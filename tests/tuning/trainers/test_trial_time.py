"""A limit on the time of a whole trial: who fails by it, and when."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from conftest import RunConfigFactory
from test_worker import Line, settings_of, train_job
from trials import report

from mtl_core.training.report import Report
from tuning.trainers import shelf
from tuning.trainers import worker as module
from tuning.trainers.messages import Failed, Reported
from tuning.trainers.worker import Worker

EPOCHS = 4
"""Of 10 s each."""


def sent_by(
    monkeypatch: pytest.MonkeyPatch,
    run_config: RunConfigFactory,
    limit: float | None,
    *,
    delivered: int = 0,
    others: tuple[bool, ...] = (),
) -> list[object]:
    """What a worker sends whose trial takes 10 s per epoch."""

    def train(*_: object, **__: object) -> Iterator[Report]:
        yield from (report(epoch, 0.5, seconds=10.0) for epoch in range(1, EPOCHS + 1))

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(shelf.Assets, "load", lambda *_, **__: None)
    run = run_config({"training.epochs": EPOCHS}).model_dump(mode="json")
    settings = replace(settings_of(run), trial_timeout_s=limit)
    gather = lambda value: [value, *others]  # noqa: E731
    place = SimpleNamespace(world_size=1 + len(others), rank=0, device="cpu", gather=gather)
    line = Line()
    Worker(settings, line, place).do(replace(train_job(3), delivered=delivered))
    return line.sent


@pytest.mark.parametrize(
    ("limit", "reports"), [(None, 4), (40.0, 4), (30.0, 4), (29.0, 3), (10.0, 2), (5.0, 1)]
)
def test_a_trial_fails_with_the_first_report_beyond_its_time(
    monkeypatch: pytest.MonkeyPatch, run_config: RunConfigFactory, limit: float | None, reports: int
) -> None:
    *told, last = sent_by(monkeypatch, run_config, limit)
    # The last report of a run is its end, however long it took.
    if limit is None or reports == EPOCHS:
        assert isinstance(last, Reported)
        assert len(told) == EPOCHS - 1
        return
    assert len(told) == reports
    assert last == Failed(
        f"TrainingError: its epochs took {10 * reports:.1f} s; study.trial_timeout_s is {limit:g}"
    )


def test_epochs_of_earlier_sessions_count(
    monkeypatch: pytest.MonkeyPatch, run_config: RunConfigFactory
) -> None:
    told = sent_by(monkeypatch, run_config, 25.0, delivered=2)
    assert [type(one) for one in told] == [Reported, Failed]


def test_one_worker_that_is_late_ends_the_run_for_all(
    monkeypatch: pytest.MonkeyPatch, run_config: RunConfigFactory
) -> None:
    told = sent_by(monkeypatch, run_config, 1000.0, others=(True,))
    assert [type(one) for one in told] == [Reported, Failed]
