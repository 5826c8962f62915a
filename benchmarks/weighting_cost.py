"""Seconds per training step with each weighting, against the fixed one, in turn in one process.

A step here is forward and backward of the bundled encoder on 32 sentences of the sample corpus with
two tasks, without the optimiser, in what `auto` is here or in `--precision`. Weightings of losses
need one backward pass, FAMO one more forward pass; those of gradients one backward pass per task.
"""

import random
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from _harness import Row, with_precision, write

from mtl_core.assets import Assets, build_collator, build_tasks
from mtl_core.config import RunConfig
from mtl_core.model.autocast import Precision
from mtl_core.training.distributed import Place
from mtl_core.training.forward import ForwardPass, MicroBatch, TaskLosses
from mtl_core.training.step import Step, build_step
from mtl_core.training.task_gradients import TaskGradients
from mtl_core.weighting.base import Weighting

ROUNDS = 9
BATCH = 32
LOSSES = ["uncertainty", "dwa", "random", "geometric_mean", "imtl_l", "stch", "famo"]
GRADIENTS = [
    "gradnorm", "pcgrad", "cagrad", "upgrad", "mgda", "gradvac", "graddrop", "aligned_mtl",
    "fairgrad", "imtl_g", "nash",
]  # fmt: skip
TARGETS = dict.fromkeys(GRADIENTS, 0.4) | {"famo": 0.65, "graddrop": 0.25}
"""Share of the fixed step's speed; 0.85 for the others."""
RAW = {
    "datasets": {"sample": {"kind": "sample"}},
    "tasks": {
        "intent": {"kind": "classification", "dataset": "sample", "column": "intent"},
        "slots": {"kind": "tagging", "dataset": "sample", "column": "slots"},
    },
}


@dataclass(frozen=True, slots=True)
class Work:
    """One step, again and again: its rows, and the model that they go through."""

    rows: MicroBatch
    counts: Mapping[str, int]
    forward: ForwardPass

    @classmethod
    def make(cls, precision: Precision) -> "Work":
        """Reads the rows and makes the model."""
        config, place = RunConfig.model_validate(RAW), Place.current()
        assets = Assets.load(config, device=place.device)
        model = assets.new_model(config, build_tasks(config, assets.data.datasets)).train()
        split = assets.data.datasets["sample"].splits["train"]
        collator = build_collator(config, assets.data.tokenizer)
        batch = collator(split, torch.arange(BATCH).numpy(), seed=(0, 1)).to(place.device)
        names = list(config.tasks)
        # Labels of each task, by which its summed loss becomes a mean; padding has negative ids.
        counts = {name: int((batch.labels[name] >= 0).sum()) for name in names}
        forward = ForwardPass(TaskLosses(model), place, precision)
        return cls(MicroBatch(batch, names), counts, forward)

    def step_of(self, kind: str) -> tuple[Weighting, Step]:
        """Returns a weighting and its step."""
        weights = dict.fromkeys(self.counts, 1.0)
        section = RunConfig.model_validate({**RAW, "weighting": {"kind": kind}}).weighting
        weighting, gradients = section.build(weights, seed=0), TaskGradients(self.forward)
        step = build_step(weighting, gradients, task_weights=weights, has_unused_parameters=False)
        return weighting, step

    def seconds_of(self, weighting: Weighting, step: Step) -> float:
        """Returns the seconds of one step."""
        weighting.zero_grad(set_to_none=True)
        # Both halves of a step: FAMO looks at the losses once more after the update.
        start = time.perf_counter()
        step.backward([self.rows], self.counts)
        step.after_update([self.rows], self.counts)
        return time.perf_counter() - start


def measure(work: Work) -> dict[str, float]:
    """Returns kind -> median seconds of a step."""
    steps = {kind: work.step_of(kind) for kind in ("fixed", *LOSSES, *GRADIENTS)}
    seconds: dict[str, list[float]] = {kind: [] for kind in steps}
    generator = random.Random(0)
    for round_ in range(ROUNDS + 1):
        # In another order each time: a step after one that takes much memory is slower.
        for kind in generator.sample(list(steps), len(steps)):
            taken = work.seconds_of(*steps[kind])
            if round_:  # the first one compiles solvers and fills caches
                seconds[kind].append(taken)
    return {kind: statistics.median(taken) for kind, taken in seconds.items()}


def compare(median: Mapping[str, float]) -> Iterator[Row]:
    """Yields each kind against the fixed one."""
    for kind in (*LOSSES, *GRADIENTS):
        # The share of the fixed step's speed that is left: at most about 1.
        ratio = median["fixed"] / median[kind]
        what = f"step, {kind} against fixed"
        yield Row.of(what, median[kind], median["fixed"], "s", ratio, TARGETS.get(kind, 0.85))


def main() -> None:
    """Measures all kinds."""
    options = with_precision()
    torch.set_num_threads(1)
    rows = list(compare(measure(Work.make(options.precision))))
    write("weighting_cost", rows, options.json, precision=options.precision)


if __name__ == "__main__":
    main()
