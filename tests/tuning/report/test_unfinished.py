"""Studies interrupted behind their search: what test told is told, what is missing is named."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from baseline_sessions import MadeUpTrainers, session_of, study_of

from tuning.report.reading import read_whole
from tuning.report.render import render_report
from tuning.report.summary import Unfinished
from tuning.report.unfinished import how_far, known_so_far
from tuning.results.read import read_study
from tuning.study.final_scores import FinalScores
from tuning.study.result import Result
from tuning.study.status import read_status

FINALS = {"finals": {"recipes": 2, "seeds": 2}}
TODAY = date.today().isoformat()


OWN = {True: 2 * 2 + 4 * 2 + 4, False: 2 * 2 + 2}
"""Messages of the trainers before the baselines: reports of two trials of two epochs each, with a
final stage those of four runs, and the scores on test."""


@pytest.mark.parametrize("has_finals", [True, False])
def test_what_test_has_told_is_shown_once_all_of_it_is_known(
    has_finals: bool, tmp_path: Path
) -> None:
    section = FINALS if has_finals else {}
    own, whole = OWN[has_finals], MadeUpTrainers()
    finished = session_of(study_of(tmp_path / "whole", **section), whole)
    assert finished is not None
    assert finished.unfinished is None
    # Before the last score, before the first message of a baseline, and before the last one.
    for kill_at, is_known in ((own, False), (own + 1, True), (whole.messages, True)):
        trainers, storage = MadeUpTrainers(), tmp_path / str(kill_at)
        trainers.kill_at = kill_at
        assert session_of(study_of(storage, **section), trainers) is None
        found = read_study(storage / "both")
        assert found.status == "interrupted"
        assert found.verdict.startswith("This study is not finished: 2 of 2 trials have ended")
        assert (finished.verdict in found.verdict) == is_known
        assert (found.result.finals is not None) == (is_known and has_finals)
        if is_known:
            assert found.result.finals == finished.result.finals
            assert found.result.best == finished.result.best
            missing = (
                f"Test was opened on {TODAY}; the baselines of intent and slots are still missing; "
            )
            assert found.verdict.endswith(missing + "the same command goes on.")
        else:
            assert found.result.best is not None
            assert found.result.best.test is None
            told = (
                f"on dev; test was opened on {TODAY}, and what it told is shown when all is done."
            )
            assert found.verdict.endswith(told)


def test_the_report_shows_the_final_table_of_a_study_that_lacks_its_baselines(
    tmp_path: Path,
) -> None:
    trainers = MadeUpTrainers()
    trainers.kill_at = OWN[True] + 1
    assert session_of(study_of(tmp_path, **FINALS), trainers) is None
    text = render_report(read_whole(tmp_path / "both").summary)
    assert "2 of 2 trials have ended, and 4 of 4 runs of the final stage, and no driver" in text
    assert (
        f"Test was opened on {TODAY}; the baselines of `intent` and `slots` are still missing"
        in text
    )
    assert "## Final stage, in percent" in text
    assert "| score on test |" in text
    assert "test is opened when" not in text
    assert "## Best recipe\n" in text


def test_baselines_that_were_asked_for_since_are_missing(tmp_path: Path) -> None:
    done = session_of(study_of(tmp_path, baselines="none"), MadeUpTrainers())
    assert done is not None
    assert read_status(tmp_path / "both").state == "complete"
    again = MadeUpTrainers()
    again.kill_at = 1
    assert session_of(study_of(tmp_path), again) is None
    assert read_status(tmp_path / "both").state == "interrupted"
    assert (
        "the baselines of intent and slots are still missing"
        in read_study(tmp_path / "both").verdict
    )


def test_a_study_that_goes_on_to_more_trials_says_that_test_was_opened(tmp_path: Path) -> None:
    asked = {"baselines": "none", "search": {"optimizer.head_lr": {"log_range": [1e-4, 1e-2]}}}
    assert session_of(study_of(tmp_path, **asked), MadeUpTrainers()) is not None
    again = MadeUpTrainers()
    again.kill_at = 2
    assert session_of(study_of(tmp_path, trials=4, **asked), again) is None
    found = read_study(tmp_path / "both")
    assert found.best is not None
    assert found.best.test is None
    assert f"test was opened on {TODAY}, and what it told is shown when all is" in found.verdict


def test_words_of_an_unfinished_study() -> None:
    running = Unfinished(3, 3, "running", "mtl tune x", (4, 1))
    assert how_far(running) == (
        "This study is still running: 3 of 3 trials have ended, and 1 of 4 runs of the final stage."
    )
    assert known_so_far(running, Result()) == "No trial has reported a score yet."
    scored = replace(running, runs=(0, 0), is_scored=True, opened=("2026-01-02", "2026-02-03"))
    best = FinalScores("0000", {}, {"combined": 0.5}, {"combined": 0.5})
    told = known_so_far(scored, Result(best=best))
    opened = "Test was opened on 2026-01-02 and on 2026-02-03; all is scored, and the result is"
    # Its driver is at work, so there is no command to give.
    assert told.endswith(f"{opened} still to be written.")
