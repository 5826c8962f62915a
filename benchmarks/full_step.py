"""Full fine-tuning, training sentences/s: `mtl_core.train` against what a user would do instead.

The same model (bundled encoder, intents and slots), data (1,500 sentences of snips where it is
at hand in ../shared/data/snips, else of the sample corpus), learning rates, schedule, batch size 32
and clipping everywhere. Against it:

- a Transformers `Trainer` in its defaults (fp32, random batches padded to their longest sentence),
  in the precision of ours when that is another, and in fp32 with every sentence padded to 50;
- a plain loop in ours, batches of similar length and torch's AdamW in its defaults;
- ours with one of its levers taken away: what it brings.

Ours computes in what `auto` is on this machine, or in `--precision`. Each runs in a process of its
own, one after the other, in rounds. The first epoch warms up and is not timed. Each row says the
dev score that both reached after the last.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _harness import Row, with_precision, write
from _peers import fit_trainer, load, loss_of, make_peer, score, train_split

if TYPE_CHECKING:
    from mtl_core.assets import Assets
    from mtl_core.config import RunConfig
    from mtl_core.model.autocast import Precision

SNIPS = Path(__file__).parent.parent.parent / "shared" / "data" / "snips"
SENTENCES, DEV, EPOCHS, BATCH, WIDTH = 1500, 300, 3, 32, 50
AGAINST = {
    "trainer": ("a Transformers Trainer, its defaults (fp32)", 3.0),
    "trainer_padded": (f"a Transformers Trainer, padded to {WIDTH}", 6.5),
    "trainer_half": ("a Transformers Trainer, {precision}", None),
    "plain": ("a plain loop, {precision}, similar lengths", 1.35),
}
"""The others, and how many times faster ours should be, whatever it computes in."""
LEVERS = {
    "no_attention": ("ours with torch's attention", "use_fast_attention"),
    "no_dropout": ("ours with torch's dropout", "use_fast_dropout"),
    "no_rows": ("ours with the gradient of all word embeddings", "use_row_embedding"),
}
"""Ours without -> what a row calls it, and the function of `mtl_core.model.multitask` left out."""
GROUPS = {  # Part of a step -> the operations of ATen that do it.
    "products of matrices": ("mm", "addmm", "bmm", "baddbmm"),
    "copies between dtypes": ("copy_",),
    "attention's softmax": ("_softmax", "_softmax_backward_data"),
    "GELU": ("gelu", "gelu_backward"),
    "dropout's draws": ("bernoulli_", "random_", "ge", "lt"),
    "layer norm": ("native_layer_norm", "native_layer_norm_backward"),
    "optimiser": ("_fused_adamw_", "linalg_vector_norm", "_foreach_norm"),
}


def configure(precision: "Precision") -> "RunConfig":
    """Returns the run that all make."""
    from mtl_core.config import RunConfig

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
            "optimizer": {"encoder_lr": 3e-4, "head_lr": 1e-3},
            "training": {"epochs": EPOCHS, "batch_size": BATCH, "precision": precision},
        }
    )


def run_ours(precision: "Precision") -> dict[str, Any]:
    """Trains with `mtl_core.train`."""
    from mtl_core.model.backbones.encoder import Encoder
    from mtl_core.model.layers import encoder_parts
    from mtl_core.training.loop import train

    config = configure(precision)
    assets = load(config)
    reports = list(train(config, assets=assets))
    layers = encoder_parts(Encoder(name=config.encoder.name).load()).layers
    weights = sum(p.numel() for layer in layers for p in layer.parameters() if p.ndim == 2)
    seconds = sum(r.sentences_per_second**-1 for r in reports) * len(train_split(assets))
    speed = statistics.harmonic_mean([r.sentences_per_second for r in reports[1:]])
    # A weight takes part in one multiply-add forward and two backward.
    flops = 6 * weights * count_tokens(config, assets) / seconds
    return {"speed": speed, "score": reports[-1].combined, "gflops": flops / 1e9}


def run_without(lever: str, precision: "Precision") -> dict[str, Any]:
    """Trains with `mtl_core.train` less one of its levers."""
    from mtl_core.model import multitask

    def leave(*parts: Any) -> Any:
        return parts[-1]  # the word embeddings as they are; the others change what they are given

    setattr(multitask, LEVERS[lever][1], leave)
    return run_ours(precision)


def count_tokens(config: "RunConfig", assets: "Assets") -> int:
    """Returns the tokens of all training batches of a run, padding included."""
    import numpy as np

    from mtl_core.training.plan import TrainingPlan

    datasets, training = assets.data.datasets, config.training
    plan = TrainingPlan(
        datasets, list(config.tasks), batch_size=training.batch_size, epochs=training.epochs
    )
    tokens = 0
    for epoch in range(1, training.epochs + 1):
        for step in plan.epoch(epoch, np.random.default_rng([config.seed, epoch])):
            for name, rows in step.pieces:
                lengths = datasets[name].splits["train"].token_ids.lengths()[rows]
                tokens += len(rows) * int(lengths.max())
    return tokens


def run_trainer(precision: "Precision", *, width: int = 0) -> dict[str, Any]:
    """Trains with a Transformers `Trainer`."""
    config = configure(precision)
    peer = make_peer(config)
    ends: list[float] = []
    fit_trainer(config, peer, lambda: ends.append(now()), width=width)
    speed = (EPOCHS - 1) * len(train_split(peer.assets)) / (ends[-1] - ends[0])
    return {"speed": speed, "score": score(config, peer)}


def now() -> float:
    """Returns seconds, once a GPU has done all that it was given."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def run_plain(precision: "Precision") -> dict[str, Any]:
    """Trains with a loop as one would write it."""
    import numpy as np
    import torch

    from mtl_core.data.batching import make_batch, similar_length_batches
    from mtl_core.model.autocast import autocast

    config = configure(precision)
    peer = make_peer(config, fused=None)
    split = train_split(peer.assets)
    generator = np.random.default_rng(0)
    peer.model.train()
    for epoch in range(EPOCHS):
        if epoch == 1:  # The one before warms up.
            start = now()
        for rows in similar_length_batches(
            split.token_ids.lengths(), batch_size=BATCH, generator=generator
        ):
            peer.optimizer.zero_grad()
            with autocast(peer.model.encoder.device, precision):
                loss = loss_of(peer, make_batch(split, rows, pad_token_id=0))
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(peer.model.parameters(), 1.0)
            peer.optimizer.step()
            peer.schedule.step()
    speed = (EPOCHS - 1) * len(split) / (now() - start)
    return {"speed": speed, "score": score(config, peer)}


def run_products(precision: "Precision") -> dict[str, Any]:
    """Multiplies matrices in the shapes of the encoder's layers, forward and backward."""
    import torch

    from mtl_core.model.autocast import DTYPES

    dtype = DTYPES[precision]
    tokens = BATCH * 14
    shapes = [(384, 384)] * 4 + [(384, 1536), (1536, 384)]  # q, k, v, output; the two of the MLP
    triples = [
        (
            torch.randn(tokens, inner, dtype=dtype),
            torch.randn(outer, inner, dtype=dtype),
            torch.randn(tokens, outer, dtype=dtype),
        )
        for inner, outer in shapes
    ]
    work = sum(6 * tokens * inner * outer for inner, outer in shapes)
    speeds = []
    for _ in range(30):
        start = time.perf_counter()
        for inputs, weight, gradient in triples:
            inputs @ weight.T, gradient @ weight, gradient.T @ inputs  # forward, two backward
        speeds.append(work / (time.perf_counter() - start) / 1e9)
    return {"gflops": statistics.median(speeds[5:])}  # The first five warm up.


def run_profile(precision: "Precision") -> dict[str, Any]:
    """Says which share of our steps each group of operations takes."""
    from torch.profiler import ProfilerActivity, profile

    from mtl_core.training.objectives.mean import Mean
    from mtl_core.training.run import Run

    config = configure(precision)
    run = Run(config, Mean(), assets=load(config))
    list(run.run_epoch(1))  # Warms up.
    batches = list(run.begin(2))[:30]
    with profile(activities=[ProfilerActivity.CPU]) as found:
        for batch in batches:
            run.step(batch, list(run.loader.micro_batches(batch, 2)))
    times = {event.key: event.self_cpu_time_total for event in found.key_averages()}
    total = sum(times.values())
    shares = {
        group: sum(times.get(f"aten::{name}", 0) for name in names) / total
        for group, names in GROUPS.items()
    }
    return {"shares": shares | {"all else": 1 - sum(shares.values())}}


CONTENDERS: dict[str, Callable[["Precision"], dict[str, Any]]] = {
    "ours": run_ours,
    "trainer": lambda _: run_trainer("fp32"),
    "trainer_padded": lambda _: run_trainer("fp32", width=WIDTH),
    "trainer_half": run_trainer,
    "plain": run_plain,
    **{lever: partial(run_without, lever) for lever in LEVERS},
    "products": run_products,
    "profile": run_profile,
}


def measure(contender: str, precision: "Precision") -> dict[str, Any]:
    """Runs a contender in a process of its own."""
    command = [sys.executable, __file__, "--contender", contender, "--precision", precision]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])  # Libraries print, too.
    return found


def rows(rounds: int, precision: "Precision") -> Iterator[Row]:
    """Measures all and yields the comparisons."""
    # In fp32 a Trainer in the precision of ours is the one in its defaults.
    left_out = {"trainer_half"} if precision == "fp32" else set()
    found: dict[str, list[dict[str, Any]]] = {n: [] for n in CONTENDERS if n not in left_out}
    for _ in range(rounds):
        for name, runs in found.items():
            runs.append(measure(name, precision))

    def median(name: str, key: str) -> float:
        return statistics.median(float(run[key]) for run in found[name])

    for name, (text, target) in AGAINST.items():
        if name in left_out:
            continue
        what = text.format(precision=precision)
        scores = f"(dev {median('ours', 'score'):.3f}, {median(name, 'score'):.3f})"
        ours, theirs = median("ours", "speed"), median(name, "speed")
        yield Row.of(f"{what} {scores}", ours, theirs, "sentences/s", ours / theirs, target)
    for name, (text, _) in LEVERS.items():
        ours, theirs = median("ours", "speed"), median(name, "speed")
        yield Row.of(text, ours, theirs, "sentences/s", ours / theirs, None)
    ours, theirs = median("ours", "peak"), median("trainer", "peak")
    # A larger ratio is better in every row: theirs by ours, at least 1 / 1.1.
    yield Row.of("peak memory, a Trainer", ours, theirs, "MiB", theirs / ours, 1 / 1.1)
    ours, theirs = median("ours", "gflops"), median("products", "gflops")
    yield Row.of("of the bare products' throughput", ours, theirs, "GFLOP/s", ours / theirs, None)
    for group in [*GROUPS, "all else"]:
        share = statistics.median(run["shares"][group] for run in found["profile"])
        yield Row.of(f"share of a step: {group}", share, 1.0, "", share, None)


def main() -> None:
    """Measures all, or runs the one contender that this process is for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--contender", choices=CONTENDERS, help="only this one, in this process")
    parser.add_argument("--rounds", type=int, default=2)
    options = with_precision(parser)
    precision = options.precision
    if options.contender is None:
        found = list(rows(options.rounds, precision))
        write("full_step", found, options.json, precision=precision)
        return
    result = CONTENDERS[options.contender](precision)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB.
    print(json.dumps(result | {"peak": peak}))


if __name__ == "__main__":
    main()
