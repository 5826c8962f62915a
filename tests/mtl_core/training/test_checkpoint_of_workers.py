"""Two workers come to one verdict on a checkpoint, even when they do not read the same."""

import json
import shutil
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from damaged_caches import small_run
from torch import multiprocessing

from mtl_core.training.best import read_best
from mtl_core.training.checkpoint import find_checkpoint
from mtl_core.training.distributed import Place
from mtl_core.training.loop import train

pytestmark = pytest.mark.slow

DAMAGE = {
    "whole": [],
    "state of the second": [(1, "state.pt")],
    "state of the first": [(0, "state.pt")],
    "weights of the second": [(1, "best.safetensors")],
    "all of the second": [(1, "best.safetensors"), (1, "state.pt")],
}


def look(rank: int, folder: Path) -> None:
    """Looks at all checkpoints, each worker at its own copies."""
    dist.init_process_group(
        "gloo",
        init_method=(folder / "meeting").as_uri(),
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=60),
    )
    inputs = json.loads((folder / "inputs.json").read_text(encoding="utf-8"))
    found = {}
    for name in DAMAGE:
        place = Place(rank, 2, torch.device("cpu"))
        kept = find_checkpoint(folder / name / str(rank), inputs, place)
        found[name] = [len(kept.reports), kept.state is not None, kept.precision]
    (folder / f"{rank}.json").write_text(json.dumps(found), encoding="utf-8")
    dist.destroy_process_group()


def test_workers_that_read_different_things_come_to_the_same(tmp_path: Path) -> None:
    config = small_run(tmp_path / "given")
    list(islice(train(config, checkpoint=tmp_path / "whole-one"), 2))
    inputs = dict(read_best(tmp_path / "whole-one").inputs)
    (tmp_path / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")
    for name, damages in DAMAGE.items():
        for rank in (0, 1):
            shutil.copytree(tmp_path / "whole-one", tmp_path / name / str(rank))
        for rank, file in damages:
            path = tmp_path / name / str(rank) / file
            path.write_bytes(path.read_bytes()[:-50])
    multiprocessing.spawn(look, (tmp_path,), nprocs=2)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert first["whole"] == [2, True, "fp32"]
    for name in ("state of the second", "state of the first", "all of the second"):
        assert first[name] == [0, False, "fp32"]
