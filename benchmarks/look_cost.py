"""CPU seconds of a look at the tasks (`training.gradients_every`), against those of a step.

The bundled encoder on batches of 32 sentences of the sample corpus: two tasks on one data set, and
four tasks on three, of which a step draws from one and a look from all.
"""

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from _harness import Row, with_precision, write

from mtl_core.config import RunConfig
from mtl_core.model.autocast import Precision
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.run import Run

LOOKS = 5
STEPS_BETWEEN = 3
INTENT, SLOTS = (
    {"kind": "classification", "column": "intent"},
    {"kind": "tagging", "column": "slots"},
)
CASES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "two tasks on one data set": {
        "intent": {**INTENT, "dataset": "first"},
        "slots": {**SLOTS, "dataset": "first"},
    },
    "four tasks on three data sets": {
        "intent": {**INTENT, "dataset": "first"},
        "slots": {**SLOTS, "dataset": "first"},
        "intent_again": {**INTENT, "dataset": "second"},
        "slots_again": {**SLOTS, "dataset": "third"},
    },
}


def run_of(tasks: Mapping[str, Mapping[str, Any]], precision: Precision) -> Run:
    """Returns a run of these tasks on the sample corpus."""
    datasets = {str(task["dataset"]): {"kind": "sample"} for task in tasks.values()}
    training = {"batch_size": 32, "precision": precision}
    raw = {"datasets": datasets, "tasks": tasks, "training": training}
    return Run(RunConfig.model_validate(raw), Mean())


def measure(run: Run) -> tuple[Sequence[float], Sequence[float]]:
    """Returns the CPU seconds of looks, and of steps."""
    looking, stepping = [], []
    # One look and its steps more than are counted: the first ones fill caches.
    batches = islice(run.begin(1), (LOOKS + 1) * STEPS_BETWEEN)
    for number, batch in enumerate(batches):
        start = time.thread_time()
        if number % STEPS_BETWEEN == 0:
            run.look(batch, 1, number + 1)
            looking.append(time.thread_time() - start)
            start = time.thread_time()
        run.step(batch, list(run.loader.micro_batches(batch, 1)))
        stepping.append(time.thread_time() - start)
    return looking[1:], stepping[STEPS_BETWEEN:]


def compare(precision: Precision) -> Iterator[Row]:
    """Yields a row per case; there is no target, as a look is made as rarely as one likes."""
    for name, tasks in CASES.items():
        look, step = map(statistics.median, measure(run_of(tasks, precision)))
        yield Row.of(f"look against step, {name}", look, step, "s", step / look, None)


def main() -> None:
    """Measures all cases."""
    options = with_precision()
    torch.set_num_threads(1)
    rows = list(compare(options.precision))
    write("look_cost", rows, options.json, precision=options.precision)


if __name__ == "__main__":
    main()
