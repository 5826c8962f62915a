"""Several studies side by side, as text and as a page."""

import json
import re
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from conftest import RunConfigFactory
from hostile import MARKUP
from scipy import stats
from summaries import BEST, SUMMARY, epoch_report
from trials import report

from mtl_core.data.notes import Lengths
from mtl_core.errors import ConfigError
from mtl_core.study_file import dump
from tuning.goals import Goal
from tuning.report.comparable import Compared, judged
from tuning.report.compare import compare_studies
from tuning.report.comparison import comparison_sections, reached_on
from tuning.report.figures.comparison import scores_side_by_side
from tuning.report.html.comparison import comparison_page
from tuning.report.render import text_of
from tuning.report.summary import StudySummary
from tuning.statistics.estimates import Estimate
from tuning.statistics.seeds import RunScores
from tuning.study.compared import Side
from tuning.study.config import StudyFile
from tuning.study.data_facts import DataFacts, SplitFacts
from tuning.study.facts import facts_of, write_facts
from tuning.study.finals import FinalRecipe, Finals
from tuning.study.folder import StudyFolder
from tuning.study.journal import open_optuna
from tuning.study.reached import Reached
from tuning.study.trained import Trained

INPUTS = {"data set 'sample'": "12"}


def compared(name: str, summary: StudySummary = SUMMARY, **inputs: str) -> Compared:
    return Compared(name, summary, "complete", INPUTS | inputs)


def text_for(*studies: Compared) -> str:
    return text_of(comparison_sections(studies))


def test_each_study_has_its_scores_and_its_recipe() -> None:
    other = replace(BEST, parameters={"optimizer.encoder_lr": 0.5}, test=None)
    second = replace(SUMMARY, result=replace(SUMMARY.result, best=other))
    text = text_for(compared("one"), compared("two", second))
    assert "| `one` | complete | 3 | 0 | 3 | 0:07:12 | 0001 | 85.00 | 75.00 |" in text
    assert "| `two` | complete | 3 | 0 | 3 | 0:07:12 | 0001 | 85.00 | - |" in text
    assert "| `intent/accuracy` | 85.00 | - |" in text
    assert "| `optimizer.encoder_lr` | `0.001` | `0.5` |" in text
    assert "Caution" not in text


def test_the_final_stage_counts_in_what_a_study_took_and_baselines_do_not() -> None:
    behind = (Trained(4, 12.5, 60.0), Trained(6, 18, 50.0, "intent"))
    result = replace(SUMMARY.result, behind=behind)
    text = text_for(compared("one", replace(SUMMARY, result=result)), compared("two"))
    assert "| `one` | complete | 3 | 4 | 15.5 | 0:07:12 |" in text


def test_what_cannot_be_compared_is_said() -> None:
    aimed = replace(SUMMARY, result=replace(SUMMARY.result, goal=Reached(objective="minimum")))
    assert "the objectives differ: `one` `mean`; `two` `minimum`" in text_for(
        compared("one"), compared("two", aimed)
    )
    changed = Compared("two", SUMMARY, "complete", {"data set 'sample'": "34"})
    told = text_for(compared("one"), changed)
    assert "have not the same content in each: `data set 'sample'`" in told
    # Data that only one of them has are no change.
    assert "Caution" not in text_for(compared("one"), compared("two", other="5"))
    fewer = replace(SUMMARY, records=SUMMARY.records[2:])
    assert "the tasks differ: `one` `intent, slots`; `two` `none`" in text_for(
        compared("one"), compared("two", fewer)
    )


def test_with_a_final_stage_the_means_count() -> None:
    mean = Estimate(mean=0.8, sd=0.01, low=0.78, high=0.82, count=5)
    recipe = FinalRecipe("0001", {}, (), {"combined": mean}, {"combined": mean})
    result = replace(SUMMARY.result, finals=Finals((recipe,), "0001"))
    found = reached_on(result, "test")["combined"]
    assert (found.value, found.low, found.high) == (0.8, 0.78, 0.82)
    text = text_for(compared("one", replace(SUMMARY, result=result)), compared("two"))
    assert "| `combined` | seeds | 80.00 (78.00 to 82.00) | 75.00 |" in text
    assert "What an interval allows for: seeds = other seeds alone" in text


def rows_of(dataset: str, **labelled: int) -> list[SplitFacts]:
    lengths = Lengths(max(labelled.values()), max(labelled.values()), 1, 1, 1, 0)
    return [SplitFacts(dataset, split, labelled, lengths) for split in ("train", "dev", "test")]


def scored(name: str, *test: float, content: str = "12", **labelled: int) -> Compared:
    """A study on data with so many labels of each task, and the runs of its best recipe."""
    summary = replace(SUMMARY, data=DataFacts(rows_of("sample", **labelled), (), ()))
    runs = [RunScores({"combined": one, "intent/accuracy": one, "slots/f1": 0.5}) for one in test]
    best = Side("0001", runs, runs)
    return Compared(name, summary, "complete", {"data set 'sample'": content}, best=best)


def test_data_that_other_tasks_read_are_no_other_data() -> None:
    both = scored("one", 0.5, intent=10, slots=10)
    alone, fewer = (scored("two", 0.5, content="34", slots=count) for count in (10, 9))
    told = text_for(both, alone)
    assert "Caution: these have not the same content" not in told
    assert "nobody knows whether their content is the same: `data set 'sample'`." in told
    assert "Caution: these have not the same content in each: `data set 'sample'`" in text_for(
        both, fewer
    )
    # The same tasks read both, so that the hashes tell.
    other = scored("two", 0.5, content="34", intent=10, slots=10)
    assert "Caution: these have not the same content in each" in text_for(both, other)


def test_studies_are_compared_by_the_interval_of_their_difference() -> None:
    ours, theirs = (0.80, 0.81, 0.82), (0.815, 0.825, 0.835)
    first, other = (
        scored(name, *some, intent=10, slots=10) for name, some in (("one", ours), ("two", theirs))
    )
    found = {one.score: one for one in judged(first, other)}
    assert list(found) == ["combined", "intent/accuracy", "slots/f1"]
    plain = stats.ttest_ind(ours, theirs).confidence_interval()
    estimate = found["intent/accuracy"].estimate
    assert (estimate.low, estimate.high) == pytest.approx((plain.low, plain.high), rel=1e-6)
    text = text_for(first, other)
    told = f"| -1.50 | {100 * plain.low:+.2f} to {100 * plain.high:+.2f} | seeds | cannot be told |"
    assert f"| `one` - `two` | `combined` {told}" in text
    # Of rows that may be others, and of one run against several, nothing is said.
    fewer = scored("two", *theirs, intent=9, slots=10)
    assert [one.score for one in judged(first, fewer)] == ["slots/f1"]
    assert judged(first, scored("two", 0.5, intent=10, slots=10)) == []
    assert "## Differences" not in text_for(compared("one"), compared("two"))


def test_the_objective_is_compared_where_it_is_the_same_number() -> None:
    first, other = (scored(name, 0.5, 0.6, intent=10, slots=10) for name in ("one", "two"))
    for goal in (Reached(objective="minimum"), Reached("mean", Goal(is_gain=True))):
        summary = replace(first.summary, result=replace(SUMMARY.result, goal=goal))
        found = [one.score for one in judged(replace(first, summary=summary), other)]
        assert found == ["intent/accuracy", "slots/f1"]


def test_the_page_says_what_the_text_says() -> None:
    page = comparison_page([compared("one"), compared("two")])
    assert re.findall("<h2>(.*?)</h2>", page) == [
        line.removeprefix("## ")
        for line in text_for(compared("one"), compared("two")).splitlines()
        if line.startswith("## ")
    ]
    found = re.findall('<script type="application/json"[^>]*>(.*?)</script>', page)
    # Progress by epochs and by time, then a figure per score: combined and intent on each split.
    assert len(found) == 6
    assert [one["name"] for one in json.loads(found[0])["data"]] == ["one", "two"]


def test_progress_is_that_of_trials_within_the_limits_of_each_study() -> None:
    beyond = replace(SUMMARY.records[0], id="0003", reports=(epoch_report(1, 0.5, 1.0),))
    records = [SUMMARY.records[0], beyond]
    goal = Reached(aim=Goal(limits={"floors.intent": 0.7}))
    limited = replace(SUMMARY, records=records, result=replace(SUMMARY.result, goal=goal))
    page = comparison_page(
        [compared("one", limited), compared("two", replace(limited, result=SUMMARY.result))]
    )
    first = re.findall('<script type="application/json"[^>]*>(.*?)</script>', page)[0]
    assert [max(one["y"]) for one in json.loads(first)["data"]] == [70, 75]


def test_names_of_studies_are_only_text() -> None:
    name = "".join(MARKUP)
    page = comparison_page([compared(name), compared("two")])
    assert set(re.findall("<(img|b|i|iframe)\\b", page.partition("<script>")[0])) == set()


def test_intervals_are_drawn_where_there_are_some() -> None:
    figure = scores_side_by_side({"one": (0.8, 0.7, 0.85), "two": (0.5, None, None)}, "combined")
    (dots,) = figure.data
    assert list(dots.x) == [50, 80]
    assert list(dots.error_x.array) == pytest.approx([0, 5])
    assert list(dots.error_x.arrayminus) == pytest.approx([0, 10])


def folder_of(storage: Path, run: RunConfigFactory) -> Path:
    study = StudyFile.model_validate(
        {
            "run": run({}).model_dump(mode="json"),
            "search": {"optimizer.head_lr": {"range": [0.5, 1.5]}},
            "study": {"name": "tiny", "storage": str(storage)},
        }
    )
    folder = StudyFolder(study.folder)
    folder.trials.mkdir(parents=True)
    folder.study.write_text(dump(study))
    trials = open_optuna(folder.journal, name="tiny", sampler=optuna.samplers.RandomSampler(seed=0))
    trials.tell(trials.ask(), 0.5)
    folder.begin_run("0000", study.run)
    folder.add_report("0000", report(1, 0.5))
    write_facts(folder, facts_of(study))
    return folder.path


def test_folders_are_compared(tmp_path: Path, run_config: RunConfigFactory) -> None:
    one, two = (folder_of(tmp_path / name, run_config) for name in ("a", "b"))
    page = tmp_path / "page.html"
    text = compare_studies([one, two, one], page)
    # Of one name each is called by its folder.
    assert f"| score | `{one}` | `{two}` |" in text
    assert page.read_text().startswith("<!DOCTYPE html>")
    with pytest.raises(ConfigError, match="cannot be written"):
        compare_studies([one, two], tmp_path / "none" / "page.html")
    with pytest.raises(ConfigError, match="not a study folder"):
        compare_studies([one, tmp_path], page)
