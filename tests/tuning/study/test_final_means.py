"""Means over the runs of a recipe: intervals by seeds and rows, compared where rows are new."""

from pathlib import Path

import numpy as np
import pytest

from mtl_core.scores import ScoreTree
from tuning.statistics.draws import write_draws
from tuning.study.final_means import compared
from tuning.study.finals import FinalRecipe, SeedScores, final_run_id
from tuning.study.folder import StudyFolder
from tuning.study.run_scores import run_scores


def recipe(trial: str, scores: list[float], *, is_tested: bool = True) -> FinalRecipe:
    runs = [
        SeedScores(seed, final_run_id(trial, seed), {"combined": one + 0.1},
                   {"combined": one} if is_tested else None)
        for seed, one in enumerate(scores, start=1)
    ]  # fmt: skip
    return FinalRecipe(trial, {}, tuple(runs), {}, {} if is_tested else None)


BEST, DEFAULT = recipe("0003", [0.8, 0.82, 0.81]), recipe("0000", [0.7, 0.72, 0.71])


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    """Of runs that were scored on draws of test, and of what is unseen of it."""
    folder = StudyFolder(tmp_path)
    generator = np.random.default_rng(0)
    for one in (BEST, DEFAULT):
        for run in one.seeds:
            assert run.test is not None
            score = run.test["combined"]
            assert isinstance(score, float)
            drawn = {
                where: {"combined": np.append(score - less, generator.normal(score, 0.01, 50))}
                for where, less in (("test", 0.0), ("unseen", 0.3))
            }
            write_draws(folder.run(run.run), drawn)  # type: ignore[arg-type]
    return folder


def test_recipes_are_compared_on_test_by_draws_of_its_rows(folder: StudyFolder) -> None:
    [found] = compared([BEST, DEFAULT], folder, {})
    assert (found.first, found.second, found.where, found.claim) == (
        "0003", "0000", "test", "better"
    )  # fmt: skip
    assert found.estimate.mean == pytest.approx(0.1)
    assert found.estimate.over == "seeds and rows"


def test_where_some_rows_are_known_from_train_the_others_count(folder: StudyFolder) -> None:
    unseen: dict[str, ScoreTree | None] = {
        run.run: {"combined": 0.5 if one is BEST else 0.4} for one in (BEST, DEFAULT)
        for run in one.seeds
    }  # fmt: skip
    [found] = compared([BEST, DEFAULT], folder, unseen)
    assert (found.where, found.estimate.mean) == ("unseen", pytest.approx(0.1))
    # The file is of other scores than these: it was written when the run was decoded otherwise.
    assert found.estimate.over == "seeds"


def test_where_test_is_closed_dev_says_what_it_can(folder: StudyFolder) -> None:
    closed = [recipe(one.trial, [0.5, 0.6, 0.7], is_tested=False) for one in (BEST, DEFAULT)]
    [found] = compared(closed, folder, {})
    assert (found.where, found.claim, found.estimate.over) == ("dev", "cannot be told", "seeds")


def test_the_default_is_compared_once_though_it_is_the_second(folder: StudyFolder) -> None:
    third = recipe("0005", [0.5, 0.5, 0.5])
    assert [one.second for one in compared([BEST, DEFAULT, third], folder, {})] == ["0000"]
    assert [one.second for one in compared([BEST, third, DEFAULT], folder, {})] == ["0005", "0000"]


def test_runs_of_which_one_was_not_scored_have_no_scores(folder: StudyFolder) -> None:
    runs: list[tuple[str, ScoreTree | None]] = [("0001", {"combined": 0.5}), ("0002", None)]
    assert run_scores(runs, "test", folder) == []
