"""Which trials are scored on test, each once in the life of a study."""

from trials import record

from tuning.run.stages.finals import result_of, unscored
from tuning.study.final_scores import FinalScores
from tuning.study.history import History
from tuning.study.result import Result
from tuning.trainers.messages import Scored


def test_a_model_that_was_deleted_is_made_again() -> None:
    history = History([record(3, "complete", 0.5)])
    before = Result(best=FinalScores("0003", {}, {"combined": 0.5}, test=None))
    assert unscored(history, before, has_model=True) == []
    assert unscored(history, before, has_model=False) == [history["0003"]]


def test_scores_on_unseen_rows_stay_with_their_trial() -> None:
    history = History([record(0, "complete", 0.5), record(1, "complete", 0.6)])
    scored = {
        one: Scored({"combined": 0.5}, 10, unseen={"combined": score})
        for one, score in (("0000", 0.25), ("0001", 0.125))
    }
    first = result_of(history, Result(), scored, objective="mean", seconds=3.0)
    # Another session scores nothing anew.
    for result in (first, result_of(history, first, {}, objective="mean", seconds=4.0)):
        assert result.best is not None
        assert result.default is not None
        assert (result.best.unseen, result.default.unseen) == (
            {"combined": 0.125},
            {"combined": 0.25},
        )


def test_best_and_default_are_scored_once() -> None:
    history = History([record(0, "complete", 0.5), record(1, "stopped", 0.6)])
    wanted = ["0001", "0000"]
    assert [one.id for one in unscored(history, Result(), has_model=False)] == wanted
    scored = {one: Scored({"combined": 0.25}, worth_in_rows=100) for one in wanted}
    result = result_of(history, Result(), scored, objective="mean", seconds=3.0)
    assert unscored(history, result, has_model=True) == []
    history.note(record(2, "complete", 0.7))
    assert [one.id for one in unscored(history, result, has_model=True)] == ["0002"]
    later = result_of(
        history, result, {"0002": Scored({"combined": 0.5}, 0)}, objective="mean", seconds=9.0
    )
    assert (later.model, later.test_rows) == ("0002", 100)
    assert later.tests == {
        "0000": {"combined": 0.25},
        "0001": {"combined": 0.25},
        "0002": {"combined": 0.5},
    }
    # What was the best once is so again, without a second look at test.
    history.note(record(2, "failed", 0.7))
    assert unscored(history, later, has_model=True) == [history["0001"]]  # for its model
