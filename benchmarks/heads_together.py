"""Head-only trials side by side over one read of the cached features, against one after the other.

Four trials that differ in the heads' learning rate, encoder frozen: 2,000 sentences of snips where
it is at hand (../shared/data/snips), else of the sample corpus; one thread, batches of 32, in what
`auto` is here or in `--precision`.
Side by side, each batch is read and padded once and all four train on it in turn. The two ways run
in turn, an epoch each, several rounds; the first round builds the cache and is left out.
"""

import statistics
import time

import torch
from _harness import Row, with_precision, write
from prefix_cache import ROUNDS, configure

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import evaluate
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.run import Run

RATES = (3e-4, 1e-3, 3e-3, 1e-2)


def make_runs(config: RunConfig, assets: Assets) -> list[Run]:
    """Returns new runs."""
    runs = []
    for rate in RATES:
        optimizer = config.optimizer.model_copy(update={"head_lr": rate})
        changed = config.model_copy(update={"optimizer": optimizer})
        runs.append(Run(changed, Mean(), assets=assets))
    return runs


def one_by_one(runs: list[Run], epoch: int) -> None:
    """Trains an epoch of each run after the other."""
    for run in runs:
        for batch in run.begin(epoch):
            run.step(batch, list(run.loader.micro_batches(batch, epoch)))


def side_by_side(runs: list[Run], epoch: int) -> None:
    """Trains an epoch of all runs, each batch made once."""
    first, *others = runs
    batches = first.begin(epoch)
    # The order of batches comes from seed and epoch, the same for all: those of the first serve
    # the others, which `begin` only makes ready.
    for run in others:
        run.begin(epoch)
    for batch in batches:
        micro_batches = list(first.loader.micro_batches(batch, epoch))
        for run in runs:
            run.step(batch, micro_batches)


def best_score(runs: list[Run]) -> float:
    """Returns the best dev score of the runs."""
    return max(
        statistics.mean(
            evaluate(
                run.state.model, run.tasks, run.loader.datasets, split="dev", place=run.place,
                precision=run.state.precision, collator=run.loader.collator,
            ).main.values()
        )
        for run in runs
    )  # fmt: skip


def main() -> None:
    """Measures both ways."""
    options = with_precision()
    torch.set_num_threads(1)
    config = configure({"kind": "encoder"}, "auto", options.precision)
    assets = Assets.load(config, device=Place.current().device)
    ways = {way: make_runs(config, assets) for way in (one_by_one, side_by_side)}
    seconds: dict[object, list[float]] = {way: [] for way in ways}
    for epoch in range(1, ROUNDS + 2):
        for way, runs in ways.items():
            start = time.perf_counter()
            way(runs, epoch)
            if epoch > 1:  # The first one builds the cache, or opens it.
                seconds[way].append(time.perf_counter() - start)
    theirs, ours = (statistics.median(seconds[way]) for way in (one_by_one, side_by_side))
    scores = ", ".join(f"{best_score(runs):.4f}" for runs in reversed(ways.values()))
    what = f"{len(RATES)} head-only trials side by side: one by one (best dev {scores})"
    rows = [Row.of(what, ours, theirs, "seconds an epoch", theirs / ours, None)]
    write("heads_together", rows, options.json, precision=options.precision)


if __name__ == "__main__":
    main()
