"""Runs that write: their reports, the search over their decoding, and their saved models."""

import math
from pathlib import Path

import pytest
import torch
from writing_runs import ROWS, writing_run

from mtl_core.assets import Assets, build_collator, build_tasks
from mtl_core.config import RunConfig
from mtl_core.export import export_best
from mtl_core.predictor import Predictor
from mtl_core.samples import read_samples, samples_table
from mtl_core.training.dev_half import DevHalf, TrainedModel, halves
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import evaluate
from mtl_core.training.loop import train
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.report_texts import as_due

CPU = Place(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("writing")


def trained_model(config: RunConfig) -> TrainedModel:
    """A model with random weights, ready to be scored."""
    assets = Assets.load(config, device=CPU.device)
    torch.manual_seed(1)
    model = assets.new_model(config, build_tasks(config, assets.data.datasets)).eval()
    collator = build_collator(config, assets.data.tokenizer)
    return TrainedModel(config, model, assets.data.datasets, Mean(), CPU, "fp32", collator)


def test_reports_between_texts_stand_on_those_before_and_are_never_the_best(
    folder: Path, tmp_path: Path
) -> None:
    config = writing_run(folder, {"training.epochs": 4, "tasks.reply.generate": {"every": 2}})
    reports = list(train(config, checkpoint=tmp_path / "run"))
    scores = [report.dev["reply"] for report in reports]
    assert all(math.isfinite(one["chrf"]) for one in scores)
    assert scores[1]["chrf"] == scores[0]["chrf"]
    assert reports[1].combined == reports[0].combined
    # What needs no text is of the moment; the last report has texts of its own.
    assert len({one["perplexity"] for one in scores}) == 4
    assert len({scores[n]["chrf"] for n in (0, 2, 3)}) == 3
    assert reports[1].best_number == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"tasks.reply.decoding.max_new_tokens": 3},
        {"tasks.reply.decoding.kind": "beam", "tasks.reply.decoding.beams": 2},
        {"tasks.reply.decoding": {"kind": "greedy", "max_new_tokens": 4, "min_new_tokens": 4}},
    ],
    ids=["shorter", "beam", "whole"],
)
def test_other_decoding_is_scored_on_a_half_as_an_evaluation_would(
    folder: Path, settings: dict[str, object]
) -> None:
    sample = {"kind": "sample", "max_new_tokens": 8, "top_k": 5}
    trained = trained_model(writing_run(folder, {"tasks.reply.decoding": sample}))
    choosing, _ = halves(trained)
    half = DevHalf(trained, choosing)
    found = half.scored(other := trained.with_settings(settings))

    def evaluated(one: TrainedModel) -> dict[str, dict[str, float]]:
        return evaluate(
            one.model, one.tasks, choosing, split="dev", place=CPU, precision="fp32",
            collator=one.collator,
        ).scores  # fmt: skip

    assert (half.own.scores, found.scores) == (evaluated(trained), evaluated(other))
    assert half.own.scores["reply"]["chrf"] != found.scores["reply"]["chrf"]


def test_a_half_writes_for_half_as_many_examples_as_a_report(folder: Path) -> None:
    trained = trained_model(writing_run(folder, {"tasks.reply.generate": {"rows": 5}}))
    choosing, _ = halves(trained)
    fewer = trained.with_settings({"tasks.reply.generate": {"rows": 3}})
    few = evaluate(
        trained.model, as_due(fewer.tasks, (), is_last=True), choosing, split="dev",
        place=CPU, precision="fp32", collator=trained.collator,
    )  # fmt: skip
    assert DevHalf(trained, choosing).own.scores == few.scores
    assert few.rows == len(ROWS) / 2


def test_a_saved_model_has_samples_beside_what_is_right(folder: Path, tmp_path: Path) -> None:
    config = writing_run(folder)
    assets = Assets.load(config, device=CPU.device)
    for _ in train(config, checkpoint=tmp_path / "run", assets=assets):
        pass
    model = tmp_path / "model"
    export_best(tmp_path / "run", model, config=config, assets=assets, dev={}, test=None)
    found = read_samples(model)["reply"]
    right = {row["text"]: row["reply"] for row in ROWS}
    assert len({one.source for one in found}) == 5
    for one in found:
        assert one.gold == right[one.source.strip()]
    # The saved model writes the same, and its card shows it.
    texts = [one.source.strip() for one in found]
    said = Predictor.load(model)(texts)
    assert [one["reply"] for one in said] == [one.written for one in found]
    assert samples_table(found) in (model / "README.md").read_text()
