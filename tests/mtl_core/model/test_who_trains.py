"""Which rows, tasks and parts of the model take part in training."""

from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory, write_seq_in_out
from short_runs import EAGER, Settings, assert_same, run

from mtl_core.data.example import Example
from mtl_core.model.backbones.tokenizer import load_tokenizer
from mtl_core.training.loop import train

PLAIN: Settings = {
    # One step an epoch, nothing shared between the tasks but the frozen encoder.
    "freezing": {"kind": "encoder"},
    "training.batch_size": 1000,
    "optimizer.clip_norm": None,
    "optimizer.schedule": "constant",
    "tasks.intent.head.dropout": 0,
    "tasks.slots.head.dropout": 0,
}
INTENT = {"kind": "classification", "dataset": "corpus", "column": "intent"}
NO_TEST: Settings = {"datasets.corpus.splits": {"test": None}}


def test_rows_without_a_label_train_the_other_tasks_only(
    run_config: RunConfigFactory, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    full = [example for example in sample["train"] if len(example.labels) == 2][:40]
    # The second half loses its intents; each intent and tag stands in the first half too.
    half = [*full[:20], *(Example(row.words, {"slots": row.labels["slots"]}) for row in full[:20])]
    for name, rows in (("half", half), ("first", full[:20])):
        for split in ("train", "dev"):
            write_seq_in_out(tmp_path / name / split, rows)
    results = {}
    for name in ("half", "first"):
        config = run_config(PLAIN | {"datasets.corpus.path": str(tmp_path / name)} | NO_TEST)
        results[name] = run(config, tmp_path / f"run-{name}")
    # Rows without intent change nothing for the intents: as if they were not there (to rounding).
    for one, other in zip(results["half"][0], results["first"][0], strict=True):
        assert one.losses["intent"] == pytest.approx(other.losses["intent"], rel=1e-6)
    for name in ("weight", "bias"):
        key = f"heads.head_intent.body.1.{name}"
        torch.testing.assert_close(results["half"][1][key], results["first"][1][key])


def test_rows_without_any_label_take_no_part(
    run_config: RunConfigFactory, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    rows = [example for example in sample["train"] if len(example.labels) == 2][:8]
    write_seq_in_out(tmp_path / "train", [*rows, *(Example(row.words) for row in rows)])
    write_seq_in_out(tmp_path / "dev", rows)
    config = run_config({"datasets.corpus.path": str(tmp_path), "training.batch_size": 4} | NO_TEST)
    reports = list(train(config))
    assert [report.step for report in reports] == [2, 4]


def test_task_of_weight_zero_is_scored_but_trains_nothing(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    # The head of the second task is drawn after that of the first, so both runs start alike.
    alone = run_config({"tasks": {"intent": INTENT}})
    reports, weights = run(alone, tmp_path / "alone")
    beside, all_weights = run(run_config({"tasks.slots.weight": 0}), tmp_path / "beside")
    head = {name for name in all_weights if "head_slots" in name}
    assert_same(weights, {k: v for k, v in all_weights.items() if k not in head})
    assert [report.losses for report in beside] == [report.losses for report in reports]
    assert beside[0].dev.keys() == {"intent", "slots"}
    kept = run_config({"tasks.slots.weight": 0, "training.epochs": 1})
    _, after_one_epoch = run(kept, tmp_path / "kept")
    assert_same({k: all_weights[k] for k in head}, {k: after_one_epoch[k] for k in head})


def test_two_data_sets_with_a_task_each(run_config: RunConfigFactory, corpus: Path) -> None:
    other = {"kind": "seq_in_out", "path": str(corpus)}
    config = run_config(EAGER | {"datasets.other": other, "tasks.slots.dataset": "other"})
    reports = list(train(config))
    first, last = reports[0], reports[-1]
    assert first.step == 30  # 60 rows in batches of 4, twice
    assert all(last.losses[task] < 0.5 * first.losses[task] for task in ("intent", "slots"))
    # Of 60 sentences with an intent and 24 with tags, those that are right.
    right_tags = last.joint_accuracy * 84 - last.dev["intent"]["accuracy"] * 60
    assert right_tags == pytest.approx(round(right_tags))
    assert 0 <= right_tags <= 24


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty", "famo", "gradnorm", "upgrad"])
@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_steps_in_which_nothing_trains_pass(
    run_config: RunConfigFactory, corpus: Path, weighting: str, pooling: str
) -> None:
    config = run_config(
        {
            "datasets.other": {"kind": "seq_in_out", "path": str(corpus)},
            "tasks.slots.dataset": "other",
            "tasks.slots.freeze_head": True,
            "tasks.slots.head.dropout": 0,
            "tasks.intent.head.dropout": 0,
            "optimizer.head_lr": 1e-2,
            "encoder.pooling": pooling,
            "freezing": {"kind": "encoder"},
            "training.gradients_every": 1,
            "weighting.kind": weighting,
        }
    )
    reports = list(train(config))
    assert reports[-1].losses["slots"] == pytest.approx(reports[0].losses["slots"], rel=1e-6)
    assert reports[-1].losses["intent"] < reports[0].losses["intent"]


def test_an_encoder_trains_under_frozen_heads(run_config: RunConfigFactory) -> None:
    frozen = {"tasks.intent.freeze_head": True, "tasks.slots.freeze_head": True}
    reports = list(train(run_config(frozen | {"optimizer.encoder_lr": 1e-3})))
    assert reports[-1].losses["intent"] < 0.97 * reports[0].losses["intent"]


def test_words_cut_off_count_as_wrong(
    run_config: RunConfigFactory, corpus: Path, tiny_encoder: Path
) -> None:
    tokenizer = load_tokenizer(str(tiny_encoder))
    lines, tags = (
        [line.split() for line in (corpus / "train" / name).read_text().splitlines()]
        for name in ("seq.in", "seq.out")
    )
    # Six sub-words fit between [CLS] and [SEP]; the last word of a span has to start among them.
    last = [max(n for n, tag in enumerate(row) if tag != "O" or n == 0) for row in tags]
    before = [
        tokenizer(" ".join(words[:end]), add_special_tokens=False)
        for words, end in zip(lines, last, strict=True)
    ]
    whole = sum(len(encoded["input_ids"]) < 6 for encoded in before)
    report = list(train(run_config(EAGER | {"encoder.max_length": 8})))[-1]
    assert report.dev["intent"]["accuracy"] > 0.5
    assert report.joint_accuracy <= whole / len(lines) < 0.3
