"""A study of two objectives and a limit, from the first draw to the report, with made-up scores."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import optuna
import pandas
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from scorings import scoring_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from trials import report as plain_report

from mtl_core.training.report import Report
from tuning.records import run_id_of
from tuning.report.summary import summarise
from tuning.report.write import write_report, write_reports
from tuning.run.stages.scoring import result_of, unscored
from tuning.search.points import OpenTrial, Points
from tuning.study.config import StudyFile
from tuning.study.facts import facts_of, read_facts, write_facts
from tuning.study.folder import StudyFolder
from tuning.study.history import read_history
from tuning.study.journal import open_optuna, read_optuna, read_order
from tuning.study.load import load_study
from tuning.study.recorder import Recorder
from tuning.study.result import Result, read_result, write_result
from tuning.study.scored import Scoring
from tuning.study.status import read_status
from tuning.trainers.messages import Scored
from tuning.trainers.tune_values import TrialResult
from tuning.watch.file_watchers import file_watchers
from tuning.watch.study_watchers import StudyWatchers

STUDY = """run:
  encoder: {name: any}
  datasets: {demo: {kind: sample}}
  tasks:
    intent: {kind: classification, dataset: demo, column: intent}
    slots: {kind: tagging, dataset: demo, column: slots}
  training: {epochs: 2}
search: {optimizer.head_lr: {log_range: [1.0e-4, 1.0e-2]}}
study:
  trials: 6
  objective: {kind: pareto, floors: {intent: 0.94}}
  constraints: {parameters: 1000}
  scheduler: {kind: pareto_asha}
"""

# Trial -> intent and slots after each epoch, parameters of the model, how it ends.
TRIALS: list[tuple[list[tuple[float, float]], int, str]] = [
    ([(0.70, 0.60), (0.90, 0.80)], 900, "complete"),
    ([(0.80, 0.40), (0.97, 0.60)], 900, "complete"),
    ([(0.80, 0.50), (0.95, 0.78)], 900, "complete"),
    ([(0.80, 0.50), (0.89, 0.79)], 900, "complete"),
    ([(0.98, 0.98), (0.99, 0.99)], 1500, "complete"),
    ([(0.60, 0.30)], 900, "stopped"),
]


def made_up(number: int, scores: tuple[float, float], size: int = 900) -> Report:
    """A report that is the best so far, as all are in these scripts."""
    return replace(
        plain_report(number, sum(scores) / 2),
        dev={"intent": {"accuracy": scores[0]}, "slots": {"f1": scores[1]}},
        parameters=size,
    )


class Driver:
    """A driver of the study, without trainers."""

    def __init__(self, study: StudyFile, folder: StudyFolder) -> None:
        self.facts, self.folder = facts_of(study), folder
        write_facts(folder, self.facts)
        goal = self.facts.goal
        sampler = study.study.sampler.build(study.study.seed, study.space)
        self.optuna = open_optuna(
            folder.journal, name="demo", sampler=sampler, objectives=goal.tasks
        )
        self.history = read_history(folder, self.optuna, self.facts.default_parameters, goal)
        self.points = Points(
            self.optuna,
            study.space,
            total=study.trials,
            default_parameters=self.facts.default_parameters,
            goal=goal,
        )
        self.points.remember({record.id: record.reports for record in self.history})
        self.recorder = Recorder(
            study.run.model_dump(mode="json"),
            folder,
            self.history,
            defaults=self.facts.default_parameters,
            keep_checkpoints=1,
        )
        self.watchers = StudyWatchers("demo", None)
        self.watchers.aimed(goal)
        state, shown = self.watchers.state, study.space.shown
        self.watchers.add_files(file_watchers(folder.path, state, shown, self.history, goal))

    def run(self, trial: OpenTrial, *, most: int = 9) -> None:
        """Runs a trial as its script says, up to so many reports."""
        self.watchers.began(self.recorder.begin(trial.id, trial.overrides, trial.parameters))
        self.folder.checkpoint(trial.id).mkdir(parents=True, exist_ok=True)
        scores, size, end = TRIALS[int(trial.id)]
        reports: list[Report] = []
        for number, one in enumerate(scores, 1):
            reports.append(made_up(number, one, size))
            if number > most:
                return
            trial.observe(reports[-1])
            record = self.recorder.report(trial.id, reports[-1])
            if record is not None:
                self.watchers.reported(record)
        last = TrialResult(reports[-1], is_last=end == "complete")
        trial.end(last, has_failed=False)
        self.watchers.ended(self.recorder.end(trial.id, end))

    def finish(self) -> Result:
        """Scores on test, and writes result and report."""
        scores = {"combined": 0.5, "intent": {"accuracy": 0.9}, "slots": {"f1": 0.7}}
        wanted = unscored(self.history, Scoring(), has_model=False)
        scored = {record.id: Scored(scores, 10) for record in wanted}
        kind = self.facts.objective
        scoring = scoring_of(self.history, scored)
        result = result_of(self.history, scoring, objective=kind, seconds=1.0)
        write_result(self.folder, result)
        summary = summarise(self.facts, self.folder, self.optuna, self.history, result)
        write_reports(self.folder, summary, self.optuna)
        return result


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyFile:
    folder = tmp_path_factory.mktemp("pareto")
    (folder / "demo.yaml").write_text(STUDY)
    return load_study(str(folder / "demo.yaml"), [f"study.storage={folder}"])


@pytest.fixture(scope="module")
def folder(study: StudyFile) -> StudyFolder:
    """A study whose driver was killed in the middle of its third trial."""
    with StudyFolder.opened(study, {}) as found:
        first = Driver(study, found)
        with closing(first.watchers):
            for most in (9, 9, 1):
                trial = first.points.draw()
                assert trial is not None
                first.run(trial, most=most)
    with StudyFolder.opened(study, {}) as found:
        second = Driver(study, found)
        with closing(second.watchers):
            assert second.points.waiting == ["0002"]
            second.run(second.points.take_up("0002"))
            while (trial := second.points.draw()) is not None:
                second.run(trial)
        second.finish()
    return found


def test_the_front_and_the_chosen_trial_stand_in_result_json(folder: StudyFolder) -> None:
    content = json.loads(folder.result.read_text())
    goal = content["goal"]
    assert [one["trial"] for one in goal["front"]] == ["0000", "0001", "0002"]
    assert goal["front"][2]["scores"] == {"intent": 0.95, "slots": 0.78}
    # Of 0001 and 0002, which reach 0.94, the one that is better in slots.
    assert goal["chosen"] == content["best"]["trial"] == content["model"] == "0002"
    assert (goal["lacks"], goal["missed"]) == (0, {"0004": {"parameters": 0.5}})
    assert goal["aim"]["floors"] == {"intent": 0.94}
    assert set(content["tests"]) == {"0000", "0002"}
    assert json.loads(json.dumps(read_result(folder).to_json())) == content


def test_plain_optuna_reads_the_same_front(folder: StudyFolder) -> None:
    storage = JournalStorage(JournalFileBackend(str(folder.journal)))
    study = optuna.load_study(storage=storage, study_name="demo")
    assert study.metric_names == ["intent", "slots"]
    assert [run_id_of(trial.number) for trial in study.best_trials] == ["0000", "0001", "0002"]
    assert study.trials[2].values == [0.95, 0.78]
    assert study.trials[4].constraints == {"parameters": 0.5}
    assert [trial.state.name for trial in study.trials] == [*["COMPLETE"] * 5, "PRUNED"]


def test_the_folder_alone_tells_the_same(folder: StudyFolder) -> None:
    facts = read_facts(folder)
    history = read_history(folder, read_optuna(folder.journal), None, facts.goal)
    assert [record.id for record in history.front] == ["0000", "0001", "0002"]
    assert [len(record.reports) for record in history] == [2, 2, 2, 2, 2, 1]
    status = read_status(folder.path)
    assert (status.state, status.best and status.best.id) == ("complete", "0002")
    assert [record.id for record in status.front] == ["0000", "0001", "0002"]
    # The order in which they reported, also of the trial that its driver left.
    order = read_order(folder.journal)
    assert order[:5] == [("0000", 1), ("0000", 2), ("0001", 1), ("0001", 2), ("0002", 1)]


def test_the_table_has_the_front_and_what_is_limited(folder: StudyFolder) -> None:
    frame = pandas.read_csv(folder.path / "trials.csv", dtype={"trial": str}).set_index("trial")
    assert list(frame.columns[:4]) == ["status", "front", "chosen", "feasible"]
    assert list(frame.index[frame["front"]]) == ["0000", "0001", "0002"]
    assert list(frame.index[frame["chosen"]]) == ["0002"]
    assert list(frame.index[~frame["feasible"]]) == ["0004"]
    assert frame.loc["0004", "parameters"] == 1500


def test_tensorboard_shows_where_trials_stand(folder: StudyFolder) -> None:
    found = {}
    for number in range(len(TRIALS)):
        events = EventAccumulator(str(folder.path / "tensorboard" / run_id_of(number)))
        events.Reload()
        found[number] = [
            events.Scalars(f"goal/{name}")[-1].value for name in ("front", "chosen", "feasible")
        ]
        assert "best/slots/f1" in events.Tags()["scalars"]
    assert found == {
        0: [1, 0, 1], 1: [1, 0, 1], 2: [1, 1, 1], 3: [0, 0, 1], 4: [0, 0, 0], 5: [0, 0, 1],
    }  # fmt: skip


def test_the_report_shows_the_front_and_compares_task_by_task(folder: StudyFolder) -> None:
    text = folder.report.read_text()
    assert (
        "**3 trials are on the front of intent and slots; of those that reach intent 94.00, trial "
        "0002 is the best in slots, and is chosen. Against the default it is on dev intent +5.00 "
        "points and slots -2.00 points; on test intent +0.00 points and slots +0.00 points, and "
        "how sure that is, is not known. " in text
    )
    front = text.split("## Front\n\n")[1].split("\n\n##")[0].splitlines()
    assert [row.split(" | ")[:4] for row in front[4:]] == [
        ["| 0000", "", "90.00", "80.00"],
        ["| 0001", "", "97.00", "60.00"],
        ["| 0002", "chosen", "95.00", "78.00"],
    ]
    # 0004 is better in both, and too large.
    assert front[0].startswith("Of the trials that were not stopped early and hold all limits, ")
    limits = text.split("## Limits\n\n")[1].splitlines()
    assert limits[2] == "| `parameters` | 1,000 | 900 | 900 | 0004 |"
    ranked = text.split("## Trials, best first\n\n")[1].split("\n\n")[0].splitlines()[2:]
    ids = [row.split(" | ")[1] for row in ranked]
    assert ids == ["0002", "0000", "0001", "0003", "0005", "0004"]
    assert [row.split(" | ")[3] for row in ranked] == ["", "", "", "", "", "`parameters`"]
    # Written anew from the folder it says the same.
    assert write_report(folder.path) == text


def test_checkpoints_of_the_front_are_kept(folder: StudyFolder) -> None:
    kept = [path.parent.name for path in folder.trials.glob("*/checkpoint")]
    assert sorted(kept) == ["0000", "0001", "0002"]


def test_lost_reports_are_those_of_the_journal(folder: StudyFolder) -> None:
    path = folder.reports("0001")
    content = path.read_bytes()
    said: list[str] = []
    try:
        path.unlink()
        goal = read_facts(folder).goal
        history = read_history(folder, read_optuna(folder.journal), None, goal, tell=said.append)
    finally:
        path.write_bytes(content)
    assert "2 of 2 reports are missing" in said[0]
    assert [record.id for record in history.front] == ["0000", "0001", "0002"]


@pytest.mark.parametrize("kind", ["tpe", "random", "gp", "nsga2", "nsga3", "qmc"])
def test_samplers_draw_for_several_objectives(tmp_path: Path, kind: str) -> None:
    (tmp_path / "demo.yaml").write_text(f"{STUDY}  sampler: {{kind: {kind}}}\n")
    study = load_study(str(tmp_path / "demo.yaml"), [f"study.storage={tmp_path}"])
    goal, sampler = study.goal, study.study.sampler.build(0, study.space)
    journal = open_optuna(tmp_path / "journal", name="demo", sampler=sampler, objectives=goal.tasks)
    points = Points(journal, study.space, total=6, default_parameters={}, goal=goal)
    drawn = []
    while (trial := points.draw()) is not None:
        drawn.append(trial.parameters.get("optimizer.head_lr"))
        trial.observe(made_up(1, (len(drawn) / 10, 1 - len(drawn) / 10)))
        last = TrialResult(made_up(1, (0.5, 0.5)), is_last=len(drawn) % 2 == 0)
        trial.end(last, has_failed=False)
    assert len(set(drawn)) == len(drawn) == 6
