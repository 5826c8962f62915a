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
from torch import multiprocessing

from mtl_core.config import RunConfig
from mtl_core.data.example import Example
from mtl_core.training.loop import train
from mtl_core.training.report import EpochReport

pytestmark = pytest.mark.slow

CASES: dict[str, dict[str, object]] = {
    "even": {"training.batch_size": 20},
    # 60 rows: the last batch has 1 row, so that one worker (or three parts of four) has none.
    "last batch of one": {"training.batch_size": 59},
    "accumulation": {"training.batch_size": 11, "training.accumulation": 2},
    "empty parts": {"training.batch_size": 59, "training.accumulation": 2},
    "two data sets": {"training.batch_size": 7, "tasks.slots.dataset": "other"},
    "two data sets, accumulation": {
        "training.accumulation": 2,
        "tasks.slots.dataset": "other",
    },
    "missing labels": {"training.batch_size": 3, "datasets.corpus.path": "sparse"},
    "uncertainty": {"training.batch_size": 7, "weighting.kind": "uncertainty"},
    "weight 0": {"tasks.slots.weight": 0},
    "frozen head": {"tasks.intent.freeze_head": True},
    "frozen encoder": {"freezing.kind": "encoder"},
}


def configure(name: str, run_config: RunConfigFactory, corpus: Path, sparse: Path) -> RunConfig:
    case = dict(CASES[name])
    if "tasks.slots.dataset" in case:
        case["datasets.other"] = {"kind": "seq_in_out", "path": str(corpus)}
    if "datasets.corpus.path" in case:
        case["datasets.corpus.path"] = str(sparse)
    no_dropout = {"tasks.intent.dropout": 0, "tasks.slots.dropout": 0}
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
        timeout=timedelta(seconds=60),
    )
    for name, config in configs.items():
        reports = train(RunConfig.model_validate(config), checkpoint=folder / name)
        lines = [report.to_json() for report in reports]
        (folder / f"{name}-{rank}.json").write_text(json.dumps(lines), encoding="utf-8")
    dist.destroy_process_group()


def reports_of(folder: Path, name: str, rank: int) -> list[EpochReport]:
    lines = json.loads((folder / f"{name}-{rank}.json").read_text(encoding="utf-8"))
    return [EpochReport.from_json(line) for line in lines]


@pytest.mark.parametrize("name", CASES)
def test_two_workers_give_what_one_gives(
    name: str,
    run_config: RunConfigFactory,
    corpus: Path,
    sparse: Path,
    two_workers: Path,
    tmp_path: Path,
) -> None:
    alone = list(train(configure(name, run_config, corpus, sparse), checkpoint=tmp_path))
    first, second = (reports_of(two_workers, name, rank) for rank in (0, 1))
    assert len(alone) == len(first) == len(second) == 2
    for one, two, other in zip(alone, first, second, strict=True):
        assert two.losses == pytest.approx(one.losses, rel=1e-4)
        assert (two.dev, two.joint_accuracy) == (one.dev, one.joint_accuracy)
        assert (two.step, two.best_epoch) == (one.step, one.best_epoch)
        assert two.weights == pytest.approx(one.weights, rel=1e-4)
        assert (other.losses, other.dev, other.weights) == (two.losses, two.dev, two.weights)
    weights, shared = (
        torch.load(folder / "state.pt", weights_only=True)["model"]
        for folder in (tmp_path, two_workers / name)
    )
    for parameter, value in weights.items():
        torch.testing.assert_close(value, shared[parameter], rtol=0, atol=1e-3, msg=parameter)
