"""What a study knows of earlier ones: read from real folders, and kept as it was."""

import json
import math
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import optuna
import pytest
from conftest import RunConfigFactory
from trials import report

from mtl_core.assets import load_data
from mtl_core.errors import ConfigError
from mtl_core.kept import BrokenError
from mtl_core.study_file import dump
from tuning.search.points import Points
from tuning.space.priors import NormalPrior, OptionsPrior
from tuning.study.config import StudyFile
from tuning.study.data_facts import DataFacts, data_facts
from tuning.study.folder import StudyFolder
from tuning.study.journal import open_optuna
from tuning.study.knowing import known_of
from tuning.study.known import KnownFacts, KnownPrior, read_known, write_known
from tuning.study.load import load_study
from tuning.trainers.tune_values import TrialResult

NO_DATA = DataFacts((), (), ())
RATE = {"optimizer.encoder_lr": {"log_range": [1e-5, 1e-3]}}


def study_of(storage: Path, run: object, search: object, **study: object) -> StudyFile:
    raw = {"name": "now", "storage": str(storage), "trials": 9, **study}
    return StudyFile.model_validate({"run": run, "search": search, "study": raw})


def ran(study: StudyFile, scores: Mapping[int, float] | None = None) -> Path:
    """Writes the folder of a study whose trials have ended; returns it. Trial 3 was stopped."""
    folder = StudyFolder(study.folder)
    folder.trials.mkdir(parents=True)
    folder.study.write_text(dump(study))
    sampler = optuna.samplers.RandomSampler(seed=5)
    journal = open_optuna(folder.journal, name=study.study.name, sampler=sampler)
    points = Points(
        journal, study.space, total=study.trials, default_parameters=study.default_parameters
    )
    number = 0
    while (point := points.draw()) is not None:
        if scores is None or number in scores:
            last = report(1, (scores or {}).get(number, 0.1 * number))
            point.observe(last)
            point.end(TrialResult(last, is_last=number != 3), has_failed=False)
        else:
            point.end(None, has_failed=True)
        number += 1
    return folder.path


@pytest.fixture
def run(run_config: RunConfigFactory) -> object:
    return run_config().model_dump(mode="json")


def test_trials_are_read_the_best_first_and_stopped_ones_last(tmp_path: Path, run: object) -> None:
    before = study_of(tmp_path, run, RATE, name="before", trials=5)
    path = ran(before, {0: 0.2, 1: 0.9, 2: 0.4, 3: 0.95})
    files = {one: one.read_bytes() for one in path.rglob("*") if one.is_file()}
    [known] = known_of(study_of(tmp_path, run, RATE, warm_start=[str(path)]), NO_DATA).studies
    journal = open_optuna(path / "optuna.journal", name="", sampler=optuna.samplers.RandomSampler())
    rates = [one.params.get("optimizer.encoder_lr") for one in journal.trials]
    # Trial 4 failed; what trial 0 has stands in its recipe.
    rates[0] = before.run.optimizer.encoder_lr
    assert [point["optimizer.encoder_lr"] for point in known.points] == [
        rates[1], rates[2], rates[0], rates[3],
    ]  # fmt: skip
    assert known.trials == 5
    assert {one: one.read_bytes() for one in path.rglob("*") if one.is_file()} == files


BEFORE = {
    "optimizer.encoder_lr": {"log_range": [1e-6, 1e-2]},
    "optimizer.warmup": {"range": [0.0, 0.5]},
    "training.batch_size": {"choice": [8, 16, 32]},
    "freezing": {
        "choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": {"int_range": [1, 2]}}]
    },
}
NOW = {
    "optimizer.encoder_lr": {"log_range": [1e-5, 1e-3]},
    "optimizer.head_lr": {"log_range": [1e-4, 1e-2]},
    "training.batch_size": {"ordered": [16, 32, 64]},
    "freezing": {
        "choice": [
            {"kind": "none"},
            {"kind": "lower_layers", "layers": 1},
            {"kind": "lower_layers", "layers": 2},
        ]
    },
}


def test_spaces_that_differ_are_read_by_what_recipes_mean(tmp_path: Path, run: object) -> None:
    """Ranges that are narrower, keys that are gone or new, options under other labels."""
    before = study_of(tmp_path, run, BEFORE, name="before", trials=30)
    now = study_of(tmp_path, run, NOW, warm_start=[str(ran(before))])
    [known] = known_of(now, NO_DATA).studies
    space = {one.name: one.domain for one in now.space.parameters}
    journal = open_optuna(
        before.folder / "optuna.journal", name="", sampler=optuna.samplers.RandomSampler()
    )
    best = max(
        (one for one in journal.trials if one.state.name == "COMPLETE"), key=lambda t: t.value
    )
    theirs, ours = best.params, known.points[0]
    rate = theirs["optimizer.encoder_lr"]
    assert ours.get("optimizer.encoder_lr") == (rate if 1e-5 <= rate <= 1e-3 else None)
    assert "optimizer.warmup" not in ours
    # It had a fixed value: known of each trial, but nothing to learn from.
    assert {point["optimizer.head_lr"] for point in known.points} == {1e-3}
    assert set(known.earlier.varied) == {
        "optimizer.encoder_lr", "training.batch_size", "freezing.kind",
    }  # fmt: skip
    labels = {point["freezing.kind"] for point in known.points}
    assert labels == set(space["freezing.kind"].options)
    sizes = {
        space["training.batch_size"].in_effect(point["training.batch_size"])
        for point in known.points
        if "training.batch_size" in point
    }
    assert sizes == {16, 32}


def test_what_cannot_be_read_is_refused_in_a_line(tmp_path: Path, run: object) -> None:
    def refused(folder: Path) -> str:
        with pytest.raises(ConfigError) as caught:
            known_of(study_of(tmp_path, run, RATE, warm_start=[str(folder)]), NO_DATA)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert refused(tmp_path / "no").endswith("there is no such folder")
    assert "is this study itself" in refused(tmp_path / "now")
    good = ran(study_of(tmp_path, run, RATE, name="good", trials=3))
    broken = shutil.copytree(good, tmp_path / "broken")
    journal = broken / "optuna.journal"
    journal.write_bytes(journal.read_bytes()[200:])
    assert refused(broken).startswith(
        f"study.warm_start: {journal}:1: a file of the study is broken"
    )
    shutil.copytree(good, tmp_path / "empty")
    (tmp_path / "empty" / "optuna.journal").unlink()
    assert "no trial was begun" in refused(tmp_path / "empty")
    failed = ran(study_of(tmp_path, run, RATE, name="failed", trials=2), {})
    assert "no trial of that study reached a score" in refused(failed)
    other = {"optimizer.warmup": {"range": [0.0, 0.5]}}
    foreign = ran(study_of(tmp_path, run, other, name="foreign", trials=3))
    assert "say nothing of what is searched here" in refused(foreign)


def test_what_was_known_stays_as_it_was(tmp_path: Path, run: object) -> None:
    before = ran(study_of(tmp_path, run, RATE, name="before", trials=4))
    study = study_of(tmp_path, run, RATE, warm_start=[str(before)])
    folder = StudyFolder(study.folder)
    found = known_of(study, NO_DATA)
    folder.trials.mkdir(parents=True)
    write_known(folder, found)
    shutil.rmtree(before)
    assert known_of(study, NO_DATA) == found == read_known(folder)
    # Its own journal is not touched, and has none of these trials.
    open_optuna(folder.journal, name="now", sampler=optuna.samplers.RandomSampler())
    (folder.path / "known.json").write_text('{"priors": [')
    with pytest.raises(BrokenError, match=r"known\.json: a file of the study is broken: no JSON"):
        known_of(study, NO_DATA)
    (folder.path / "known.json").unlink()
    with pytest.raises(BrokenError, match=r"known\.json: there is no such file any more"):
        known_of(study, NO_DATA)


def test_priors_are_kept_as_well(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    facts = KnownFacts(
        (
            KnownPrior("optimizer.encoder_lr", NormalPrior(0.5, 0.1), "about 1e-4"),
            KnownPrior("weighting.kind", OptionsPrior((0.5, 0.25, 0.25)), "fixed"),
        )
    )
    write_known(folder, facts)
    assert read_known(folder) == facts
    assert facts.known.priors == {
        "optimizer.encoder_lr": NormalPrior(0.5, 0.1),
        "weighting.kind": OptionsPrior((0.5, 0.25, 0.25)),
    }
    assert list(facts.lines()) == [
        "prior of optimizer.encoder_lr: about 1e-4", "prior of weighting.kind: fixed",
    ]  # fmt: skip
    write_known(StudyFolder(tmp_path / "nothing"), KnownFacts())
    assert not (tmp_path / "nothing").exists()


def test_shipped_priors_are_for_keys_without_one(
    tmp_path: Path, run_config: RunConfigFactory
) -> None:
    config = run_config()
    search = {
        **RATE,
        "optimizer.head_lr": {"log_range": [1e-4, 1e-2], "prior": {"likely": 1e-3}},
        "optimizer.schedule": {"choice": ["linear", "cosine"]},
    }
    study = study_of(tmp_path, config.model_dump(mode="json"), search, prior="shipped")
    data = data_facts(config, load_data(config))
    [known] = known_of(study, data).priors
    assert known.name == "optimizer.encoder_lr"
    # Of a tiny encoder, in runs of few steps: 4e-4 / 0.65 ** log10(1000 / 50).
    likely = 4e-4 / 0.65 ** math.log10(20)
    assert known.text == f"about {likely:.2g}, times or divided by 2.5"
    assert (
        known_of(study_of(tmp_path, config.model_dump(mode="json"), search), data) == KnownFacts()
    )


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        (
            {"warm_start": ["runs/before"], "sampler": {"kind": "random"}},
            "study.warm_start: the sampler 'random' makes no use of it",
        ),
        (
            {"prior": "shipped", "sampler": {"kind": "grid"}},
            "study.prior: the sampler 'grid' makes no use of it",
        ),
        ({"prior": "shiped"}, "study.prior: expected 'none' or 'shipped'"),
    ],
)
def test_what_the_sampler_makes_no_use_of_is_refused(
    tmp_path: Path, run: object, settings: dict, wrong: str
) -> None:
    search = {"training.batch_size": {"choice": [16, 32]}}
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps({"run": run, "search": search, "study": {"trials": 2, **settings}}))
    with pytest.raises(ConfigError, match=re.escape(wrong)) as caught:
        load_study(str(path))
    assert str(caught.value).startswith(f"{path}:1")


def test_likely_points_are_tried_first(tmp_path: Path, run: object) -> None:
    search = {**RATE, "optimizer.schedule": {"choice": ["linear", "cosine"]}, "try": "auto"}
    study = study_of(tmp_path, run, search)
    assert dump(study).count("try: auto") == 1
    known = known_of(study, NO_DATA)
    assert known.priors == ()  # They are no part of what samplers draw from.
    assert [point.keys() for point in known.first] == [{"optimizer.encoder_lr"}] * 4
    journal = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    points = Points(
        journal, study.space, total=9, default_parameters=study.default_parameters,
        first=(*study.given_points[1:], *known.first),
    )  # fmt: skip
    drawn = [points.draw() for _ in range(5)]
    rates = [one.parameters["optimizer.encoder_lr"] for one in drawn if one is not None]
    assert rates[1:] == [point["optimizer.encoder_lr"] for point in known.first]
    nothing = {"optimizer.schedule": {"choice": ["linear", "cosine"]}, "try": "auto"}
    with pytest.raises(ConfigError, match=r"^search.try: found 'auto', and nothing is known of"):
        known_of(study_of(tmp_path, run, nothing), NO_DATA)
