"""The best recipe of a study with a final stage: its scores are means over the runs of that."""

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
from baseline_sessions import MadeUpTrainers, session_of, study_of

from tuning.results.read import read_study
from tuning.results.study_result import StudyResult
from tuning.statistics.estimates import Estimate
from tuning.study.final_scores import FinalScores
from tuning.study.finals import FinalRecipe, Finals, SeedScores
from tuning.study.history import History
from tuning.study.result import Result


def study(finals: Finals | None, default: FinalScores | None = None) -> StudyResult:
    best = FinalScores("0003", {"seed": 1}, {"combined": 0.99}, unseen={"combined": 0.1})
    result = Result(best=best, default=default, finals=finals)
    return StudyResult(
        folder=Path("none"), status="complete", result=result, history=History(), replay=""
    )


def recipe(trial: str, *runs: float, is_tested: bool = True) -> FinalRecipe:
    mean = Estimate(fmean(runs), 0.1, 0.0, 1.0, len(runs)) if runs else None
    seeds = [
        SeedScores(seed, f"final/{trial}/seed-{seed}", {"combined": one})
        for seed, one in enumerate(runs, start=1)
    ]
    means = {"combined": mean, "intent/accuracy": mean} if mean is not None else {}
    return FinalRecipe(trial, {"seed": 1}, tuple(seeds), means, means if is_tested else None)


def test_its_scores_are_the_means_by_which_it_was_chosen() -> None:
    finals = Finals((recipe("0003", 0.6, 0.8), recipe("0000", 0.5)), "0003")
    default = FinalScores("0000", {"seed": 0}, {"combined": 0.9})
    found = study(finals, default)
    assert found.best is not None
    assert found.best.dev == found.best.test == {
        "combined": pytest.approx(0.7), "intent": {"accuracy": pytest.approx(0.7)}
    }  # fmt: skip
    assert (found.best.trial, found.best.parameters, found.best.unseen) == (
        "0003",
        {"seed": 1},
        None,
    )
    assert found.default is not None
    assert found.default.dev["combined"] == 0.5
    # What the trial reached stands where it stood.
    assert found.result.best is not None
    assert found.result.best.dev == {"combined": 0.99}


def test_what_was_not_scored_is_none() -> None:
    finals = Finals((recipe("0003", 0.6, is_tested=False), recipe("0000")), "0003")
    found = study(finals, FinalScores("0000", {}, {"combined": 0.9}))
    assert found.best is not None
    assert found.best.test is None
    assert found.default is None  # all its runs failed
    assert study(replace(finals, recipes=finals.recipes[:1])).default is None
    without = study(None)
    assert without.best == without.result.best


def test_a_session_and_its_folder_tell_the_means_of_the_runs(tmp_path: Path) -> None:
    asked = study_of(tmp_path, baselines="none", finals={"recipes": 1, "seeds": 3})
    done = session_of(asked, MadeUpTrainers())
    assert done is not None
    for found in (done, read_study(tmp_path / "both")):
        assert found.best is not None
        runs = found.seeds[found.seeds["recipe"] == found.best.trial]
        assert len(runs) == 3
        for split, tree in (("dev", found.best.dev), ("test", found.best.test)):
            assert tree is not None
            assert tree["combined"] == pytest.approx(runs[f"{split}.combined"].mean())
            for task, name in (("intent", "accuracy"), ("slots", "f1")):
                expected = runs[f"{split}.{task}.{name}"].mean()
                assert tree[task][name] == pytest.approx(expected)
