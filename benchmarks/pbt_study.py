"""What population based training makes of a start that is far from good, on real data.

Intents and slots on the bundled encoder: of snips, given its folder (`--data`), else of the sample
corpus. The same trials run twice, with the same seeds: once each to its end as it began, and once
as a population, which compares them every half epoch. Learning rates of all of them begin one to
two orders of magnitude below good ones, inside of a space that holds good ones: that is what PBT is
for, and no fair contest with a search, which would draw from all of the space at once.

Beside the scores: who took over, what of the checkpoints is left at the end, and the peak of the
study folder against what `mtl check --estimate` says.
"""

import argparse
import os
import random
import statistics
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _harness import Row, command_line, write

if TYPE_CHECKING:
    from tuning.results.study_result import StudyResult
    from tuning.study.config import StudyFile

TRIALS, EPOCHS, REPORTS = 8, 4, 2
TRAIN, DEV = 640, 200
RATES = {"optimizer.encoder_lr": (1e-6, 2e-3), "optimizer.head_lr": (1e-5, 2e-2)}
"""The space of the rates; half of it, on the log scale, is far too low for so few epochs."""
START = (0.1, 0.45)
"""Where the rates of a trial begin, as shares of their space on the log scale."""
SCHEDULERS: dict[str, dict[str, Any]] = {
    "pbt": {"kind": "pbt", "interval": 1 / REPORTS, "factors": [0.5, 2.0]},
    "none": {"kind": "none"},
}
_MIB = 2**20
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a population.

    Attributes:
        best: Best score on dev of any trial.
        start: Mean of the trials at their first report.
        end: Mean of the trials at their last report.
        takeovers: How often a trial took over from another.
        peak: Most bytes of the study folder while the study ran.
        left: Files of checkpoints that are there at the end, below `trials`.
        stayed: Bytes of the folder of the trials at the end.
    """

    best: float
    start: float
    end: float
    takeovers: int
    peak: int
    left: list[str]
    stayed: int


def started(seed: int) -> list[dict[str, float]]:
    """Returns the recipe of each trial of a population as it begins, trial 0 first."""
    draw = random.Random(seed)

    def recipe() -> dict[str, float]:
        rates = {
            key: float(f"{low * (high / low) ** draw.uniform(*START):.3g}")
            for key, (low, high) in RATES.items()
        }
        return rates | {"tasks.slots.weight": round(draw.uniform(0.5, 2), 2)}

    return [recipe() for _ in range(TRIALS)]


def study_file(scheduler: str, seed: int, storage: Path, data: Path | None) -> "StudyFile":
    """Returns the study of a population."""
    from mtl_core.study_file import override
    from tuning.study.config import StudyFile

    source: dict[str, Any] = {"kind": "sample"}
    if data is not None:
        source = {"kind": "seq_in_out", "path": str(data.resolve())}
    run = {
        "seed": seed,
        "datasets": {"data": {**source, "limit": {"train": TRAIN, "dev": DEV, "test": DEV}}},
        "tasks": {
            "intent": {"kind": "classification", "dataset": "data", "column": "intent"},
            "slots": {"kind": "tagging", "dataset": "data", "column": "slots"},
        },
        "training": {"epochs": EPOCHS, "batch_size": 32, "reports_per_epoch": REPORTS},
    }
    own, *others = started(seed)
    search = {key: {"log_range": list(ends)} for key, ends in RATES.items()}
    search["tasks.slots.weight"] = {"log_range": [0.2, 5.0]}
    study = {
        "name": scheduler,
        "storage": str(storage),
        "trials": TRIALS,
        "seed": seed,
        "sampler": {"kind": "random"},
        "scheduler": SCHEDULERS[scheduler],
        "resources": {"trainers": 1},
    }
    raw = {"run": override(run, own), "search": {**search, "try": others}, "study": study}
    return StudyFile.model_validate(raw)


def bytes_of(folder: Path) -> int:
    """Returns what the files of a folder take; one with several names counts once."""
    sizes: dict[int, int] = {}
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # Gone since.
                found = (Path(root) / name).lstat()
                sizes[found.st_ino] = found.st_size
    return sum(sizes.values())


@contextmanager
def watched(folder: Path) -> Iterator[list[int]]:
    """Looks all the time at what a folder takes; yields a list that has the most of it at last."""
    most, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(_POLL_SECONDS):
            most[0] = max(most[0], bytes_of(folder))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()


def played(study: "StudyFile") -> Outcome:
    """Runs a study and looks at what it leaves."""
    from tuning.run.tune import tune_study

    folder = study.folder
    with watched(folder) as most:
        result = tune_study(study)
    return outcome(result, most[0])


def outcome(result: "StudyResult", peak: int) -> Outcome:
    """Returns what became of the population of a study that ended."""
    trials = list(result.history)
    reports = [[one.combined for one in record.reports] for record in trials]
    folder = result.folder / "trials"
    kept = sorted(folder.glob("*/checkpoint/*"))
    return Outcome(
        best=max(map(max, reports)),
        start=statistics.mean(found[0] for found in reports),
        end=statistics.mean(found[-1] for found in reports),
        takeovers=sum(len(record.taken_over) for record in trials),
        peak=peak,
        left=[str(path.relative_to(folder)) for path in kept],
        stayed=bytes_of(folder),
    )


def rows(seed: int, found: dict[str, Outcome], most: float, stay: float) -> list[Row]:
    """Returns what came out with a seed, and the disk against what was estimated, in bytes."""
    pbt, none = found["pbt"], found["none"]
    kept = f"{len(pbt.left)} files of checkpoints stay"
    return [
        Row.of(
            f"seed {seed}, best dev score; {pbt.takeovers} take-overs",
            pbt.best, none.best, "score", pbt.best / none.best, 1.0,
        ),
        Row.of(
            f"seed {seed}, mean of the trials, {pbt.start:.3f} at the first report: at the last",
            pbt.end, none.end, "score", pbt.end / none.end, 1.0,
        ),
        Row.of(
            f"seed {seed}, study folder at its peak against the estimate",
            pbt.peak / _MIB, most / _MIB, "MiB", most / pbt.peak, 1.0,
        ),
        Row.of(
            f"seed {seed}, the same at the end: {kept}",
            pbt.stayed / _MIB, stay / _MIB, "MiB", stay / pbt.stayed, 1.0,
        ),
    ]  # fmt: skip


def played_seeds(seeds: Sequence[int], data: Path | None) -> list[Row]:
    """Runs both studies once per seed."""
    from tuning.estimate.estimate import estimate_study

    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="pbt", ignore_cleanup_errors=True) as root:
        # Recipes of all seeds are of one size.
        disk = estimate_study(study_file("pbt", seeds[0], Path(root), data)).disk
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="pbt", ignore_cleanup_errors=True) as root:
            outcomes = {
                name: played(study_file(name, seed, Path(root), data)) for name in SCHEDULERS
            }
        found += rows(seed, outcomes, disk.most, disk.stay)
        print(f"seed {seed}: {outcomes}", flush=True)
    return found


def main() -> None:
    """Runs both studies once per seed and writes the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of snips; default: the sample corpus")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = command_line(parser)
    write("pbt_study", played_seeds(options.seeds, options.data), options.json)


if __name__ == "__main__":
    main()
