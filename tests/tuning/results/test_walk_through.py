"""One study, walked through in all that is told of it: the same numbers everywhere.

It has conditional parameters, a trial whose loss is no number, one that crashes, trials that are
stopped, a final stage, and baselines. The truth is what stands in `reports.jsonl`.
"""

import csv
import html
import json
import os
import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from statistics import mean, stdev

import optuna
import pandas
import pytest
from baseline_sessions import NAMES, MadeUpTrainers, session_of, study_of
from loggers import ReadRun, following, read_mlflow
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tuning
from tuning.results.study_result import StudyResult
from tuning.trainers.messages import Failed, Message, TrainJob, TrialSpec
from tuning.watch.display import event_display
from tuning.watch.file_watchers import file_watchers
from tuning.watch.json_lines import EventLines
from tuning.watch.loggers.base import LoggedStudy
from tuning.watch.loggers.mlflow import MlflowSection
from tuning.watch.study_watchers import StudyWatchers

# Of what MLflow asks of its database, which is no matter of ours.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

SPACE = {
    "optimizer.head_lr": {"log_range": [1e-4, 1e-2]},
    "freezing": {
        "choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": {"int_range": [1, 4]}}]
    },
}
LAYERS = "freezing.lower_layers.layers"
NAN = "TrainingError: epoch 1: the loss of task 'intent' is nan"
CRASH = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\nOSError: |gone|'
FAILING = {"0001": NAN, "0002": CRASH}
"""Trial -> why it fails: the first at once, the second after a report."""
SEEDS = 3


class FailingTrainers(MadeUpTrainers):
    """Trainers on which some trials of the study fail, and which score on test otherwise."""

    def train(self, job: TrainJob) -> Iterator[Message]:
        reason = FAILING.get(job.spec.key)
        for message in super().train(job):
            if reason != NAN:
                yield message
            if reason is not None:
                yield Failed(reason)
                return

    def test(self, spec: TrialSpec) -> dict[str, float]:
        return {task: on_test(task, spec.key) for task in super().test(spec)}


def lucky(task: str, study: str, overrides: Mapping[str, object]) -> float:
    """Luck that differs from seed to seed and from recipe to recipe; alone and by default less."""
    said = json.dumps([task, study, overrides], sort_keys=True)
    worse = 0.1 if study or "optimizer.head_lr" not in overrides else 0.0
    return random.Random(said).uniform(0.6, 0.9) - worse


def on_test(task: str, run: str) -> float:
    return random.Random(f"{task} {run}").uniform(0.5, 0.6)


def mean_on_test(run: str) -> float:
    """The objective of a run on test."""
    return mean(on_test(task, run) for task in NAMES)


@dataclass
class Walk:
    """What was told of the study, and what is true."""

    result: StudyResult
    events: list[dict]
    logged: Mapping[str, ReadRun]

    @property
    def folder(self) -> Path:
        return self.result.folder

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def reports(self, run: str) -> list[dict]:
        """What a run has reported."""
        folder = self.folder / (run if "/" in run else f"trials/{run}")
        if run.startswith("alone/"):
            _, task, rest = run.split("/", 2)
            baseline = (self.result.result.baselines or {})[task].folder
            folder = self.folder.parent / baseline / (rest if "/" in rest else f"trials/{rest}")
        path = folder / "reports.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def scores(self, run: str) -> list[float]:
        """The objective of all reports of a run."""
        return [report["combined"] for report in self.reports(run)]

    @property
    def trials(self) -> dict[str, list[float]]:
        return {
            path.name: self.scores(path.name) for path in sorted((self.folder / "trials").iterdir())
        }

    @property
    def finals(self) -> dict[str, list[str]]:
        """Trial -> the runs of its recipe in the final stage."""
        return {
            recipe.name: sorted(f"final/{recipe.name}/{run.name}" for run in recipe.iterdir())
            for recipe in (self.folder / "final").iterdir()
        }

    @property
    def final_runs(self) -> list[str]:
        return [run for several in self.finals.values() for run in several]

    @property
    def alone(self) -> list[str]:
        """The runs of tasks alone: their trials, and those of their final stages."""
        found = []
        for task, one in (self.result.result.baselines or {}).items():
            folder = self.folder.parent / one.folder
            found += [f"alone/{task}/{path.name}" for path in (folder / "trials").iterdir()]
            found += [
                f"alone/{task}/{path.relative_to(folder)}" for path in folder.glob("final/*/*")
            ]
        return sorted(found)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    storage = tmp_path_factory.mktemp("walk")
    study = study_of(
        storage, name="walk", scheduler={"kind": "asha", "grace_epochs": 1}, trials=9,
        finals={"recipes": 2, "seeds": SEEDS}, baselines="default", search=SPACE,
    )  # fmt: skip
    trainers = FailingTrainers(lucky)
    logged, section = LoggedStudy("walk", study.folder), MlflowSection()
    stream = StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{storage / 'mlflow.db'}")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setattr(os, "fsync", lambda file: None)
        patch.setattr(time, "sleep", lambda seconds: None)
        with closing(StudyWatchers("walk", event_display("x", EventLines(stream)))) as all_:
            all_.aimed(study.goal)
            files = file_watchers(study.folder, all_.state, study.space.shown, [])
            all_.add_files([*files, following(section, logged)])
            found = session_of(study, trainers, watcher=all_, has_reports=True)
        assert found is not None
        events = [json.loads(line) for line in stream.getvalue().splitlines()]
        yield Walk(found, events, read_mlflow(section, logged))


def test_the_study_has_what_it_is_to_have(walk: Walk) -> None:
    ends = {one.id: one.status for one in walk.result.history}
    assert {one for one, status in ends.items() if status == "failed"} == set(FAILING)
    assert {"complete", "stopped"} <= set(ends.values())
    has_layers = {LAYERS in one.parameters for one in walk.result.history}
    assert has_layers == {True, False}
    assert {len(runs) for runs in walk.finals.values()} == {SEEDS}
    assert "0000" in walk.finals
    assert walk.trials["0001"] == []
    assert len(walk.trials["0002"]) == 1


def test_result_json(walk: Walk) -> None:
    result = json.loads(walk.text("result.json"))
    counts = {"complete": 0, "stopped": 0, "failed": 0}
    for one in walk.result.history:
        counts[one.status] += 1
    assert result["trials"] == counts
    for name in ("best", "default"):
        recipe = result[name]
        assert recipe["dev"]["combined"] == max(walk.trials[recipe["trial"]])
        assert recipe["test"] is None
    recipes = {recipe["trial"]: recipe for recipe in result["finals"]["recipes"]}
    assert set(recipes) == set(walk.finals)
    for trial, recipe in recipes.items():
        runs = walk.finals[trial]
        best = [max(walk.scores(run)) for run in runs]
        assert [run["run"] for run in recipe["seeds"]] == runs
        assert [run["dev"]["combined"] for run in recipe["seeds"]] == best
        assert recipe["dev"]["combined"]["mean"] == pytest.approx(mean(best), abs=1e-12)
        assert recipe["dev"]["combined"]["sd"] == pytest.approx(stdev(best), abs=1e-12)
        if recipe["test"] is not None:
            tested = [mean_on_test(run) for run in runs]
            assert [run["test"]["combined"] for run in recipe["seeds"]] == pytest.approx(tested)
            assert recipe["test"]["combined"]["mean"] == pytest.approx(mean(tested), abs=1e-12)
    means = {trial: recipe["dev"]["combined"]["mean"] for trial, recipe in recipes.items()}
    chosen = max(means, key=lambda trial: means[trial])
    assert result["finals"]["chosen"] == result["best"]["trial"] == chosen
    assert result["model"] == max(walk.finals[chosen], key=lambda run: max(walk.scores(run)))


def test_trials_csv(walk: Walk) -> None:
    rows = {row["trial"]: row for row in csv.DictReader(walk.text("trials.csv").splitlines())}
    assert list(rows) == list(walk.trials)
    for one in walk.result.history:
        row, scores = rows[one.id], walk.trials[one.id]
        assert row["status"] == one.status
        assert row["combined"] == (str(max(scores)) if scores else "")
        assert float(row["epochs"]) == len(scores)
        for name in ("optimizer.head_lr", LAYERS):
            assert row[name] == str(one.parameters.get(name, ""))


def test_optuna(walk: Walk) -> None:
    storage = JournalStorage(JournalFileBackend(str(walk.folder / "optuna.journal")))
    [summary] = storage.get_all_studies()
    study = optuna.load_study(storage=storage, study_name=summary.study_name)
    states = {"COMPLETE": "complete", "PRUNED": "stopped", "FAIL": "failed"}
    for trial, one in zip(study.trials, walk.result.history, strict=True):
        scores = walk.trials[one.id]
        assert states[trial.state.name] == one.status
        if one.status != "failed":
            assert trial.value == max(scores)
        drawn = {name for name in trial.params if not name.endswith("kind")}
        if one.id != "0000":  # Of which Optuna takes what lies in its space alone.
            assert drawn == {name for name in one.parameters if not name.endswith("kind")}


def test_tensorboard(walk: Walk) -> None:
    runs = [*walk.trials, *walk.final_runs, *walk.alone]
    for run in runs:
        board = EventAccumulator(str(walk.folder / "tensorboard" / run)).Reload()
        scores = walk.scores(run)
        tags = board.Tags()["scalars"]
        found = board.Scalars("dev/combined") if "dev/combined" in tags else []
        assert [(one.step, one.value) for one in found] == [
            (number, pytest.approx(score, rel=1e-6)) for number, score in enumerate(scores, 1)
        ]
        if scores:
            assert board.Scalars("best/combined")[-1].value == pytest.approx(max(scores), rel=1e-6)


def test_mlflow(walk: Walk) -> None:
    states = {"complete": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
    logged = walk.logged
    assert logged["walk"].state == "FINISHED"
    for one in walk.result.history:
        assert logged[one.id].state == states[one.status]
        assert (LAYERS in logged[one.id].parameters) == (LAYERS in one.parameters)
    runs = [*walk.trials, *walk.final_runs, *walk.alone]
    assert set(logged) == {"walk", *runs}
    for run in runs:
        found = sorted(logged[run].curves.get("dev/combined", []))
        assert found == list(enumerate(walk.scores(run), 1))
    table = logged["walk"].table
    assert table is not None
    told = {(row[0], row[2], row[3]): row[4] for row in table}
    for trial, runs in walk.finals.items():
        best = [max(walk.scores(run)) for run in runs]
        assert told[trial, "dev", "combined"] == pytest.approx(mean(best), abs=1e-12)


def tables(text: str) -> list[list[str]]:
    """The cells of all rows of a Markdown text."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip(" `*") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def told_trials(walk: Walk) -> dict[str, tuple[str, str]]:
    """Trial -> status and score, as reports tell it."""
    return {
        one.id: (one.status, f"{100 * max(scores):.2f}" if (scores := walk.trials[one.id]) else "-")
        for one in walk.result.history
    }


def told_means(walk: Walk) -> set[str]:
    """The means of the final stage that reports tell: on dev of all recipes, on test of some."""
    dev = {
        trial: mean(max(walk.scores(run)) for run in walk.finals[trial]) for trial in walk.finals
    }
    opened = {*sorted(dev, key=lambda trial: -dev[trial])[:2], "0000"}
    test = [mean(map(mean_on_test, walk.finals[one])) for one in opened]
    return {f"{100 * value:.2f}" for value in (*dev.values(), *test)}


def test_report_md(walk: Walk) -> None:
    text = walk.text("report.md")
    rows = {row[1]: (row[2], row[3]) for row in tables(text) if row[1] in walk.trials}
    assert rows == told_trials(walk)
    assert "the loss of task 'intent' is nan" in text
    assert r"OSError: \|gone\|" in text
    assert told_means(walk) <= set(re.findall(r"\d+\.\d\d", text))


def test_report_html(walk: Walk) -> None:
    page = walk.text("report.html")
    # Without what draws: tables and texts alone.
    text = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    rows = [
        [html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in cells]
        for row in re.findall(r"<tr>.*?</tr>", text, re.DOTALL)
        if len(cells := re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)) > 3
    ]
    found = {row[1]: (row[2], row[3]) for row in rows if row[1] in walk.trials}
    assert found == told_trials(walk)
    assert "OSError: |gone|" in html.unescape(text)
    assert told_means(walk) <= set(re.findall(r"\d+\.\d\d", text))


def test_baselines(walk: Walk) -> None:
    """A task alone has runs with as many seeds, and its study tells the same."""
    result = json.loads(walk.text("result.json"))
    table = walk.logged["walk"].table
    shown = tables(walk.text("report.md"))
    frames = walk.result.baselines.set_index("task")
    assert set(result["baselines"]) == set(NAMES)
    for task, name in NAMES.items():
        one = result["baselines"][task]
        runs = [run for run in walk.alone if run.startswith(f"alone/{task}/final/")]
        # A task alone with the default recipe stands beside that recipe together.
        assert one["together"] == one["trial"] == "0000"
        together = walk.finals["0000"]
        assert len(runs) == len(together) == SEEDS
        for side, several in (("alone", runs), ("together", together)):
            on_dev = [max(r["dev"][task][name] for r in walk.reports(run)) for run in several]
            tested = [on_test(task, run) for run in several]
            assert one["dev"][side]["mean"] == pytest.approx(mean(on_dev), abs=1e-12)
            assert one["test"][side]["mean"] == pytest.approx(mean(tested), abs=1e-12)
            assert frames[side][task] == one["test"][side]["mean"]
        found = one["difference"]["estimate"]
        gain = one["test"]["together"]["mean"] - one["test"]["alone"]["mean"]
        assert found["mean"] == pytest.approx(gain, abs=1e-12)
        claims = {"gained": found["low"] > 0, "lost": found["high"] < 0}
        assert one["verdict"] == next((v for v, is_so in claims.items() if is_so), "cannot be told")
        assert frames["verdict"][task] == one["verdict"]
        [row] = [row for row in shown if row[0] == task and row[-1] == one["verdict"]]
        assert {f"{100 * one['test'][side]['mean']:.2f}" for side in one["test"]} <= set(row)
        assert table is not None
        alone = {(row[2], row[3]): row[4] for row in table if row[0] == one["folder"]}
        assert alone["test", f"{task}/{name}"] == pytest.approx(one["test"]["alone"]["mean"])
        # The study of the task alone tells the same.
        own = tuning.read_study(walk.folder.parent / one["folder"])
        assert own.finals.query(f"split == 'test' and score == '{task}.{name}'")[
            "mean"
        ].tolist() == [pytest.approx(one["test"]["alone"]["mean"])]


def test_events(walk: Walk) -> None:
    reported: dict[str, list[float]] = {}
    for one in walk.events:
        if one["event"] == "reported":
            reported.setdefault(one["run"], []).append(one["report"]["combined"])
    runs = [*walk.trials, *walk.final_runs, *walk.alone]
    assert reported == {run: walk.scores(run) for run in runs if walk.scores(run)}
    ended = {one["run"]: one for one in walk.events if one["event"] == "ended"}
    assert set(ended) == set(runs)
    for run in runs:
        assert ended[run]["combined"] == max(walk.scores(run), default=None)
    assert ended["0001"]["error"] == NAN
    assert ended["0002"]["error"] == "OSError: |gone|"
    queued = [run for one in walk.events if one["event"] == "queued" for run in one["runs"]]
    assert sorted(queued) == sorted([*walk.final_runs, *walk.alone])


def test_scripts(walk: Walk) -> None:
    for study in (walk.result, tuning.read_study(walk.folder)):
        assert study.status == "complete"
        best = study.trials.set_index("trial")["combined"]
        for trial, scores in walk.trials.items():
            assert best[trial] == max(scores) if scores else pandas.isna(best[trial])
        for run, curve in study.curves.groupby("run"):
            assert list(curve["combined"]) == walk.scores(str(run))
        assert set(study.seeds["run"]) == set(walk.final_runs)
        assert set(study.curves["run"]) == {*filter(walk.scores, walk.trials), *walk.final_runs}
        means = study.finals.query("split == 'dev' and score == 'combined'").set_index("recipe")
        for trial, several in walk.finals.items():
            best_of_runs = [max(walk.scores(run)) for run in several]
            assert means["mean"][trial] == pytest.approx(mean(best_of_runs), abs=1e-12)
