"""Real study folders of small encoders, made without Ray: finished, interrupted and failed ones."""

import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import torch
import yaml
from conftest import save_tokenizer, write_seq_in_out
from encoders import tiny
from scorings import scoring_of
from transformers.utils import logging as transformers_logging

from mtl_core.assets import Assets, inputs_of
from mtl_core.config import RunConfig
from mtl_core.data.formats.sample import generate_sample
from mtl_core.files import write_text
from mtl_core.study_file import override
from mtl_core.training.distributed import Place
from mtl_core.training.loop import train
from tuning.records import TrialRecord
from tuning.report.render import render_report
from tuning.report.summary import summarise
from tuning.run.stages.scoring import result_of, unscored
from tuning.search.points import OpenTrial, Points
from tuning.study.clock import StudyClock
from tuning.study.config import StudyFile
from tuning.study.data_facts import data_facts
from tuning.study.facts import facts_of, write_facts
from tuning.study.final_scores import dev_scores
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.journal import open_optuna
from tuning.study.load import load_study
from tuning.study.recorder import Recorder
from tuning.study.result import Result, write_result
from tuning.study.scored import Scoring, write_scoring
from tuning.trainers.messages import ScoreJob, TrialSpec
from tuning.trainers.scoring import score_on_test
from tuning.trainers.tune_values import TrialResult
from tuning.watch.file_watchers import file_watchers
from tuning.watch.study_watchers import StudyWatchers

EPOCHS = 2
_CPU = torch.device("cpu")


def write_inputs(folder: Path) -> Path:
    """Writes data, an encoder and a study file into a folder; returns the study file."""
    rows = [example for example in generate_sample()["train"] if len(example.labels) == 2]
    for number, split in enumerate(("train", "dev", "test")):
        write_seq_in_out(folder / "corpus" / split, rows[number * 16 :][:16])
    transformers_logging.disable_progress_bar()
    size = save_tokenizer(folder / "encoder", rows[:48])
    tiny("bert", vocab_size=size, num_hidden_layers=1).save_pretrained(folder / "encoder")
    study = {
        "run": {
            "encoder": {"name": str(folder / "encoder")},
            "datasets": {"corpus": {"kind": "seq_in_out", "path": str(folder / "corpus")}},
            "tasks": {
                "intent": {"kind": "classification", "dataset": "corpus", "column": "intent"}
            },
            "training": {"epochs": EPOCHS, "batch_size": 4, "precision": "fp32"},
        },
        "search": {
            "optimizer.head_lr": {"log_range": [1e-3, 1e-1]},
            "weighting.kind": {"choice": ["fixed", "uncertainty"]},
        },
        "study": {"storage": str(folder / "runs"), "trials": 3},
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(study), encoding="utf-8")
    return path


def write_study(study: StudyFile, plan: str) -> StudyFolder:
    """Runs the trials of a study in this process, as a session would have it done.

    Args:
        study: The study.
        plan: How each trial ends: "c" = complete, "f" = failed, "r" = its driver is killed after an
            epoch. A study of which all trials ended is finished.
    """
    start = time.monotonic()
    assets = Assets.load(study.run, device=_CPU)
    with StudyFolder.opened(study, inputs_of(study.run, assets.data.datasets)) as folder:
        facts = facts_of(study, data_facts(study.run, assets.data))
        write_facts(folder, facts)
        sampler = study.study.sampler.build(study.study.seed, study.space)
        optuna_study = open_optuna(folder.journal, name=study.study.name, sampler=sampler)
        clock, history = StudyClock(optuna_study, start=start), History()
        clock.count()
        points = Points(
            optuna_study, study.space, total=len(plan), default_parameters=facts.default_parameters
        )
        run = study.run.model_dump(mode="json")
        recorder = Recorder(
            run, folder, history, defaults=facts.default_parameters, keep_checkpoints=1
        )
        watchers = StudyWatchers(study.study.name, None)
        with closing(watchers):
            parameters = study.space.shown
            watchers.add_files(file_watchers(folder.path, watchers.state, parameters, history))
            for end in plan:
                trial = points.draw()
                assert trial is not None
                _run_trial(trial, end, run, recorder, watchers, folder)
                clock.note()
            if "r" not in plan:
                result = _result(study, folder, history, run, clock)
                write_result(folder, result)
                summary = summarise(facts, folder, optuna_study, history, result)
                write_text(folder.report, render_report(summary, ()))
    return folder


def _run_trial(
    trial: OpenTrial,
    end: str,
    run: Mapping[str, object],
    recorder: Recorder,
    watchers: StudyWatchers,
    folder: StudyFolder,
) -> None:
    watchers.began(recorder.begin(trial.id, trial.overrides, trial.parameters))
    if end == "f":
        trial.end(None, has_failed=True)
        error = 'Traceback (most recent call last):\n  File "x", line 1\nValueError: no\n'
        watchers.ended(recorder.end(trial.id, "failed", error))
        return
    config = RunConfig.model_validate(override(run, trial.overrides))
    for report in train(config, checkpoint=folder.checkpoint(trial.id)):
        trial.observe(report)
        record = recorder.report(trial.id, report)
        assert record is not None
        watchers.reported(record)
        if end == "r":
            return
    trial.end(TrialResult(report, is_last=True), has_failed=False)
    watchers.ended(recorder.end(trial.id, "complete"))


def _result(
    study: StudyFile,
    folder: StudyFolder,
    history: History,
    run: Mapping[str, object],
    clock: StudyClock,
) -> Result:
    def score(record: TrialRecord) -> object:
        job = ScoreJob(
            TrialSpec(record.id, record.overrides, folder.checkpoint(record.id)),
            export=folder.best if record is history.best else None,
            dev=dev_scores(record),
            about=study.study.card,
        )
        config = RunConfig.model_validate(override(run, record.overrides))
        assets = Assets.load(config, device=_CPU)
        return score_on_test(job, config, assets, study.study.objective, Place(0, 1, _CPU))

    scored = {record.id: score(record) for record in unscored(history, Scoring(), has_model=False)}
    scoring = scoring_of(history, scored)
    write_scoring(folder, scoring)
    return result_of(history, scoring, objective=study.study.objective.kind, seconds=clock.stop())


def small_studies(folder: Path) -> Mapping[str, Path]:
    """Returns name -> folder of a finished, an interrupted and a failed study, made in a folder."""
    file = write_inputs(folder)
    plans = {"finished": ("cfc", 3), "interrupted": ("cr", 4), "failed": ("ff", 2)}
    return {
        name: write_study(
            load_study(str(file), [f"study.name={name}", f"study.trials={trials}"]), plan
        ).path
        for name, (plan, trials) in plans.items()
    }
