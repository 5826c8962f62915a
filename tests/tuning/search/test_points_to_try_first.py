"""Points that a study file wants to be tried: in order, each once, also after a kill."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from pydantic import TypeAdapter

from tuning.search.points import Points
from tuning.search.samplers.tpe import TpeSection
from tuning.space.space import Entry, Space
from tuning.study.journal import open_optuna

SPACE = Space(
    TypeAdapter(dict[str, Entry]).validate_python(
        {
            "rate": {"log_range": [1e-5, 1e-3]},
            "size": {"ordered": [16, 32, 64]},
            "freezing": {
                "choice": [{"kind": "none"}, {"kind": "lower", "layers": {"int_range": [1, 5]}}]
            },
        }
    )
)
WHOLE = {"rate": 2e-4, "size": 2, "freezing.kind": "lower", "freezing.lower.layers": 5}
FIRST = [WHOLE, {"freezing.kind": "lower"}, {"rate": 3e-4}]
OWN = {"rate": 1e-4, "size": 32, "freezing.kind": "none"}


def opened(journal: Path, first: list = FIRST) -> tuple[Points, optuna.Study]:
    study = open_optuna(journal, name="a", sampler=TpeSection().build(7, SPACE))
    return Points(study, SPACE, total=9, default_parameters=OWN, first=first), study


def overrides_of(journal: Path) -> list[dict]:
    return [trial.user_attrs["overrides"] for trial in opened(journal)[1].trials]


@pytest.fixture
def expected(tmp_path: Path) -> list[dict]:
    """What an undisturbed study tries."""
    points, _ = opened(tmp_path / "expected")
    while points.draw():
        pass
    return overrides_of(tmp_path / "expected")


def test_they_come_right_after_trial_0_and_what_they_lack_is_drawn(expected: list[dict]) -> None:
    assert len(expected) == 9
    own, whole, lower, rate, *others = expected
    assert own == {}
    assert whole == {"rate": 2e-4, "size": 64, "freezing": {"kind": "lower", "layers": 5}}
    assert lower["freezing"]["kind"] == "lower"
    assert 1 <= lower["freezing"]["layers"] <= 5
    assert 1e-5 <= lower["rate"] <= 1e-3
    assert rate["rate"] == 3e-4
    assert all(point["rate"] not in (2e-4, 3e-4) for point in others)


def test_what_is_drawn_behind_them_is_what_is_drawn_without_them(
    tmp_path: Path, expected: list[dict]
) -> None:
    # A trial's draw hangs on its number and on trials that have ended, and none has here.
    points, _ = opened(tmp_path / "other", [])
    while points.draw():
        pass
    assert overrides_of(tmp_path / "other")[4:] == expected[4:]


@pytest.mark.parametrize("killed_at", range(5))
def test_a_driver_killed_between_queueing_and_asking_loses_none(
    tmp_path: Path, expected: list[dict], killed_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "j"
    points, study = opened(journal)
    for _ in range(killed_at):
        points.draw()

    def killed(*args: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "ask", killed)
    with pytest.raises(KeyboardInterrupt):
        points.draw()
    points, study = opened(journal)
    waiting = [trial.number for trial in study.trials if trial.state == TrialState.WAITING]
    assert waiting == ([killed_at] if killed_at <= len(FIRST) else [])
    for run_id in points.waiting:
        points.take_up(run_id)
    while points.draw():
        pass
    assert overrides_of(journal) == expected


@pytest.mark.parametrize("lines", range(1, 6))
def test_a_driver_killed_in_the_middle_of_a_point_goes_on_with_it(
    tmp_path: Path, expected: list[dict], lines: int
) -> None:
    journal = tmp_path / "j"
    points, _ = opened(journal)
    points.draw()
    begun = journal.read_bytes()
    points.draw()
    # Of the lines about the first point some reached the disk.
    behind = journal.read_bytes()[len(begun) :].splitlines(keepends=True)
    journal.write_bytes(begun + b"".join(behind[:lines]))
    points, _ = opened(journal)
    for run_id in points.waiting:
        points.take_up(run_id)
    while points.draw():
        pass
    assert overrides_of(journal) == expected
