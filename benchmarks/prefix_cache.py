"""Training sentences/s with frozen layers computed once, against the same run without the cache.

The bundled encoder on 2,000 sentences of snips where it is at hand (../shared/data/snips), else of
the sample corpus; one thread, batches of 32, in what `auto` is here or in `--precision`. The two
run in turn, an epoch each, several rounds; the first round builds the cache and is left out. Each
row says which dev score both reached.
"""

import statistics
from collections.abc import Generator
from pathlib import Path

import torch
from _harness import Row, with_precision, write

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.model.autocast import Precision
from mtl_core.training.distributed import Place
from mtl_core.training.loop import train
from mtl_core.training.report import Report

SNIPS = Path(__file__).parent.parent.parent / "shared" / "data" / "snips"
SENTENCES, DEV, ROUNDS = 2000, 300, 3
CASES = [
    ("embeddings frozen", {"kind": "embeddings"}, 1.0),
    ("lower 2 of 6 frozen", {"kind": "lower_layers", "layers": 2}, 1.2),
    ("lower 4 of 6 frozen", {"kind": "lower_layers", "layers": 4}, 1.9),
    ("encoder frozen", {"kind": "encoder"}, 35.0),
]


def configure(freezing: dict[str, object], cache: str, precision: Precision) -> RunConfig:
    """Returns the run of a case."""
    limit = {"train": SENTENCES, "dev": DEV}
    source: dict[str, object] = {"kind": "sample", "limit": limit}
    if SNIPS.is_dir():
        source = {"kind": "seq_in_out", "path": str(SNIPS), "limit": limit}
    return RunConfig.model_validate(
        {
            "datasets": {"data": source},
            "tasks": {
                "intent": {"kind": "classification", "dataset": "data", "column": "intent"},
                "slots": {"kind": "tagging", "dataset": "data", "column": "slots"},
            },
            "freezing": freezing,
            "training": {"epochs": ROUNDS + 1, "prefix_cache": cache, "precision": precision},
        }
    )


def compare(
    what: str, freezing: dict[str, object], target: float | None, precision: Precision
) -> Row:
    """Measures a case, with the cache and without it."""
    runs: dict[str, Generator[Report, None, None]] = {}
    speeds: dict[str, list[float]] = {"auto": [], "off": []}
    scores: dict[str, float] = {}
    for cache in speeds:
        config = configure(freezing, cache, precision)
        # Assets for each: they hold one encoder, which the two would train by turns.
        runs[cache] = train(config, assets=Assets.load(config, device=Place.current().device))
    # The training loop is a generator: an epoch of each in turn, so that what else runs on the
    # machine slows both.
    for round_ in range(ROUNDS + 1):
        for cache, run in runs.items():
            report = next(run)
            scores[cache] = report.combined
            if round_:  # The first epoch builds the cache.
                speeds[cache].append(report.sentences_per_second)
    ours, theirs = (statistics.median(speeds[cache]) for cache in ("auto", "off"))
    reached = f"{what} (dev {scores['auto']:.4f}, {scores['off']:.4f})"
    return Row.of(reached, ours, theirs, "sentences/s", ours / theirs, target)


def main() -> None:
    """Measures all cases."""
    options = with_precision()
    torch.set_num_threads(1)
    rows = [compare(*case, options.precision) for case in CASES]
    write("prefix_cache", rows, options.json, precision=options.precision)


if __name__ == "__main__":
    main()
