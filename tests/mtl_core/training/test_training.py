"""The training loop: its reports, exact resume, and its gradients."""

import math
import shutil
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import RunConfigFactory
from short_runs import EAGER, Settings, assert_same, run
from times import all_timeless

from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError, TrainingError
from mtl_core.training.loop import train
from mtl_core.training.objectives.joint_accuracy import JointAccuracy
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.objectives.minimum import Minimum
from mtl_core.training.plan import GlobalBatch, TrainingPlan
from mtl_core.training.report import Report


def test_a_run_learns_what_it_is_shown(run_config: RunConfigFactory) -> None:
    reports = list(train(run_config(EAGER)))
    first, last = reports[0], reports[-1]
    assert all(last.losses[task] < 0.5 * first.losses[task] for task in ("intent", "slots"))
    assert last.dev["intent"]["accuracy"] > 0.8
    assert last.dev["slots"]["f1"] > 0.6


def test_reports_count_epochs_and_steps(run_config: RunConfigFactory) -> None:
    reports = list(train(run_config({"training.epochs": 3})))
    assert [report.epoch for report in reports] == [1, 2, 3]
    assert [report.progress for report in reports] == [1.0, 2.0, 3.0]
    assert [report.step for report in reports] == [4, 8, 12]  # 60 rows in batches of 16
    assert all(report.seconds > 0 and report.sentences_per_second > 0 for report in reports)
    assert Report.from_json(reports[2].to_json()) == reports[2]


def test_reports_carry_the_best_so_far(run_config: RunConfigFactory) -> None:
    overrides: Settings = {"optimizer.encoder_lr": 1e-2, "training.epochs": 8}
    reports = list(train(run_config(overrides)))
    combined = [report.combined for report in reports]
    assert combined != sorted(combined)  # it goes up and down, or this would show nothing
    for number, report in enumerate(reports, start=1):
        assert report.best_combined == max(combined[:number])
        assert report.best_number == 1 + combined.index(max(combined[:number]))


def test_a_score_that_is_not_a_number_is_never_the_best(run_config: RunConfigFactory) -> None:
    class Given(Mean):
        def combine(self, main_scores: Mapping[str, float], joint_accuracy: float) -> float:
            return next(given)

    given = iter([math.nan, 0.5, math.inf, 0.5, math.nan, 0.6, -math.inf])
    reports = list(train(run_config({"training.epochs": 7}), objective=Given()))
    assert [report.best_number for report in reports] == [0, 2, 2, 2, 2, 6, 6]
    assert math.isnan(reports[0].best_combined)
    assert [report.best_combined for report in reports[1:]] == [0.5, 0.5, 0.5, 0.5, 0.6, 0.6]


def test_joint_accuracy_needs_a_task_that_knows_right(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(f'{{"text": "play {n}", "stars": {n}}}' for n in range(8)))
    splits = dict.fromkeys(("train", "dev"), str(path))
    stars = {"kind": "regression", "dataset": "rows", "column": "stars"}
    config = run_config(
        {"datasets": {"rows": {"kind": "jsonl", "splits": splits}}, "tasks": {"stars": stars}}
    )
    with pytest.raises(ConfigError, match=r"study\.objective: joint_accuracy needs a task whose"):
        next(train(config, objective=JointAccuracy()))
    assert next(train(config)).epoch == 1


def test_combined_is_the_objective_on_dev(run_config: RunConfigFactory) -> None:
    [report] = train(run_config({"training.epochs": 1}), objective=Minimum())
    assert report.combined == min(report.dev["intent"]["accuracy"], report.dev["slots"]["f1"])


def test_auxiliary_tasks_do_not_count(run_config: RunConfigFactory) -> None:
    reports = list(train(run_config({"tasks.slots.auxiliary": True})))
    assert all(report.combined == report.dev["intent"]["accuracy"] for report in reports)
    assert all(report.dev["slots"].keys() >= {"f1"} for report in reports)


@pytest.mark.parametrize("per_epoch", [1, 2])
def test_mixing_sees_the_main_dev_scores_of_epochs_so_far(
    run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch, per_epoch: int
) -> None:
    seen: list[object] = []
    epoch = TrainingPlan.epoch

    def spied(*args: Any) -> Iterator[GlobalBatch]:
        seen.append(args[-1])
        return epoch(*args)

    monkeypatch.setattr(TrainingPlan, "epoch", spied)
    settings: Settings = {"mixing.kind": "progress", "training.epochs": 3}
    reports = list(train(run_config({**settings, "training.reports_per_epoch": per_epoch})))
    scores = [
        {"intent": report.dev["intent"]["accuracy"], "slots": report.dev["slots"]["f1"]}
        for report in reports[per_epoch - 1 :: per_epoch]
    ]
    assert seen == [scores[:0], scores[:1], scores[:2]]


def test_closing_the_generator_stops_the_run(run_config: RunConfigFactory, tmp_path: Path) -> None:
    reports = train(run_config({"training.epochs": 50}), checkpoint=tmp_path)
    next(reports)
    reports.close()
    assert list(reports) == []
    assert len(torch.load(tmp_path / "state.pt", weights_only=True)["reports"]) == 1


def test_same_seed_gives_the_same_run(
    run_config: RunConfigFactory, tiny_encoder_with_dropout: Path, tmp_path: Path
) -> None:
    encoder: Settings = {"encoder.name": str(tiny_encoder_with_dropout)}
    reports, weights = run(run_config(encoder), tmp_path / "first")
    torch.rand(7)  # whatever was drawn between two runs
    again, same_weights = run(run_config(encoder), tmp_path / "again")
    assert all_timeless(again) == all_timeless(reports)
    assert_same(weights, same_weights)
    [other, _] = train(run_config(encoder | {"seed": 1}))
    assert other.losses != reports[0].losses


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_resumed_run_is_the_uninterrupted_one_bit_by_bit(
    run_config: RunConfigFactory, tiny_encoder_with_dropout: Path, tmp_path: Path, stop: int
) -> None:
    config = run_config(
        {
            "encoder.name": str(tiny_encoder_with_dropout),
            "weighting.kind": "uncertainty",
            "optimizer.encoder_lr": 1e-3,
            "optimizer.averaging": 0.1,
            "training.word_dropout": 0.2,
            "training.epochs": 4,
        }
    )
    whole, weights = run(config, tmp_path / "whole")
    before = list(islice(train(config, checkpoint=tmp_path / "parts"), stop))
    resumed, resumed_weights = run(config, tmp_path / "parts")
    assert resumed[:stop] == before  # told again, times included
    assert all_timeless(resumed) == all_timeless(whole)
    assert_same(weights, resumed_weights)
    best = "best.safetensors"
    assert (tmp_path / "whole" / best).read_bytes() == (tmp_path / "parts" / best).read_bytes()


def test_checkpoint_of_another_recipe_is_refused(
    run_config: RunConfigFactory, corpus: Path, tmp_path: Path
) -> None:
    folder, data = tmp_path / "run", tmp_path / "data"
    shutil.copytree(corpus, data)
    config = run_config({"datasets.corpus.path": str(data)})
    first = next(train(config, checkpoint=folder))
    assert next(train(config, checkpoint=folder)) == first

    def is_refused(config: RunConfig, what: str, objective: Minimum | None = None) -> None:
        message = rf"holds the checkpoint of another recipe: {what}; choose another folder"
        with pytest.raises(ConfigError, match=message):
            next(train(config, checkpoint=folder, objective=objective))

    other = {"optimizer.head_lr": 2e-3, "datasets.corpus.path": str(data)}
    is_refused(run_config(other), r"run\.optimizer\.head_lr = 0\.001, here it is 0\.002")
    other |= {"training.epochs": 5, "seed": 3}
    is_refused(run_config(other), r"run\.[a-z_.]+ = .*, here it is .* and 2 more")
    is_refused(config, "objective.kind = mean, here it is minimum and 1 more", Minimum())
    labels = data / "train" / "label"
    labels.write_text("".join(reversed(labels.read_text().splitlines(keepends=True))))
    is_refused(config, "the content of data set 'corpus' has changed")
    shutil.copy(corpus / "train" / "label", labels)
    next(train(config, checkpoint=folder))
    for split in ("train", "dev", "test"):  # other names, the same ids
        tags = data / split / "seq.out"
        tags.write_text(tags.read_text().replace("-date", "-date_"))
    is_refused(config, "the content of data set 'corpus' has changed")


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty", "stch", "famo", "upgrad"])
def test_accumulated_parts_make_the_update_of_the_whole_batch(
    run_config: RunConfigFactory, tmp_path: Path, weighting: str
) -> None:
    # fp32, 8 steps at a rate of 1e-3. Sums in another order differ by rounding, which AdamW
    # enlarges where a gradient is nearly 0: up to 1e-4 in a few weights, 1e-5 in the losses.
    common: Settings = {
        "weighting.kind": weighting,
        "optimizer.encoder_lr": 1e-3,
        "tasks.intent.head.dropout": 0,
        "tasks.slots.head.dropout": 0,
    }
    whole, weights = run(run_config(common), tmp_path / "whole")
    parts = run_config(common | {"training.accumulation": 4})
    accumulated, same_weights = run(parts, tmp_path / "parts")
    assert_same(weights, same_weights, tolerance=1e-4)
    for one, other in zip(whole, accumulated, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-5)
        assert one.weights == pytest.approx(other.weights, rel=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_loss_that_is_not_finite_ends_the_run(run_config: RunConfigFactory, precision: str) -> None:
    overrides: Settings = {"optimizer.encoder_lr": 1e30, "training.precision": precision}
    message = r"epoch \d, step \d: the loss of task '\w+' is nan; lower optimizer\.encoder_lr"
    if precision == "fp16":
        message += r".*; fp16 ends at 65504, so try training\.precision=fp32"
    with pytest.raises(TrainingError, match=message):
        list(train(run_config(overrides)))


def test_bf16_stays_near_fp32(run_config: RunConfigFactory) -> None:
    single = list(train(run_config({"optimizer.encoder_lr": 1e-3})))
    half = list(train(run_config({"optimizer.encoder_lr": 1e-3, "training.precision": "bf16"})))
    assert half[-1].losses == pytest.approx(single[-1].losses, rel=0.01)
    assert half[-1].losses != single[-1].losses


@pytest.mark.parametrize("kind", ["famo", "gradnorm", "pcgrad", "upgrad", "nash"])
def test_weightings_in_bf16_stay_near_fp32(run_config: RunConfigFactory, kind: str) -> None:
    common: Settings = {"weighting.kind": kind, "optimizer.encoder_lr": 1e-3}
    single = list(train(run_config(common)))
    half = list(train(run_config(common | {"training.precision": "bf16"})))
    assert half[-1].losses == pytest.approx(single[-1].losses, rel=0.03)
    assert half[-1].weights == pytest.approx(single[-1].weights, rel=0.2, abs=0.05)
