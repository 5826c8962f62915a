"""Reports within epochs: exact resume behind each of them, samples of dev, the steps between."""

import dataclasses
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import RunConfigFactory
from short_runs import Settings, assert_same
from times import TIMES, all_timeless

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.data.dev_sample import drawn_examples, sample_of_dev
from mtl_core.errors import ConfigError
from mtl_core.training.best import read_best
from mtl_core.training.loop import train
from mtl_core.training.plan import parts_of
from mtl_core.training.progress import Progress
from mtl_core.training.report import Report

_CPU = torch.device("cpu")

HARD: Settings = {
    # What an epoch has come to, in every form: losses for DWA, looks at gradients, dropout, the
    # order of two data sets, the states that frozen layers make of them, the average of weights.
    "weighting": {"kind": "dwa"},
    "mixing": {"kind": "progress"},
    "freezing": {"kind": "gradual"},
    "optimizer.averaging": 0.15,
    "training.epochs": 3,
    "training.batch_size": 10,
    "training.accumulation": 2,
    "training.gradients_every": 2,
    "training.reports_per_epoch": 4,
    "training.report_rows": 8,
}


@pytest.fixture(scope="module")
def hard(run_config: RunConfigFactory, tiny_encoder_with_dropout: Path) -> RunConfig:
    config = run_config({**HARD, "encoder.name": str(tiny_encoder_with_dropout)})
    other = config.datasets["corpus"].model_dump(mode="json")
    both = {"datasets.other": other, "tasks.slots.dataset": "other"}
    return run_config({**HARD, "encoder.name": str(tiny_encoder_with_dropout), **both})


@pytest.fixture(scope="module")
def assets(hard: RunConfig) -> Assets:
    return Assets.load(hard, device=_CPU)


@pytest.fixture(scope="module")
def whole(
    hard: RunConfig, assets: Assets, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Report], Path]:
    """An undisturbed run."""
    folder = tmp_path_factory.mktemp("whole")
    return list(train(hard, checkpoint=folder, assets=assets)), folder


def test_reports_count_parts_of_epochs(whole: tuple[list[Report], Path]) -> None:
    reports, folder = whole
    assert [report.number for report in reports] == list(range(1, 13))
    assert [report.progress for report in reports] == [n / 4 for n in range(1, 13)]
    assert [report.epoch for report in reports] == [1] * 4 + [2] * 4 + [3] * 4
    assert [report.is_sample for report in reports] == [True, True, True, False] * 3
    # 12 steps an epoch: 60 rows in batches of 10, twice.
    assert [report.step for report in reports] == [3 * n for n in range(1, 13)]
    assert all(report.seconds > 0 and report.sentences_per_second > 0 for report in reports)
    # Of those on all of dev, which are the ends of the epochs.
    ends = reports[3::4]
    best = max(ends, key=lambda report: report.combined)
    assert read_best(folder).number == ends[-1].best_number == best.number


# The first of an epoch, one within it, the last, in epochs with other parts that train.
@pytest.mark.parametrize("killed", [1, 3, 4, 6, 9, 11])
def test_a_run_that_is_killed_after_a_report_goes_on_as_if_it_had_not_been(
    hard: RunConfig,
    assets: Assets,
    whole: tuple[list[Report], Path],
    tmp_path: Path,
    killed: int,
) -> None:
    reports, folder = whole
    first = train(hard, checkpoint=tmp_path, assets=assets)
    assert len(list(itertools.islice(first, killed))) == killed
    first.close()
    torch.manual_seed(killed)  # Another process begins with other generators.
    again = list(train(hard, checkpoint=tmp_path, assets=assets))
    assert all_timeless(again) == all_timeless(reports)
    ours, theirs = (torch.load(path / "state.pt", weights_only=True) for path in (tmp_path, folder))
    assert_same(ours["model"], theirs["model"])
    assert str(ours["optimizer"]) == str(theirs["optimizer"])
    assert str(ours["weighting"]) == str(theirs["weighting"])
    name = "best.safetensors"
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_who_takes_a_report_may_draw_random_numbers(
    hard: RunConfig, assets: Assets, whole: tuple[list[Report], Path]
) -> None:
    found = []
    for report in itertools.islice(train(hard, assets=assets), 5):
        found.append(report)
        torch.rand(7)
    assert all_timeless(found) == all_timeless(whole[0][:5])


def test_reporting_more_often_leaves_the_run_as_it_is(
    run_config: RunConfigFactory, tiny_encoder_with_dropout: Path
) -> None:
    settings: Settings = {
        "encoder.name": str(tiny_encoder_with_dropout),
        # Word embeddings that train come to all reports up to date, which rounds them otherwise.
        "freezing": {"kind": "embeddings"},
        "weighting": {"kind": "dwa"},
        "training.gradients_every": 1,
        "training.epochs": 3,
    }
    once = list(train(run_config(settings)))
    often = list(train(run_config({**settings, "training.reports_per_epoch": 3})))
    for ours, theirs in zip(often[2::3], once, strict=True):
        changed = {
            field.name
            for field in dataclasses.fields(Report)
            if getattr(ours, field.name) != getattr(theirs, field.name)
        }
        assert changed <= {"number", "best_number", "best_combined", *TIMES}


@pytest.mark.parametrize(
    ("steps", "reports", "ends"),
    [(10, 1, [10]), (10, 3, [4, 7, 10]), (4, 4, [1, 2, 3, 4]), (13, 4, [4, 7, 10, 13])],
)
def test_parts_end_when_at_least_their_share_is_done(
    steps: int, reports: int, ends: list[int]
) -> None:
    parts = parts_of(steps, reports)
    assert [part[-1] for part in parts] == ends
    assert [step for part in parts for step in part] == list(range(1, steps + 1))
    assert all(end >= steps * n / reports for n, end in enumerate(ends, 1))


def test_an_epoch_has_a_step_for_each_report(run_config: RunConfigFactory) -> None:
    with pytest.raises(
        ConfigError,
        match=r"run\.training\.reports_per_epoch: expected at most a report for each step, found "
        r"5 reports for an epoch of 4 steps$",
    ):
        next(train(run_config({"training.reports_per_epoch": 5})))


def test_rows_of_reports_without_reports_are_refused(run_config: RunConfigFactory) -> None:
    with pytest.raises(ValueError, match="report_rows: 8 has no effect, as with reports_per_epoch"):
        run_config({"training.report_rows": 8})


def test_a_sample_of_all_rows_is_no_sample(run_config: RunConfigFactory) -> None:
    settings: Settings = {"training.reports_per_epoch": 2, "training.epochs": 1}
    plain = all_timeless(list(train(run_config(settings))))
    assert all_timeless(list(train(run_config({**settings, "training.report_rows": 24})))) == plain
    assert not any(report.is_sample for report in plain)


def test_progress_tells_of_training_alone(run_config: RunConfigFactory, tmp_path: Path) -> None:
    settings = {"training.reports_per_epoch": 2, "training.epochs": 1, "training.batch_size": 10}
    told: list[Progress] = []
    list(train(run_config(settings), on_progress=told.append))
    phases = [phase for phase, _ in itertools.groupby(one.phase for one in told)]
    assert phases == ["preparing", "training", "scoring", "training", "scoring"]
    assert [one.step for one in told if one.phase == "scoring"] == [3, 6]
    # The clock stands still while a report is scored.
    stops = [index for index, one in enumerate(told) if one.phase == "scoring"]
    assert told[stops[0]].seconds == told[stops[0] + 1].seconds
    first = train(run_config(settings), checkpoint=tmp_path)
    next(first)
    first.close()
    told.clear()
    list(train(run_config(settings), checkpoint=tmp_path, on_progress=told.append))
    assert [one.step for one in told if one.phase == "training"] == [3, 4, 5, 6]
    assert told[-1].sentences == 30
    assert told[1].sentences_per_second is None
    assert told[-1].epoch_seconds == pytest.approx(told[-1].seconds / 3 * 6)


def test_a_run_of_a_version_without_these_settings_goes_on(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    config = run_config()
    whole = list(train(config))
    first = train(config, checkpoint=tmp_path)
    next(first)
    first.close()
    state: dict[str, Any] = torch.load(tmp_path / "state.pt", weights_only=True)
    del state["so_far"]
    old = config.model_dump(mode="json")
    del old["training"]["reports_per_epoch"], old["training"]["report_rows"]
    state["recipe"]["run"] = json.dumps(old)
    torch.save(state, tmp_path / "state.pt")
    (tmp_path / "best.safetensors").unlink()
    assert all_timeless(list(train(config, checkpoint=tmp_path))) == all_timeless(whole)


@pytest.fixture(scope="module")
def sparse(
    run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], Assets]:
    """Makes data whose dev has so many rows, one in ten with a label of the second task."""

    def make(rows: int) -> Assets:
        path = tmp_path_factory.mktemp("sparse") / "rows.csv"
        lines = [f"text {n},{'ab'[n % 2]},{'xy'[n // 10 % 2] if n % 10 == 0 else ''}"
                 for n in range(rows)]  # fmt: skip
        path.write_text("text,first,second\n" + "\n".join(lines) + "\n")
        section = {"kind": "csv", "splits": {"train": str(path), "dev": str(path)}}
        tasks = {
            name: {"kind": "classification", "dataset": "rows", "column": name}
            for name in ("first", "second")
        }
        config = run_config({"datasets": {"rows": section}, "tasks": tasks})
        return Assets.load(config, device=_CPU)

    return make


def test_each_task_is_scored_on_as_many_rows_as_it_has(
    sparse: Callable[[int], Assets],
) -> None:
    datasets = sparse(400).data.datasets
    split = datasets["rows"].splits["dev"]
    drawn = drawn_examples(split, 30, seed=3)
    labelled = np.array([len(gold) > 0 for gold in split.gold("second")])
    assert (np.diff(drawn) > 0).all()
    assert int(labelled[drawn].sum()) == 30
    # 30 of the 40 with both labels, and the first 30 in the same random order.
    assert 30 < len(drawn) <= 60
    assert (drawn_examples(split, 30, seed=3) == drawn).all()
    assert drawn_examples(split, 30, seed=4).tolist() != drawn.tolist()
    sampled = sample_of_dev(datasets, 30, seed=3)
    assert sampled is not None
    found = sampled["rows"].splits["dev"]
    assert len(found) == len(drawn)
    for number, row in enumerate(drawn.tolist()):
        assert (found.token_ids.row(number) == split.token_ids.row(row)).all()
    assert sample_of_dev(datasets, 400, seed=3) is None
    assert sample_of_dev(datasets, None, seed=3) is None


def test_samples_have_no_favourite_rows(sparse: Callable[[int], Assets]) -> None:
    split = sparse(40).data.datasets["rows"].splits["dev"]
    counts = np.zeros(40)
    for seed in range(400):
        drawn = drawn_examples(split, 8, seed=seed)
        counts[drawn] += 1
    # "second" has 4 labelled rows, all of which are drawn; of the others about 8 in 40.
    assert (counts[::10] == 400).all()
    others = np.delete(counts, np.arange(0, 40, 10))
    expected = 400 * 8 / 40
    assert abs(others - expected).max() < 5 * math.sqrt(expected)
