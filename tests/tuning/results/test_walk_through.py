"""One study, walked through in all that is told of it: the same numbers everywhere.

It has conditional parameters, a trial whose loss is no number, one that crashes, trials that are
stopped, a final stage. The truth is what stands in `reports.jsonl`.
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
from types import SimpleNamespace
from typing import Any

import optuna
import pandas
import pytest
from loggers import ReadRun, following, read_mlflow
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from simulated_sessions import SimulatedTrainers, session_of
from simulated_study import SimulatedStudy, learn
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tuning
from mtl_core.study_file import dump
from tuning.results.study_result import StudyResult
from tuning.trainers.messages import ScoreJob, TrialSpec
from tuning.trainers.tune_values import TrialFailure
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


class FailingStudy(SimulatedStudy):
    """A study of which some trials fail."""

    def results(self, spec: TrialSpec, delivered: int) -> Iterator[Any]:
        reason = FAILING.get(spec.id)
        for result in super().results(spec, delivered):
            if reason != NAN:
                yield result
            if reason is not None:
                yield SimpleNamespace(for_tune=TrialFailure(reason).for_tune, is_last=True)
                return


def lucky(score: float, overrides: Mapping[str, object]) -> float:
    """As `learn` has it, with luck that differs from seed to seed, and from recipe to recipe."""
    luck = random.Random(json.dumps(overrides, sort_keys=True)).gauss(0, 0.02)
    return learn(score, overrides) + luck


def on_test(job: ScoreJob) -> float:
    return random.Random(job.spec.id).uniform(0.5, 0.75)


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

    def scores(self, run: str) -> list[float]:
        """The objective of all reports of a run."""
        place = self.folder / (run if "/" in run else f"trials/{run}") / "reports.jsonl"
        lines = place.read_text().splitlines() if place.exists() else []
        return [json.loads(line)["combined"] for line in lines]

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


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    storage = tmp_path_factory.mktemp("walk")
    study = FailingStudy(
        storage, scheduler={"kind": "asha", "grace_epochs": 1}, trials=9, epochs=4, search=SPACE,
        finals={"recipes": 2, "seeds": SEEDS}, learn=lucky,
    )  # fmt: skip
    study.folder.study.write_text(dump(study.study))
    trainers = SimulatedTrainers(study)
    trainers.test = on_test
    logged, section = LoggedStudy("simulated", study.folder.path), MlflowSection()
    stream = StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{storage / 'mlflow.db'}")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setattr(os, "fsync", lambda file: None)
        patch.setattr(time, "sleep", lambda seconds: None)
        with closing(StudyWatchers("simulated", event_display("x", EventLines(stream)))) as all_:
            all_.aimed(study.study.goal)
            parameters = study.study.space.shown
            all_.add_files(file_watchers(study.folder.path, all_.state, parameters, []))
            all_.add_files([following(section, logged)])
            found = session_of(trainers, watcher=all_)
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
            tested = [random.Random(run).uniform(0.5, 0.75) for run in runs]
            assert [run["test"]["combined"] for run in recipe["seeds"]] == tested
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
    runs = [*walk.trials, *(run for several in walk.finals.values() for run in several)]
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
    assert logged["simulated"].state == "FINISHED"
    for one in walk.result.history:
        assert logged[one.id].state == states[one.status]
        assert (LAYERS in logged[one.id].parameters) == (LAYERS in one.parameters)
    runs = [*walk.trials, *(run for several in walk.finals.values() for run in several)]
    assert set(logged) == {"simulated", *runs}
    for run in runs:
        found = sorted(logged[run].curves.get("dev/combined", []))
        assert found == list(enumerate(walk.scores(run), 1))
    table = logged["simulated"].table
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
    test = [
        mean(random.Random(run).uniform(0.5, 0.75) for run in walk.finals[one]) for one in opened
    ]
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


def test_events(walk: Walk) -> None:
    reported: dict[str, list[float]] = {}
    for one in walk.events:
        if one["event"] == "reported":
            reported.setdefault(one["run"], []).append(one["report"]["combined"])
    runs = [*walk.trials, *(run for several in walk.finals.values() for run in several)]
    assert reported == {run: walk.scores(run) for run in runs if walk.scores(run)}
    ended = {one["run"]: one for one in walk.events if one["event"] == "ended"}
    assert set(ended) == set(runs)
    for run in runs:
        assert ended[run]["combined"] == max(walk.scores(run), default=None)
    assert ended["0001"]["error"] == NAN
    assert ended["0002"]["error"] == "OSError: |gone|"
    [queued] = [one for one in walk.events if one["event"] == "queued"]
    assert sorted(queued["runs"]) == sorted(run for runs in walk.finals.values() for run in runs)


def test_scripts(walk: Walk) -> None:
    for study in (walk.result, tuning.read_study(walk.folder)):
        assert study.status == "complete"
        best = study.trials.set_index("trial")["combined"]
        for trial, scores in walk.trials.items():
            assert best[trial] == max(scores) if scores else pandas.isna(best[trial])
        for run, curve in study.curves.groupby("run"):
            assert list(curve["combined"]) == walk.scores(str(run))
        runs = {run for several in walk.finals.values() for run in several}
        assert set(study.seeds["run"]) == runs <= set(study.curves["run"])
        means = study.finals.query("split == 'dev' and score == 'combined'").set_index("recipe")
        for trial, several in walk.finals.items():
            best_of_runs = [max(walk.scores(run)) for run in several]
            assert means["mean"][trial] == pytest.approx(mean(best_of_runs), abs=1e-12)
