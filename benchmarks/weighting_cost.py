"""Seconds of a training step with each weighting, against the fixed one, in turn in one process.

A step here is forward and backward of the bundled encoder on 32 sentences of the sample corpus with
two tasks, without the optimiser, in what `auto` is here or in `--precision`. Weightings of losses
need one backward pass, FAMO one more forward pass; those of gradients one backward pass per task.
"""

import random
import statistics
import time

import torch
from _harness import Row, with_precision, write

from mtl_core.assets import Assets, build_collator, build_tasks
from mtl_core.config import RunConfig
from mtl_core.training.distributed import Place
from mtl_core.training.step import Part, Stepper, TaskLosses

ROUNDS = 9
BATCH = 32
LOSSES = ["uncertainty", "dwa", "random", "geometric_mean", "imtl_l", "stch", "famo"]
GRADIENTS = [
    "gradnorm", "pcgrad", "cagrad", "upgrad", "mgda", "gradvac", "graddrop", "aligned_mtl",
    "fairgrad", "imtl_g", "nash",
]  # fmt: skip
TARGETS = dict.fromkeys(GRADIENTS, 0.4) | {"famo": 0.65, "graddrop": 0.25}
"""Share of the fixed step's speed; 0.85 for the others."""


def main() -> None:
    """Measures all kinds."""
    options = with_precision()
    torch.set_num_threads(1)
    raw = {
        "datasets": {"sample": {"kind": "sample"}},
        "tasks": {
            "intent": {"kind": "classification", "dataset": "sample", "column": "intent"},
            "slots": {"kind": "tagging", "dataset": "sample", "column": "slots"},
        },
    }
    config = RunConfig.model_validate(raw)
    place = Place.current()
    assets = Assets.load(config, device=place.device)
    model = assets.new_model(config, build_tasks(config, assets.data.datasets)).train()
    split = assets.data.datasets["sample"].splits["train"]
    collator = build_collator(config, assets.data.tokenizer)
    batch = collator(split, torch.arange(BATCH).numpy(), seed=(0, 1)).to(place.device)
    names = list(config.tasks)
    counts = {name: int((batch.labels[name] >= 0).sum()) for name in names}
    weights = dict.fromkeys(names, 1.0)
    steppers = {}
    for kind in ("fixed", *LOSSES, *GRADIENTS):
        changed = RunConfig.model_validate({**raw, "weighting": {"kind": kind}})
        weighting = changed.weighting.build(weights, seed=0)
        stepper = Stepper(
            TaskLosses(model),
            weighting,
            place,
            task_weights=weights,
            precision=options.precision,
        )
        stepper.wrap(has_unused_parameters=False)
        steppers[kind] = stepper
    seconds: dict[str, list[float]] = {kind: [] for kind in steppers}
    generator = random.Random(0)
    for round_ in range(ROUNDS + 1):
        # In another order each time: a step after one that takes much memory is slower.
        for kind in generator.sample(list(steppers), len(steppers)):
            taken = seconds_of(steppers[kind], [(batch, names)], counts)
            if round_:  # the first one compiles solvers and fills caches
                seconds[kind].append(taken)
    median = {kind: statistics.median(taken) for kind, taken in seconds.items()}
    rows = []
    for kind in (*LOSSES, *GRADIENTS):
        ratio, target = median["fixed"] / median[kind], TARGETS.get(kind, 0.85)
        what = f"step, {kind} against fixed"
        rows.append(
            Row(what, median[kind], median["fixed"], "s", ratio, target, met=ratio >= target)
        )
    write("weighting_cost", rows, options.json, precision=options.precision)


def seconds_of(stepper: Stepper, parts: list[Part], counts: dict[str, int]) -> float:
    """Returns the seconds of one step."""
    stepper.weighting.zero_grad(set_to_none=True)
    start = time.perf_counter()
    stepper.backward(parts, counts)
    stepper.after_update(parts, counts)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
