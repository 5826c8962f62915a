"""Which trials are scored on test, each once in the life of a study."""

from scorings import scoring_of
from trials import record

from tuning.run.stages.scoring import result_of, unscored
from tuning.study.history import History
from tuning.study.scored import Model, Scoring
from tuning.trainers.messages import Scored


def test_a_model_that_was_deleted_is_made_again() -> None:
    history = History([record(3, "complete", 0.5)])
    before = Scoring(tests={"0003": None}, model=Model("0003"))
    assert unscored(history, before, has_model=True) == []
    assert unscored(history, before, has_model=False) == [history["0003"]]


def test_scores_on_unseen_rows_stay_with_their_trial() -> None:
    history = History([record(0, "complete", 0.5), record(1, "complete", 0.6)])
    scored = {
        one: Scored({"combined": 0.5}, 10, unseen={"combined": score})
        for one, score in (("0000", 0.25), ("0001", 0.125))
    }
    result = result_of(history, scoring_of(history, scored), objective="mean", seconds=3.0)
    assert result.best is not None
    assert result.default is not None
    assert (result.best.unseen, result.default.unseen) == ({"combined": 0.125}, {"combined": 0.25})


def test_best_and_default_are_scored_once() -> None:
    history = History([record(0, "complete", 0.5), record(1, "stopped", 0.6)])
    wanted = ["0001", "0000"]
    assert [one.id for one in unscored(history, Scoring(), has_model=False)] == wanted
    first = {one: Scored({"combined": 0.25}, worth_in_rows=100) for one in wanted}
    scoring = scoring_of(history, first)
    assert unscored(history, scoring, has_model=True) == []
    history.note(record(2, "complete", 0.7))
    assert [one.id for one in unscored(history, scoring, has_model=True)] == ["0002"]
    scoring = scoring_of(history, {"0002": Scored({"combined": 0.5}, 0)}, scoring)
    later = result_of(history, scoring, objective="mean", seconds=9.0)
    assert (later.model, later.test_rows) == ("0002", 100)
    assert later.tests == {
        "0000": {"combined": 0.25},
        "0001": {"combined": 0.25},
        "0002": {"combined": 0.5},
    }
    # What was the best once is so again, without a second look at test.
    history.note(record(2, "failed", 0.7))
    assert unscored(history, scoring, has_model=True) == [history["0001"]]  # for its model


def test_each_time_that_test_is_opened_for_others_is_kept() -> None:
    once = Scoring().opened("2026-01-01", "0001", ("0001", "0000"))
    # A driver that was killed goes on; the model is made again.
    assert once.opened("2026-01-02", "0001", ("0000",)) == once
    twice = once.opened("2026-01-03", "0002", ("0002",))
    assert [one.chosen for one in twice.choices] == ["0001", "0002"]
    assert len(twice.opened("2026-01-04", "0002", ("0003",)).choices) == 3
