"""Damaged caches and checkpoints: a run that meets one comes to the same model, and says so."""

import contextlib
import logging
import os
import random
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from answers import Case, answer_to
from conftest import save_tokenizer, write_seq_in_out
from damage import copy_folder, damage_file, files_of
from encoders import tiny
from times import all_timeless
from transformers.utils import logging as transformers_logging

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.data.formats.sample import generate_sample
from mtl_core.export import export_best
from mtl_core.training.loop import train
from mtl_core.training.report import Report

EPOCHS = 4
KINDS = ("encoded", "outlines", "prefix", "state.pt", "best.safetensors")
"""What is damaged: folders of the cache, files of the checkpoint."""
_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: its reports without times, and the files of its model."""

    reports: tuple[Report, ...]
    model: Mapping[str, bytes]


def cases(folder: Path, seed: int, count: int) -> Iterator[Case]:
    """Yields damaged caches and checkpoints of a small run; each is tried before the next is made.

    Args:
        folder: An empty folder; all is written there.
        seed: Of all damage.
        count: How many.
    """
    rng = random.Random(seed)
    config = small_run(folder / "given")
    whole, states = undisturbed(config, folder)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        # Hidden states are read by epochs that train.
        state = rng.choice(states[:-1] if kind == "prefix" else states)
        work = copy_folder(state, folder / "work")
        found = [path for path in files_of(work) if path.suffix != ".lock"]
        path = rng.choice([path for path in found if kind in (path.name, *path.parts)])
        before = parts_of(path)
        what = damage_file(path, rng)
        # Between its parts an archive holds nothing; and an outline is all that there is of it.
        is_harmless = before is not None and parts_of(path) == before
        is_gone = what == "missing" and kind == "outlines"
        yield Case(
            f"{number}: {path.relative_to(work)} after {state.name}: {what}",
            partial(answer, config, work, whole, is_silent=is_harmless or is_gone),
        )


def small_run(folder: Path) -> RunConfig:
    """Returns a run of which frozen states are kept, on files that are written into a folder."""
    rows = [example for example in generate_sample()["train"] if len(example.labels) == 2]
    for number, split in enumerate(("train", "dev", "test")):
        write_seq_in_out(folder / "corpus" / split, rows[number * 16 :][:16])
    transformers_logging.disable_progress_bar()
    size = save_tokenizer(folder / "encoder", rows[:48])
    tiny("bert", vocab_size=size, num_hidden_layers=2).save_pretrained(folder / "encoder")
    intent = {"kind": "classification", "dataset": "corpus", "column": "intent"}
    return RunConfig.model_validate(
        {
            "encoder": {"name": str(folder / "encoder")},
            "datasets": {"corpus": {"kind": "seq_in_out", "path": str(folder / "corpus")}},
            "tasks": {"intent": intent},
            "freezing": {"kind": "lower_layers", "layers": 1},
            "optimizer": {"encoder_lr": 3e-3, "head_lr": 3e-2},
            "training": {"epochs": EPOCHS, "batch_size": 4, "precision": "fp32"},
        }
    )


def undisturbed(config: RunConfig, folder: Path) -> tuple[Outcome, list[Path]]:
    """Returns what the run comes to, and its folder as it stood after every epoch."""
    states = []
    for epochs in range(1, EPOCHS + 1):
        with _cache(folder / "clean" / "cache"):
            list(islice(train(config, checkpoint=folder / "clean" / "checkpoint"), epochs))
        states.append(copy_folder(folder / "clean", folder / f"after-{epochs}"))
    return run(config, folder / "clean"), states


def run(config: RunConfig, folder: Path) -> Outcome:
    """Trains to the end from what is in a folder, and exports the model."""
    with _cache(folder / "cache"):
        assets = Assets.load(config, device=_CPU)
        checkpoint, model = folder / "checkpoint", folder / "model"
        reports = all_timeless(train(config, checkpoint=checkpoint, assets=assets))
        export_best(checkpoint, model, config=config, assets=assets, dev={}, test=None)
    return Outcome(tuple(reports), {path.name: path.read_bytes() for path in files_of(model)})


def answer(config: RunConfig, work: Path, whole: Outcome, *, is_silent: bool) -> str | None:
    """Returns what `fault` does, or that there was no answer, or only an error."""
    found: list[str | None] = []

    def call() -> None:
        found.append(fault(config, work, whole, is_silent=is_silent))

    said = answer_to(call).fault()
    return said or found[0]


def fault(config: RunConfig, work: Path, whole: Outcome, *, is_silent: bool) -> str | None:
    """Returns what is wrong with how a run takes damage; None when all is as it should be."""
    with warnings_of("mtl_core") as said:
        found = run(config, work)
    if found != whole:
        return "another result"
    if len(said) != 1 and not (is_silent and not said):
        return f"expected one line, said {said}"
    with warnings_of("mtl_core") as said:
        again = run(config, work)
    return None if (again, said) == (whole, []) else f"the second time: {said}"


def parts_of(path: Path) -> Any:
    """Returns what a state holds, part by part; None of another file, or of a broken one."""
    if not path.is_file():  # A pipe would wait.
        return None
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
    return None


@contextlib.contextmanager
def warnings_of(name: str) -> Iterator[list[str]]:
    """Gives the list of the warnings of a package while the block runs."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger(name).addHandler(handler)
    try:
        yield said
    finally:
        logging.getLogger(name).removeHandler(handler)


@contextlib.contextmanager
def _cache(folder: Path) -> Iterator[None]:
    before = os.environ.get("MTL_CACHE")
    os.environ["MTL_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["MTL_CACHE"]
        else:
            os.environ["MTL_CACHE"] = before
