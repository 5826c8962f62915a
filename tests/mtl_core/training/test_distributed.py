"""Two workers give what one gives with the same global batch, whatever the shares look like.

All cases run in one pair of processes, since starting one takes seconds. In fp32 without dropout
the losses agree to 1e-4 (relative) and the weights to 1e-3 after two epochs at a rate of 1e-3: sums
are made in another order, and AdamW enlarges rounding where a gradient is nearly 0. Scores are
equal.
"""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from conftest import RunConfigFactory, write_seq_in_out
from seq2seq_models import save_seq2seq
from small_decoders import save_decoder
from token_encoders import save_family
from torch import multiprocessing

from mtl_core.config import RunConfig
from mtl_core.data.example import Example
from mtl_core.training.loop import train
from mtl_core.training.report import Report

pytestmark = pytest.mark.slow

NO_DROPOUT = {"head": {"kind": "linear", "dropout": 0}}
CASES: dict[str, dict[str, object]] = {
    "even": {"training.batch_size": 20},
    # 60 rows: the last batch has 1 row, so that one worker (or three parts of four) has none.
    "last batch of one": {"training.batch_size": 59},
    "accumulation": {"training.batch_size": 11, "training.accumulation": 2},
    "empty parts": {"training.batch_size": 59, "training.accumulation": 2},
    "two data sets": {
        "training.batch_size": 7,
        "tasks.slots.dataset": "other",
        "training.gradients_every": 2,
    },
    "two data sets, accumulation": {
        "training.accumulation": 2,
        "tasks.slots.dataset": "other",
    },
    "missing labels": {"training.batch_size": 3, "datasets.corpus.path": "sparse"},
    "uncertainty": {"training.batch_size": 7, "weighting.kind": "uncertainty"},
    "reports within epochs, on a sample": {
        "training.batch_size": 7,
        "training.reports_per_epoch": 3,
        "training.report_rows": 9,
        "weighting.kind": "dwa",
    },
    "hidden words, averaged weights": {
        "training.batch_size": 7,
        "training.word_dropout": 0.3,
        "optimizer.averaging": 0.1,
    },
    "weight 0": {"tasks.slots.weight": 0},
    "frozen head": {"tasks.intent.freeze_head": True},
    "frozen encoder": {"freezing.kind": "encoder"},
    "encoder with weights for other inputs": {"encoder.name": "luke", "training.batch_size": 7},
    "steps in which nothing trains": {
        "tasks.slots.dataset": "other",
        "tasks.slots.freeze_head": True,
        "freezing.kind": "encoder",
    },
    "parts in which nothing trains": {
        "mixing.kind": "joint",
        "tasks.slots.dataset": "other",
        "tasks.slots.freeze_head": True,
        "freezing.kind": "encoder",
    },
    "accumulation, steps in which nothing trains": {
        "training.accumulation": 2,
        "tasks.slots.dataset": "other",
        "tasks.slots.freeze_head": True,
        "freezing.kind": "encoder",
    },
    **{
        f"{name}, in some of which only pooling trains": {
            **more,
            "tasks.slots.dataset": "other",
            "tasks.slots.freeze_head": True,
            "freezing.kind": "encoder",
            "encoder.pooling": "attention",
        }
        for name, more in {
            "steps": {},
            "parts": {"mixing.kind": "joint"},
            "accumulated parts": {"training.accumulation": 2},
        }.items()
    },
    "gradual": {"freezing.kind": "gradual"},
    "lora": {"freezing.kind": "lora", "optimizer.encoder_lr": 1e-3},
    "attention pooling": {
        "training.batch_size": 7,
        "tasks.slots.dataset": "other",
        "encoder.pooling": "attention",
    },
    "crf": {"training.batch_size": 59, "tasks.slots.crf": True},
    "masked words": {
        "training.batch_size": 7,
        "tasks.words": {"kind": "masked_lm", "dataset": "text", "chunk": 16, **NO_DROPOUT},
    },
    **{
        f"words to write, {name}": {
            "training.batch_size": 7,
            "encoder": {"kind": "decoder", "name": family, "bidirectional_layers": 1},
            "tasks.words": {"kind": "causal_lm", "dataset": "text", "chunk": 16},
            **more,
        }
        for name, family, more in (
            ("tied", "llama", {}),
            (
                "joint, accumulation",
                "gpt_neox",
                {
                    "mixing.kind": "joint",
                    "training.accumulation": 2,
                    "tasks.slots.dataset": "other",
                },
            ),
            ("gradients", "gpt_neox", {"weighting.kind": "upgrad", "mixing.kind": "joint"}),
        )
    },
    **{
        f"words written by {name}": {
            "training.batch_size": 7,
            "tasks.words": {"kind": "causal_lm", "dataset": "text", "column": "", "chunk": 16},
            **case,
        }
        for name, case in {
            "an encoder-decoder": {"encoder": {"kind": "encoder_decoder", "name": "t5"}},
            "an encoder-decoder, pcgrad": {
                "encoder": {"kind": "encoder_decoder", "name": "t5"},
                "weighting.kind": "pcgrad",
            },
            "a small decoder": {"encoder.decoder": {"layers": 1}},
            "a small decoder on a frozen encoder": {
                "encoder.decoder": {"layers": 1},
                "freezing.kind": "encoder",
            },
        }.items()
    },
    "questions": {
        "training.batch_size": 9,
        "encoder.max_length": 24,  # several windows a context
        "tasks.answer": {
            "kind": "question_answering",
            "dataset": "squad",
            "overlap": 2,
            **NO_DROPOUT,
        },
    },
    "joint": {
        "training.batch_size": 9,
        "tasks.slots.dataset": "other",
        "mixing.kind": "joint",
        "training.gradients_every": 2,
    },
    **{
        kind: {"weighting.kind": kind, "training.batch_size": 20}
        for kind in (
            "dwa",
            "random",
            "geometric_mean",
            "imtl_l",
            "stch",
            "famo",
            "gradnorm",
            "pcgrad",
            "cagrad",
            "upgrad",
            "mgda",
            "gradvac",
            "graddrop",
            "aligned_mtl",
            "fairgrad",
            "imtl_g",
            "nash",
        )
    },
    **{
        f"{kind}, missing labels": {
            "weighting.kind": kind,
            "training.batch_size": 3,
            "datasets.corpus.path": "sparse",
        }
        for kind in ("stch", "famo", "gradnorm", "pcgrad")
    },
    **{
        f"{kind}, joint, accumulation": {
            "weighting.kind": kind,
            "training.accumulation": 2,
            "tasks.slots.dataset": "other",
            "mixing.kind": "joint",
        }
        for kind in ("geometric_mean", "famo", "upgrad")
    },
}


def configure(name: str, run_config: RunConfigFactory, corpus: Path, sparse: Path) -> RunConfig:
    case = dict(CASES[name])
    if "tasks.slots.dataset" in case:
        case["datasets.other"] = {"kind": "seq_in_out", "path": str(corpus)}
    if isinstance(encoder := case.get("encoder"), dict):
        case["encoder"] = encoder | {"name": str(sparse / encoder["name"])}
    if "encoder.name" in case:
        case["encoder.name"] = str(sparse / str(case["encoder.name"]))
    if "datasets.corpus.path" in case:
        case["datasets.corpus.path"] = str(sparse)
    if "tasks.words" in case:
        files = {split: str(corpus / split / "seq.in") for split in ("train", "dev")}
        case["datasets.text"] = {"kind": "lines", "splits": files}
    if "tasks.answer" in case:
        path = str(sparse / "squad.json")
        case["datasets.squad"] = {"kind": "squad", "splits": {"train": path, "dev": path}}
    no_dropout = {"tasks.intent.head.dropout": 0, "tasks.slots.head.dropout": 0}
    return run_config({"optimizer.encoder_lr": 1e-3, **no_dropout, **case})


@pytest.fixture(scope="module")
def sparse(sample: dict[str, list[Example]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus in which half of the train rows lack one label, so that many batches do."""
    folder = tmp_path_factory.mktemp("sparse")
    rows = [example for example in sample["train"] if len(example.labels) == 2][:30]
    for number, row in enumerate(rows):
        if number % 2:
            kept = ("intent", "slots")[number // 2 % 2]
            rows[number] = replace(row, labels={kept: row.labels[kept]})
    for split in ("train", "dev", "test"):
        write_seq_in_out(folder / split, rows)
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    save_family(folder / "luke", "luke", sample["train"], **no_dropout)
    for family in ("gpt_neox", "llama"):
        save_decoder(folder / family, family, sample["train"])
    save_seq2seq(folder / "t5", "t5", sample["train"], dropout_rate=0.0)
    paragraphs = []
    for number in range(0, 30, 3):
        context = " ".join(word for row in rows[number : number + 3] for word in row.words)
        answers = [{"text": context.split()[-1], "answer_start": context.rindex(" ") + 1}]
        question = {"id": str(number), "question": "what is last", "answers": answers}
        paragraphs.append({"context": context, "qas": [question]})
    text = json.dumps({"data": [{"paragraphs": paragraphs}]})
    (folder / "squad.json").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def two_workers(
    run_config: RunConfigFactory,
    corpus: Path,
    sparse: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Runs all cases on two workers and returns the folder with what they left."""
    folder = tmp_path_factory.mktemp("workers")
    configs = {
        name: configure(name, run_config, corpus, sparse).model_dump(mode="json") for name in CASES
    }
    multiprocessing.spawn(work, args=(folder, configs), nprocs=2)
    return folder


def work(rank: int, folder: Path, configs: dict[str, object]) -> None:
    """Trains every case as one of two workers."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'rendezvous'}",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=300),
    )
    for name, config in configs.items():
        reports = train(RunConfig.model_validate(config), checkpoint=folder / name)
        lines = [report.to_json() for report in reports]
        (folder / f"{name}-{rank}.json").write_text(json.dumps(lines), encoding="utf-8")
    dist.destroy_process_group()


def reports_of(folder: Path, name: str, rank: int) -> list[Report]:
    lines = json.loads((folder / f"{name}-{rank}.json").read_text(encoding="utf-8"))
    return [Report.from_json(line) for line in lines]


@pytest.mark.parametrize("name", CASES)
def test_two_workers_give_what_one_gives(
    name: str,
    run_config: RunConfigFactory,
    corpus: Path,
    sparse: Path,
    two_workers: Path,
    tmp_path: Path,
) -> None:
    config = configure(name, run_config, corpus, sparse)
    alone = list(train(config, checkpoint=tmp_path))
    first, second = (reports_of(two_workers, name, rank) for rank in (0, 1))
    assert len(alone) == len(first) == len(second) == 2 * config.training.reports_per_epoch
    for one, two, other in zip(alone, first, second, strict=True):
        assert two.losses == pytest.approx(one.losses, rel=1e-4)
        for task, scores in one.dev.items():  # shares are equal, perplexities nearly so
            assert two.dev[task] == pytest.approx(scores, rel=1e-6 if task != "words" else 1e-3)
        assert two.joint_accuracy == one.joint_accuracy
        assert (two.step, two.best_number) == (one.step, one.best_number)
        # Methods that divide gradients by each other enlarge rounding.
        assert two.weights == pytest.approx(one.weights, rel=1e-2)
        assert two.gradients == pytest.approx(one.gradients, rel=1e-3, abs=1e-4)
        assert (other.losses, other.dev, other.weights) == (two.losses, two.dev, two.weights)
    weights, shared = (
        torch.load(folder / "state.pt", weights_only=True)["model"]
        for folder in (tmp_path, two_workers / name)
    )
    for parameter, value in weights.items():
        torch.testing.assert_close(value, shared[parameter], rtol=0, atol=1e-3, msg=parameter)
