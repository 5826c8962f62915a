"""A worker whose neighbour is gone knows that the error which it meets is not its own."""

import os
import signal
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing

from mtl_core.training._torch import is_of_a_lost_worker
from mtl_core.training.distributed import Place


def work(rank: int, folder: Path) -> None:
    """The second of two workers dies; the first keeps what it says of the error that it meets."""
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / 'rendezvous'}", rank=rank, world_size=2
    )
    place = Place(rank, 2, torch.device("cpu"))
    place.barrier()
    if rank:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        place.gather(1)
    except RuntimeError as error:
        (folder / "said").write_text(str(is_of_a_lost_worker(error)))


def test_the_error_of_a_worker_whose_neighbour_was_killed_is_known(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(rank, tmp_path)) for rank in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert (tmp_path / "said").read_text() == "True"


@pytest.mark.parametrize(
    "error",
    [RuntimeError("The size of tensor a (3) must match"), ValueError("gloo/transport/"), OSError()],
)
def test_other_errors_are_a_workers_own(error: Exception) -> None:
    assert not is_of_a_lost_worker(error)


def test_an_error_that_a_lost_worker_led_to_is_known() -> None:
    error = KeyError("loss")
    error.__cause__ = dist.DistBackendError("NCCL error: remote process exited")
    assert is_of_a_lost_worker(error)
