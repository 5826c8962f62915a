"""Two workers: they compute in one precision, and skip the same steps in fp16."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from conftest import RunConfigFactory
from torch import Tensor, multiprocessing

from mtl_core.config import RunConfig
from mtl_core.training import precision
from mtl_core.training.loop import train
from mtl_core.training.loss_scale import LossScale
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.run import Run

pytestmark = pytest.mark.slow

SHARES = {"alike": (0.5, 0.5), "different": (0.5, 5.0)}
"""What the product of each worker takes."""
KINDS = ("fixed", "pcgrad")


@pytest.fixture(scope="module")
def found(
    run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, object], dict[str, object]]:
    """Returns what each of two workers found in all cases; to start them takes seconds."""
    folder = tmp_path_factory.mktemp("workers")
    no_dropout = {"tasks.intent.head.dropout": 0, "tasks.slots.head.dropout": 0}
    common = {"training.batch_size": 20, "optimizer.encoder_lr": 1e-3, **no_dropout}
    configs = {
        wanted: run_config(common | {"training.precision": wanted}).model_dump(mode="json")
        for wanted in ("auto", "fp16")
    }
    multiprocessing.spawn(work, args=(folder, configs), nprocs=2)
    first, second = (json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1))
    return first, second


def work(rank: int, folder: Path, configs: dict[str, dict[str, object]]) -> None:
    """Trains every case as one of two workers."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'rendezvous'}",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=60),
    )
    found: dict[str, object] = {}
    precision.bf16_instructions = lambda: "AVX512 bf16"
    for name, shares in SHARES.items():
        precision.product_share = lambda *_, shares=shares: shares[rank]  # type: ignore[assignment]
        found[name] = [
            report.precision for report in train(RunConfig.model_validate(configs["auto"]))
        ]
    for kind in KINDS:
        raw = configs["fp16"] | {"weighting": {"kind": kind}}
        found[kind] = train_with_one_overflow(RunConfig.model_validate(raw), is_here=rank == 1)
    (folder / f"{rank}.json").write_text(json.dumps(found), encoding="utf-8")
    dist.destroy_process_group()


def train_with_one_overflow(config: RunConfig, *, is_here: bool) -> dict[str, object]:
    """Trains with an infinite gradient in the second step, on one of the workers alone."""
    run = Run(config, Mean())
    weight = next(run.state.model.encoder.encoder.layer[0].parameters())
    if is_here:
        weight.register_hook(infinite_in_call(2 if config.weighting.kind == "fixed" else 3))
    reports = [report for epoch in (1, 2) for report in run.run_epoch(epoch)]
    scale = run.state.scale
    assert isinstance(scale, LossScale)
    return {
        "factor": scale.factor,
        "clean_steps": scale.clean_steps,
        "updates": run.state.schedule.last_epoch,
        "losses": [report.losses for report in reports],
        "weight": float(weight.sum()),
    }


def infinite_in_call(wanted: int) -> Callable[[Tensor], Tensor]:
    """Returns a hook that makes one gradient infinite; with two tasks calls are two a step."""
    calls = [0]

    def hook(gradient: Tensor) -> Tensor:
        calls[0] += 1
        return gradient * float("inf") if calls[0] == wanted else gradient

    return hook


def test_workers_compute_in_bf16_only_where_all_are_faster_with_it(
    found: tuple[dict[str, object], dict[str, object]],
) -> None:
    for worker in found:
        assert worker["alike"] == ["bf16", "bf16"]
        assert worker["different"] == ["fp32", "fp32"]


@pytest.mark.parametrize("kind", KINDS)
def test_workers_skip_a_step_that_overflows_on_one(
    found: tuple[dict[str, object], dict[str, object]], kind: str
) -> None:
    first, second = (worker[kind] for worker in found)
    assert first == second
    assert isinstance(first, dict)
    assert first["factor"] == 2.0**15
    # Three steps an epoch; the second of all six was skipped.
    assert (first["updates"], first["clean_steps"]) == (5, 4)
