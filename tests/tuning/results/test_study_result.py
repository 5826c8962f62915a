"""What scripts get of a study, read from its folder: finished, or on its way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas
import pytest
from scorings import scoring_of
from simulated_study import SimulatedStudy
from trials import record, report

import tuning
from mtl_core.errors import ConfigError, MtlError, NotReadyError
from mtl_core.study_file import dump
from mtl_core.task_errors import Confused, LabelErrors, LabelTables, TaskErrors, write_errors
from tuning.goals import Goal
from tuning.results.frames import (
    baselines_frame,
    curves_frame,
    differences_frame,
    finals_frame,
    seeds_frame,
)
from tuning.results.plots import StudyPlots
from tuning.results.study_result import StudyResult
from tuning.run.stages.scoring import result_of
from tuning.statistics.estimates import Difference, Estimate
from tuning.study.finals import FinalRecipe, Finals, SeedScores
from tuning.study.gains import Baseline, Sides
from tuning.study.history import History
from tuning.study.reached import reached
from tuning.study.result import Result, write_result
from tuning.trainers.messages import Scored
from tuning.watch.trials_csv import trials_frame


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SimulatedStudy:
    """Six trials under ASHA, searched and not scored yet."""
    made = SimulatedStudy(tmp_path_factory.mktemp("study"), scheduler={"kind": "asha"}, trials=6)
    made.folder.study.write_text(dump(made.study))
    assert made.run()
    return made


def test_a_folder_tells_what_its_study_found(study: SimulatedStudy, tmp_path: Path) -> None:
    history = study.history
    assert history.best is not None
    found = tuning.read_study(study.folder.path)
    # All trials ended, and test was not opened: the same command would go on.
    assert found.status == "interrupted"
    assert found.best is not None
    assert (found.best.trial, found.best.test) == (history.best.id, None)
    scored = {one: Scored({"combined": 0.5}, 10) for one in {history.best.id, "0000"}}
    result = result_of(history, scoring_of(history, scored), objective="mean", seconds=2.5)
    write_result(study.folder, result)
    found = tuning.read_study(str(study.folder.path))
    assert found.status == "complete"
    # How much better the best is than the default is computed anew, of what the runs keep.
    assert replace(found.result, differences=()) == result
    assert found.best is not None
    assert found.best.test == {"combined": 0.5}
    assert found.seconds == 2.5
    assert found.replay.startswith("mtl train ")
    pandas.testing.assert_frame_equal(found.trials, trials_frame(list(history), history.goal))
    assert found.front.empty
    assert list(found.front) == list(found.trials)


def test_curves_have_a_row_for_each_report(study: SimulatedStudy) -> None:
    curves = tuning.read_study(study.folder.path).curves
    for one in study.history:
        rows = curves[curves["run"] == one.id]
        assert list(rows["combined"]) == [made.combined for made in one.reports]
        assert list(rows["epoch"]) == [made.progress for made in one.reports]
        scores = [made.dev["intent"]["accuracy"] for made in one.reports]
        assert list(rows["intent.accuracy"]) == scores
    assert len(curves) == sum(len(one.reports) for one in study.history)


def test_curves_count_seconds_and_name_what_is_trained() -> None:
    made = replace(
        report(1, 0.5, seconds=2.0, per_epoch=2), losses={"intent": 0.25}, weights={"intent": 2.0},
        learning_rates={"heads": 1e-3}, is_sample=True,
    )  # fmt: skip
    one = replace(record(3, "running"), reports=(made, report(2, 0.75, seconds=1.5, per_epoch=2)))
    curves = curves_frame({"0000": (), "0003": one.reports})
    assert list(curves["run"]) == ["0003", "0003"]
    assert list(curves["epoch"]) == [0.5, 1.0]
    assert list(curves["seconds"]) == [2.0, 3.5]
    assert list(curves["is_sample"]) == [True, False]
    assert curves.loc[0, ["loss.intent", "weight.intent", "rate.heads"]].tolist() == [0.25, 2, 1e-3]
    assert curves.loc[1, ["loss.intent", "weight.intent", "rate.heads"]].isna().all()


def test_curves_of_a_study_that_has_not_reported_have_their_columns() -> None:
    curves = curves_frame({"0000": ()})
    assert curves.empty
    assert {"run", "epoch", "seconds", "combined"} <= set(curves)


def test_errors_of_the_best_model_come_as_they_are_kept(tmp_path: Path) -> None:
    made = SimulatedStudy(tmp_path, scheduler={"kind": "none"}, trials=1)
    made.folder.study.write_text(dump(made.study))
    made.run()
    assert tuning.read_study(made.folder.path).errors == {}
    pairs = (Confused("play", "book", 2),)
    each = (LabelErrors("play", 5, 3, 3), LabelErrors("book", 1, 3, 1))
    tables = LabelTables("label", each, pairs, 2, 1)
    errors = {"intent": TaskErrors(rows=6, wrong=2, unit="rows", measure="x", labels=tables)}
    made.folder.best.mkdir()
    write_errors(made.folder.best, errors)
    found = tuning.read_study(made.folder.path)
    assert found.errors == errors
    [drawn] = found.plot.confusions("intent").data
    assert [list(row) for row in drawn.text] == [["3", "2"], ["", "1"]]


def test_what_is_no_study_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a study folder"):
        tuning.read_study(tmp_path)
    made = SimulatedStudy(tmp_path, scheduler={"kind": "none"})
    made.folder.study.write_text(dump(made.study))
    with pytest.raises(NotReadyError, match="no trial was begun"):
        tuning.read_study(made.folder.path)


def test_the_front_of_several_objectives_comes_as_a_table_and_a_figure(tmp_path: Path) -> None:
    scores = [(0.5, 0.5), (0.9, 0.2), (0.4, 0.8), (0.3, 0.3)]
    records = [
        replace(
            record(number, "complete"),
            reports=(replace(report(1, first), dev={"a": {"f1": first}, "b": {"f1": second}}),),
        )
        for number, (first, second) in enumerate(scores)
    ]
    history = History(records, Goal(tasks=("a", "b")))
    result = Result(goal=reached(history, "pareto"))
    found = StudyResult(
        folder=tmp_path, status="complete", result=result, history=history, replay=""
    )
    # The last one is beaten by the first in both.
    assert found.front["trial"].tolist() == ["0000", "0001", "0002"]
    assert found.front["b.f1"].tolist() == [0.5, 0.2, 0.8]
    assert found.plot.front("b", "a").layout.xaxis.title.text.startswith("b")
    with pytest.raises(ConfigError, match="no objective 'c'; there is a, b"):
        found.plot.front("a", "c")
    with pytest.raises(ConfigError, match="two objectives or none, found 1"):
        found.plot.front("a")
    with pytest.raises(ConfigError, match="two objectives or none, found 'a' twice"):
        found.plot.front("a", "a")


def test_the_final_stage_comes_as_tables() -> None:
    finals = final_stage()
    found = finals_frame(finals)
    assert len(found) == 2 * 2 + 2 * 1  # two recipes and scores on dev, combined on test
    [row] = found.query("recipe == '0003' and split == 'dev' and score == 'intent.accuracy'").index
    values = found.loc[row, ["is_chosen", "mean", "sd", "low", "high", "over", "runs"]].tolist()
    assert values == [True, 0.75, 0.25, 0.5, 1.0, "seeds", 2]
    runs = seeds_frame(finals)
    assert runs["run"].tolist() == [
        f"final/{trial}/seed-{seed}" for trial in ("0003", "0000") for seed in (7, 8)
    ]
    assert runs.loc[1, ["recipe", "seed", "dev.intent.accuracy"]].tolist() == ["0003", 8, 1.0]
    assert runs.loc[1, "test.combined"] == 0.25
    [claimed] = differences_frame(finals).to_dict("records")
    assert claimed == {
        "first": "0003", "second": "0000", "split": "test", "score": "combined", "mean": 0.125,
        "sd": 0.5, "low": -0.25, "high": 0.5, "over": "seeds and rows", "claim": "cannot be told",
    }  # fmt: skip


def test_without_a_final_stage_its_tables_are_empty_with_their_columns() -> None:
    for frame in (finals_frame, seeds_frame, differences_frame):
        assert frame(None).empty
        assert set(frame(None)) == set(frame(final_stage())) & set(frame(None)) != set()


def test_tasks_beside_the_same_alone_come_as_a_table() -> None:
    sides = Sides(Estimate(0.5, 0.0, 0.5, 0.5, 3), Estimate(0.75, 0.0, 0.75, 0.75, 3))
    estimate = Estimate(0.25, 0.125, 0.0625, 0.5, 3, "seeds and rows")
    gain = Difference("0003", "0000", "intent/accuracy", estimate, "better", "unseen")
    compared = Baseline(
        "alone/intent-0", "0000", "0003", "intent/accuracy", sides, sides, gain, "gained"
    )
    without_test = Baseline("alone/slots-0", "0000", "0003", "slots/f1", dev=sides)
    failed = Baseline("alone/topic-0")
    found = baselines_frame({"intent": compared, "slots": without_test, "topic": failed})
    one, two, three = found.astype(object).where(found.notna(), None).to_numpy().tolist()
    numbers = [0.5, 0.75, 0.25, 0.0625, 0.5]
    assert one == ["intent", "intent.accuracy", "unseen", *numbers, "gained"]
    assert two == ["slots", "slots.f1", "dev", 0.5, 0.75, None, None, None, "cannot be told"]
    assert three == ["topic", *[None] * 7, "cannot be told"]
    assert list(baselines_frame(None)) == list(found)


def final_stage() -> Finals:
    """Two recipes, each with two seeds."""
    recipes = [
        FinalRecipe(
            trial,
            {"optimizer.head_lr": 1e-3},
            tuple(
                SeedScores(
                    seed,
                    f"final/{trial}/seed-{seed}",
                    {"combined": score, "intent": {"accuracy": score}},
                    {"combined": 0.25},
                )
                for seed, score in ((7, 0.5), (8, 1.0))
            ),
            dict.fromkeys(("combined", "intent/accuracy"), Estimate(0.75, 0.25, 0.5, 1.0, 2)),
            {"combined": Estimate(0.25, 0.0, 0.25, 0.25, 2)},
        )
        for trial in ("0003", "0000")
    ]
    estimate = Estimate(0.125, 0.5, -0.25, 0.5, 2, "seeds and rows")
    difference = Difference("0003", "0000", "combined", estimate, estimate.claim)
    return Finals(tuple(recipes), "0003", (difference,))


def test_figures_are_drawn_of_what_was_found(study: SimulatedStudy) -> None:
    plot = tuning.read_study(study.folder.path).plot
    for figure in (
        plot.progress(),
        plot.progress(cost="time"),
        plot.curves(),
        plot.slice("optimizer.head_lr"),
    ):
        figure.to_plotly_json()  # a figure of plotly
        assert figure.data
    history = study.history
    heights = [y for trace in plot.slice("optimizer.head_lr").data for y in trace.y]
    best = [100 * one.best.combined for one in history if one.best is not None]
    # Six digits are drawn.
    assert sorted(heights) == pytest.approx(sorted(best), abs=1e-3)
    result = Result(finals=final_stage())
    found = StudyPlots(study.folder, history, result)
    means = {value for trace in found.finals(split="dev").data for value in trace.x}
    assert 75.0 in means
    assert found.differences().data
    # The axis says what was asked for, and no other scores are drawn for it.
    for split, mean in (("dev", 75.0), ("test", 25.0)):
        drawn = found.finals(split=split)
        assert drawn.layout.xaxis.title.text.endswith(f"on {split}")
        assert mean in {value for trace in drawn.data for value in trace.x}
    with pytest.raises(ConfigError, match=r"no score 'intent\.accuracy'; there is combined"):
        found.finals("intent.accuracy", split="test")
    untested = [replace(one, test=None) for one in final_stage().recipes]
    closed = Result(finals=replace(final_stage(), recipes=tuple(untested)))
    with pytest.raises(NotReadyError, match="there are no scores on test"):
        StudyPlots(study.folder, history, closed).finals()


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        (lambda plot: plot.slice("optimizer.head_rl"), r"Did you mean 'optimizer.head_lr'\?"),
        (lambda plot: plot.curves("intend"), "no score 'intend'; there is combined"),
        (lambda plot: plot.front(), "one objective"),
        (lambda plot: plot.importance(), "from 20 trials on .* there are"),
        (lambda plot: plot.finals(), "no final stage|has not ended"),
        (lambda plot: plot.progress(cost="hours"), "no cost 'hours'; there is epochs, time"),
        (lambda plot: plot.progress(cost="tme"), r"Did you mean 'time'\?"),
        (lambda plot: plot.finals(split="tset"), r"no split 'tset'; .*Did you mean 'test'\?"),
        (lambda plot: plot.differences(), "has not ended"),
        (lambda plot: plot.affinity(), "training.gradients_every"),
        (lambda plot: plot.conflicts(), "training.gradients_every"),
        (lambda plot: plot.contour("optimizer.head_lr", "optimizer.weight_decay"), "too few"),
    ],
)
def test_what_cannot_be_drawn_is_told(study: SimulatedStudy, draw: Callable, told: str) -> None:
    few = History([record(0, "complete", 0.5), *list(study.history)[1:3]])
    with pytest.raises(MtlError, match=told):
        draw(StudyPlots(study.folder, few, Result()))
