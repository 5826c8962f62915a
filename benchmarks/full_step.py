"""Full fine-tuning, training sentences/s: `mtl_core.train` against what a user would do instead.

The same model (bundled encoder, intents and slots), data (1,500 sentences of snips where it is
at hand in ../shared/data/snips, else of the sample corpus), learning rates, schedule, batch size 32
and clipping everywhere. Against it:

- a Transformers `Trainer` in its defaults (fp32, random batches padded to their longest sentence),
  in bf16, and in fp32 with every sentence padded to 50;
- a plain loop with bf16, batches of similar length and torch's AdamW in its defaults.

Each runs in a process of its own, one after the other, in rounds. The first epoch warms up and is
not timed. Each row says the dev score that both reached after the last.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _harness import Row, output_path, write

if TYPE_CHECKING:
    import torch

    from mtl_core.assets import Assets
    from mtl_core.config import RunConfig
    from mtl_core.data.batching import Batch
    from mtl_core.model.multitask import MultiTaskModel

SNIPS = Path(__file__).parent.parent.parent / "shared" / "data" / "snips"
SENTENCES, EPOCHS, BATCH, WIDTH = 1500, 3, 32, 50
ROUNDS = 2
AGAINST = {
    "trainer": ("a Transformers Trainer, its defaults", 3.0),
    "trainer_padded": (f"a Transformers Trainer, padded to {WIDTH}", 6.5),
    "trainer_bf16": ("a Transformers Trainer, bf16", None),
    "plain": ("a plain loop, bf16, similar lengths", 1.35),
}
GROUPS = {
    "products of matrices": ("mm", "addmm", "bmm", "baddbmm"),
    "copies between dtypes": ("copy_",),
    "attention's softmax": ("_softmax", "_softmax_backward_data"),
    "GELU": ("gelu", "gelu_backward"),
    "dropout": ("bernoulli_", "random_", "ge"),
    "layer norm": ("native_layer_norm", "native_layer_norm_backward"),
    "optimiser": ("_fused_adamw_", "linalg_vector_norm", "_foreach_norm"),
}


def configure(precision: str = "bf16") -> "RunConfig":
    """Returns the run that all make."""
    from mtl_core.config import RunConfig

    source: dict[str, object] = {"kind": "sample"}
    if SNIPS.is_dir():
        limit = {"train": SENTENCES, "dev": 300}
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


def load(config: "RunConfig") -> "Assets":
    """Loads data and encoder."""
    import torch

    from mtl_core.assets import Assets

    return Assets.load(config, device=torch.device("cpu"))


def run_ours() -> dict[str, Any]:
    """Trains with `mtl_core.train`; counts the tokens it computes."""
    from mtl_core.model.encoder import load_encoder
    from mtl_core.model.layers import encoder_parts
    from mtl_core.training import loop

    config = configure()
    assets = load(config)
    tokens = 0
    build = loop.build_collator

    def counting(*arguments: Any) -> Callable[..., "Batch"]:
        collator = build(*arguments)

        def collate(split: Any, rows: Any, *, seed: tuple[int, ...]) -> "Batch":
            nonlocal tokens
            batch = collator(split, rows, seed=seed)
            tokens += batch.token_ids.numel() if seed else 0  # there is no seed in evaluation
            return batch

        return collate

    loop.build_collator = counting  # type: ignore[assignment]
    reports = list(loop.train(config, assets=assets))
    layers = encoder_parts(load_encoder(config.encoder.name)).layers
    weights = sum(p.numel() for layer in layers for p in layer.parameters() if p.ndim == 2)
    seconds = sum(r.sentences_per_second**-1 for r in reports) * rows_of(assets)
    speed = statistics.harmonic_mean([r.sentences_per_second for r in reports[1:]])
    # A weight takes part in one multiply-add forward and two backward.
    flops = 6 * weights * tokens / seconds
    return {"speed": speed, "score": reports[-1].combined, "gflops": flops / 1e9}


def run_trainer(*, bf16: bool = False, width: int = 0) -> dict[str, Any]:
    """Trains with a Transformers `Trainer`."""
    from torch import nn
    from torch.utils.data import Dataset
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from mtl_core.data.batching import make_batch

    config = configure("bf16" if bf16 else "fp32")
    assets, model, optimizer, schedule = parts(config)
    split = assets.data.datasets["data"].splits["train"]

    class Rows(Dataset[int]):
        def __len__(self) -> int:
            return len(split)

        def __getitem__(self, row: int) -> int:
            return row

    class Losses(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, batch: "Batch") -> dict[str, "torch.Tensor"]:
            return {"loss": loss_of(model, batch)}

    class Clock(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.epochs: list[float] = []

        def on_epoch_end(self, *arguments: Any, **keywords: Any) -> None:
            self.epochs.append(time.perf_counter())

    def collate(rows: list[int]) -> dict[str, "Batch"]:
        return {"batch": widen(make_batch(split, rows, pad_token_id=0), width)}

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            Losses(),
            TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=BATCH,
                num_train_epochs=EPOCHS,
                bf16=bf16,
                use_cpu=True,
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                remove_unused_columns=False,
            ),
            data_collator=collate,
            train_dataset=Rows(),
            optimizers=(optimizer, schedule),
            callbacks=[clock],
        )
        trainer.train()
    speed = (EPOCHS - 1) * len(split) / (clock.epochs[-1] - clock.epochs[0])
    return {"speed": speed, "score": score(config, assets, model)}


def run_plain() -> dict[str, Any]:
    """Trains with a loop as one would write it."""
    import numpy as np
    import torch

    from mtl_core.data.batching import make_batch, similar_length_batches

    config = configure()
    assets, model, optimizer, schedule = parts(config, fused=None)
    split = assets.data.datasets["data"].splits["train"]
    generator = np.random.default_rng(0)
    model.train()
    for epoch in range(EPOCHS):
        if epoch == 1:
            start = time.perf_counter()
        for rows in similar_length_batches(
            split.token_ids.lengths(), batch_size=BATCH, generator=generator
        ):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = loss_of(model, make_batch(split, rows, pad_token_id=0))
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    speed = (EPOCHS - 1) * len(split) / (time.perf_counter() - start)
    return {"speed": speed, "score": score(config, assets, model)}


def run_products() -> dict[str, Any]:
    """Multiplies matrices in bf16 in the shapes of the encoder's layers, forward and backward."""
    import torch

    tokens = BATCH * 14
    shapes = [(384, 384)] * 4 + [(384, 1536), (1536, 384)]
    triples = [
        (
            torch.randn(tokens, inner, dtype=torch.bfloat16),
            torch.randn(outer, inner, dtype=torch.bfloat16),
            torch.randn(tokens, outer, dtype=torch.bfloat16),
        )
        for inner, outer in shapes
    ]
    work = sum(6 * tokens * inner * outer for inner, outer in shapes)
    speeds = []
    for _ in range(30):
        start = time.perf_counter()
        for inputs, weight, gradient in triples:
            inputs @ weight.T, gradient @ weight, gradient.T @ inputs
        speeds.append(work / (time.perf_counter() - start) / 1e9)
    return {"gflops": statistics.median(speeds[5:])}


def run_profile() -> dict[str, Any]:
    """Says which share of our steps each group of operations takes."""
    import numpy as np
    from torch.profiler import ProfilerActivity, profile

    from mtl_core.training import loop

    config = configure()
    run = loop._Run(config, loop.Mean(), load(config))
    run.run_epoch(1)
    run.trainer.model.train()
    steps = list(run.plan.epoch(2, np.random.default_rng(0), [{}, {}]))[:30]
    with profile(activities=[ProfilerActivity.CPU]) as found:
        for number, batch in enumerate(steps, start=1):
            run._train_step(batch, 2, number)
    times = {event.key: event.self_cpu_time_total for event in found.key_averages()}
    total = sum(times.values())
    shares = {
        group: sum(times.get(f"aten::{name}", 0) for name in names) / total
        for group, names in GROUPS.items()
    }
    return {"shares": shares | {"all else": 1 - sum(shares.values())}}


def parts(
    config: "RunConfig", *, fused: bool | None = True
) -> tuple["Assets", "MultiTaskModel", Any, Any]:
    """Returns data, a model with torch's own dropout, its optimiser and schedule."""
    import torch
    from torch import nn

    from mtl_core.assets import build_tasks
    from mtl_core.model.dropout import FastDropout
    from mtl_core.training.optimizer import build_optimizer, build_schedule

    assets = load(config)
    torch.manual_seed(0)
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, FastDropout):
                setattr(module, name, nn.Dropout(child.p))
    rates = dict.fromkeys(config.tasks, config.optimizer.head_lr)
    optimizer = build_optimizer(model, nn.Module(), config.optimizer, rates)
    if fused is None:
        groups = [{k: group[k] for k in ("params", "lr", "weight_decay")}
                  for group in optimizer.param_groups]  # fmt: skip
        optimizer = torch.optim.AdamW(groups)
    steps = -(-rows_of(assets) // BATCH) * EPOCHS
    schedule = build_schedule(optimizer, schedule="linear", warmup=0.1, total_steps=steps)
    return assets, model, optimizer, schedule


def loss_of(model: "MultiTaskModel", batch: "Batch") -> "torch.Tensor":
    """Returns the sum of the tasks' mean losses."""
    import torch

    logits = model(batch, ["intent", "slots"])
    losses = [
        model.head(name).loss_sum(logits[name], labels, batch) / (labels != -100).sum()
        for name, labels in batch.labels.items()
    ]
    return torch.stack(losses).sum()


def widen(batch: "Batch", width: int) -> "Batch":
    """Returns a batch padded to at least `width` sub-words."""
    from torch.nn.functional import pad

    missing = max(0, width - batch.token_ids.shape[1])
    return replace(
        batch,
        token_ids=pad(batch.token_ids, (0, missing)),
        attention_mask=pad(batch.attention_mask, (0, missing)),
    )


def score(config: "RunConfig", assets: "Assets", model: "MultiTaskModel") -> float:
    """Returns the mean of the main dev scores."""
    from mtl_core.assets import build_collator, build_tasks
    from mtl_core.training.distributed import Place
    from mtl_core.training.evaluation import evaluate

    result = evaluate(
        model,
        build_tasks(config, assets.data.datasets),
        assets.data.datasets,
        split="dev",
        place=Place.current(),
        precision="bf16",
        collator=build_collator(config, assets.data.tokenizer),
    )
    return statistics.mean(result.main.values())


def rows_of(assets: "Assets") -> int:
    """Returns the number of training sentences."""
    return len(assets.data.datasets["data"].splits["train"])


CONTENDERS: dict[str, Callable[[], dict[str, Any]]] = {
    "ours": run_ours,
    "trainer": run_trainer,
    "trainer_padded": lambda: run_trainer(width=WIDTH),
    "trainer_bf16": lambda: run_trainer(bf16=True),
    "plain": run_plain,
    "products": run_products,
    "profile": run_profile,
}


def measure(contender: str) -> dict[str, Any]:
    """Runs a contender in a process of its own."""
    command = [sys.executable, __file__, "--contender", contender]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows() -> Iterator[Row]:
    """Measures all and yields the comparisons."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name in CONTENDERS:
            found[name].append(measure(name))

    def median(name: str, key: str) -> float:
        return statistics.median(float(run[key]) for run in found[name])

    for name, (what, target) in AGAINST.items():
        scores = f"(dev {median('ours', 'score'):.3f}, {median(name, 'score'):.3f})"
        ours, theirs = median("ours", "speed"), median(name, "speed")
        yield Row.of(f"{what} {scores}", ours, theirs, "sentences/s", ours / theirs, target)
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
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--contender", choices=CONTENDERS)
    contender = parser.parse_known_args()[0].contender
    if contender is None:
        write("full_step", list(rows()), output_path())
        return
    result = CONTENDERS[contender]()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result | {"peak": peak}))


if __name__ == "__main__":
    main()
