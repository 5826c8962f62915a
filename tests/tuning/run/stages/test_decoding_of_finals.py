"""A model that is decoded with what was found for it: who is the best, and what is scored when."""

from dataclasses import replace
from pathlib import Path

from scorings import scoring_of
from simulated_study import SimulatedStudy, next_report
from trials import record

from mtl_core.training.decoded import Decoded, Judged, Taken, Tried
from mtl_core.training.report import Report, best_report
from tuning.records import TrialRecord
from tuning.report.decoding import decoding_section
from tuning.report.replay import replay_overrides
from tuning.run.stages.scoring import FinalSearch, result_of, unscored
from tuning.study.final_scores import final_scores
from tuning.study.history import History
from tuning.study.recorder import note_decoded
from tuning.study.result import Result, read_result, write_result
from tuning.study.scored import Scoring, read_scoring, write_scoring
from tuning.trainers.messages import Scored
from tuning.trainers.tune_values import TrialResult

KEY = "tasks.slots.decoding"
SEARCH = FinalSearch("abc", (), 60.0)


def found(number: int, score: float | None, searched: str = "abc") -> Decoded:
    """What was found on the model of a report, whose objective is then this score."""
    taken = None
    if score is not None:
        dev = {"intent": {"accuracy": score}}
        taken = Taken({KEY: "viterbi"}, {KEY: "viterbi"}, {KEY: "argmax"}, dev, 0.75, score)
    return Decoded(
        number=number, searched=searched, tried=[Tried({KEY: "viterbi"}, 0.125)],
        judged=Judged(50, 0.25, 0.375), taken=taken, seconds=0.5,
    )  # fmt: skip


def decoded(one: TrialRecord, what: Decoded) -> TrialRecord:
    *before, last = one.reports
    return replace(one, reports=(*before, replace(last, decoded=what)))


def test_the_best_report_has_the_scores_that_its_model_has_in_the_end() -> None:
    plain = record(1, "complete", 0.5, 0.6, 0.4)
    one = decoded(plain, found(2, 0.7))
    assert one.best is not None
    assert (one.best.number, one.best.combined, one.best.joint_accuracy) == (2, 0.7, 0.75)
    assert one.best.dev == {"intent": {"accuracy": 0.7}}
    assert one.as_trained.best == plain.best
    # Nothing was taken, or it is of weights that are not the best ones any more.
    for what in (found(2, None), found(1, 0.9)):
        assert best_report(decoded(plain, what).reports) == plain.reports[1]


def test_the_best_trial_is_that_of_the_best_decoding_and_the_default_stays_as_it_is() -> None:
    records = [record(0, "complete", 0.6), record(1, "complete", 0.65)]
    history = History([decoded(records[0], found(1, 0.7)), records[1]])
    assert history.best is not None
    assert history.best.id == "0000"
    assert history.default == records[0]
    assert unscored(history, Scoring(), has_model=False) == [history.best]
    scored = {"0000": Scored({"combined": 0.5}, 10, own={"combined": 0.25})}
    scoring = scoring_of(history, scored)
    result = result_of(history, scoring, objective="mean", seconds=1.0)
    assert result.best is not None
    assert result.default is not None
    assert (result.best.trial, result.default.trial) == ("0000", "0000")
    assert (result.best.test, result.default.test) == ({"combined": 0.5}, {"combined": 0.25})
    assert (result.best.dev["combined"], result.default.dev["combined"]) == (0.7, 0.6)
    assert result.tests == {"0000": {"combined": 0.25}, "0000+decoding": {"combined": 0.5}}
    assert unscored(history, scoring, has_model=True) == []


def test_what_was_found_is_kept_with_the_result(tmp_path: Path) -> None:
    study = SimulatedStudy(tmp_path, scheduler={"kind": "none"}, trials=1)
    history = History([decoded(record(1, "complete", 0.65), found(1, 0.7))])
    scored = {"0001": Scored(None, 0)}  # There is no test split.
    scoring = scoring_of(history, scored)
    result = result_of(history, scoring, objective="mean", seconds=1.0)
    write_result(study.folder, result)
    write_scoring(study.folder, scoring)
    kept = read_result(study.folder)
    assert kept.best == result.best
    assert kept.best is not None
    assert kept.best.decoding is not None
    assert kept.best.decoding.settings == {KEY: "viterbi"}
    assert (kept.best.decoding.dev, kept.best.decoding.test) == (0.65, None)
    assert kept.tests == {"0001": None, "0001+decoding": None}
    assert read_scoring(study.folder, Result()) == scoring
    # Older versions have the result alone.
    study.folder.scored.unlink()
    for known in (scoring, read_scoring(study.folder, kept)):
        assert unscored(history, known, has_model=True) == []
        # The model in best/ is decoded otherwise.
        other = History([record(1, "complete", 0.65)])
        assert [one.id for one in unscored(other, known, has_model=True)] == ["0001"]
    assert replay_overrides("fp32", history.best) == {KEY: "viterbi"}


def test_the_best_is_searched_where_its_trial_was_not() -> None:
    stopped = record(1, "stopped", 0.65)
    for one, is_wanted in (
        (stopped, True),
        (decoded(stopped, found(1, None, "other")), True),
        (decoded(stopped, found(1, None)), False),
    ):
        history = History([one])
        scored = {"0001": Scored({"combined": 0.5}, 0)}
        scoring = scoring_of(history, scored)
        assert bool(unscored(history, scoring, has_model=True, search=SEARCH)) is is_wanted
        assert unscored(history, scoring, has_model=True) == []


def test_what_is_found_afterwards_stands_in_the_last_report(tmp_path: Path) -> None:
    study = SimulatedStudy(tmp_path, scheduler={"kind": "none"}, trials=2, epochs=2)
    assert study.run()
    history = study.history
    best = history.best
    assert best is not None
    assert best.best is not None
    note_decoded(study.folder, history, best.id, found(best.best.number, 0.9))
    assert study.history[best.id].reports == history[best.id].reports
    assert history.best is not None
    assert history.best.best is not None
    assert history.best.best.combined == 0.9
    assert history.tried_on_models("abc") == [Tried({KEY: "viterbi"}, 0.125)]
    assert history.tried_on_models("other") == []


class Decoding(SimulatedStudy):
    """Trainers whose search finds the more the worse a model is."""

    def results(self, spec: object, delivered: int) -> object:
        for told in super().results(spec, delivered):  # type: ignore[arg-type]
            yield TrialResult(_with(told.report), True) if told.is_last else told


def _with(report: Report) -> Report:
    best = report.best_combined
    return replace(report, decoded=found(report.best_number, best + (1 - best) * 0.9))


def test_optuna_is_told_what_a_trial_is_ranked_by(tmp_path: Path) -> None:
    scheduler = {"kind": "asha"}
    study = Decoding(tmp_path, scheduler=scheduler, trials=8, epochs=9)
    assert study.run()
    states = set()
    for trial, one in zip(study.journal, study.history, strict=True):
        states.add(one.status)
        assert one.best is not None
        reported = one.as_trained.best
        assert reported is not None
        if one.status == "complete":
            assert trial.value == one.best.combined > reported.combined
        else:
            assert trial.value == one.best.combined == reported.combined
        # Between trials that run and those that ended it compares as they were trained.
        assert list(trial.intermediate_values.values()) == [
            report.best_combined for report in one.reports
        ]
    assert states == {"complete", "stopped"}


def test_a_driver_that_is_killed_at_the_end_of_a_trial_loses_nothing(tmp_path: Path) -> None:
    scheduler = {"kind": "none"}
    whole = Decoding(tmp_path / "whole", scheduler=scheduler, trials=2, epochs=2)
    assert whole.run()
    for place in range(20, 60, 4):
        study = Decoding(tmp_path / str(place), scheduler=scheduler, trials=2, epochs=2)
        study.run(kill_at=place)
        assert study.run()
        assert study.told() == whole.told()


def test_the_report_says_what_was_found_what_it_gains_and_what_it_took() -> None:
    one = replace(decoded(record(1, "complete", 0.65), found(1, 0.7)), seconds=50.0)
    other = replace(record(2, "stopped", 0.1), seconds=50.0)
    tests = {"0001": {"combined": 0.5}, "0001+decoding": {"combined": 0.53125}}
    title, cost, table, gains = decoding_section(final_scores(one, tests), [one, other])
    assert title == "## Settings of decoding"
    assert cost == (
        "Searched without training, on the models of 1 of 2 trials: 1 setting in 0.5 s, 0.5 % of "
        "the time of all trials."
    )
    assert table.splitlines()[2] == "| `tasks.slots.decoding` | `viterbi` | `argmax` |"
    assert gains == (
        "On the 50 examples of dev that did not choose them the model scores 37.50 with them "
        "against 25.00 with the recipe's own: +12.50 points. On all of dev the model scores 70.00 "
        "with them against 65.00 with the recipe's own: +5.00 points. On test the model scores "
        "53.12 with them against 50.00 with the recipe's own: +3.12 points."
    )
    kept = decoded(one, found(1, None))
    [*_, said] = decoding_section(final_scores(kept, {}), [kept])
    assert said.startswith("On the best model no others beat the recipe's own")
    assert decoding_section(final_scores(other, {}), [other]) == []
    assert next_report((), 0.5).decoded is None


def test_the_time_of_searches_counts_for_the_same_search_alone() -> None:
    records = [record(number, "complete", 0.5) for number in range(4)]
    history = History(
        [
            decoded(records[0], found(1, 0.7)),
            decoded(records[1], found(1, None)),
            decoded(records[2], found(1, 0.7, "other")),
            records[3],
        ]
    )
    assert history.searched_s("abc") == 0.5 + 0.5
    assert history.searched_s("other") == 0.5
    assert history.searched_s("none") == 0
