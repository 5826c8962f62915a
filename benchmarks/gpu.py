"""What one NVIDIA GPU makes of it, in a few minutes: `python benchmarks/gpu.py --json gpu.json`.

- Full fine-tuning in bf16 against a Transformers `Trainer` in bf16, on the same model and data
  (`full_step.py`).
- Trials per minute with two trainers on the card, `study.resources.gpus=0.5`, against one; from the
  first report to the last, so without what Ray and the workers take to start.
- The encoder frozen, with the prefix cache against without it (`prefix_cache.py`).
- The tests marked `gpu`.

Ends with code 2 where there is no CUDA device, 1 when a test fails.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import full_step
import prefix_cache
import study_time
import torch
from _harness import Row, command_line, resolve, write

from mtl_core.model.autocast import Precision

ROOT = Path(__file__).parents[1]
EPOCHS = 3
NO_GPU = "gpu: torch finds no CUDA device; run this on a machine with an NVIDIA GPU"


def step(precision: Precision, rounds: int) -> Row:
    """Compares a full step, each side in processes of its own."""
    speeds: dict[str, list[float]] = {"ours": [], "trainer_half": []}
    scores: dict[str, float] = {}
    # In turn, so that a card that grows warm slows both.
    for _ in range(rounds):
        for name, found in speeds.items():
            run = full_step.measure(name, precision)
            found.append(run["speed"])
            scores[name] = run["score"]
    ours, theirs = map(statistics.median, speeds.values())
    reached = ", ".join(f"{score:.3f}" for score in scores.values())
    what = f"full step, {precision}, a Transformers Trainer in {precision} (dev {reached})"
    return Row.of(what, ours, theirs, "sentences/s", ours / theirs, None)


def trainers(precision: Precision, trials: int) -> Row:
    """Compares two trainers on the card with one."""
    speeds = [trials_a_minute(study(precision, share), trials) for share in (0.5, 1.0)]
    ours, theirs = speeds
    what = f"two trainers on the card ({precision}): one trainer"
    return Row.of(what, ours, theirs, "trials a minute", ours / theirs, None)


def study(precision: Precision, gpus: float) -> list[str]:
    """Returns the settings of a study whose trainers take a share of a card."""
    return [
        f"study.resources.gpus={gpus:g}",
        "study.resources.cpus=1",
        f"study.resources.trainers={round(1 / gpus)}",
        # All trials of one length, so that they can be counted by their reports.
        "study.scheduler={kind: none}",
        f"run.training.epochs={EPOCHS}",
        f"run.training.precision={precision}",
    ]


def trials_a_minute(settings: list[str], trials: int) -> float:
    """Runs the demo study; returns its trials per minute once all trainers are at work."""
    with tempfile.TemporaryDirectory() as scratch:
        curve = study_time.ours(Path(scratch), trials, 0, settings)
    return speed_of(curve)


def speed_of(curve: study_time.Curve) -> float:
    """Returns trials per minute, from the times of all reports."""
    first, last = curve[0][0], curve[-1][0]
    # n reports lie about n - 1 epochs of work apart, whichever trainers made them.
    return (len(curve) - 1) / EPOCHS / ((last - first) / 60)


def frozen(precision: Precision) -> Row:
    """Compares training on kept hidden states with computing them in every step."""
    return prefix_cache.compare("encoder frozen", {"kind": "encoder"}, None, precision)


def run_tests() -> tuple[int, str]:
    """Runs the tests that need a GPU; returns their exit code and last line."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", str(ROOT / "tests")]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    sys.stdout.write(done.stdout)
    return done.returncode, next(reversed(done.stdout.splitlines()), "")


def measure(precision: Precision, rounds: int, trials: int) -> Iterator[Row]:
    """Measures all, one after the other; says what comes next."""
    # One after the other, the GPU to itself; functions, since nothing is to be measured yet.
    steps: list[tuple[str, Callable[[], Row]]] = [
        ("a full step", lambda: step(precision, rounds)),
        ("the encoder frozen", lambda: frozen(precision)),
        ("two trainers on one card", lambda: trainers(precision, trials)),
    ]
    for what, take in steps:
        print(f"measuring {what}", flush=True)
        yield take()


def main() -> None:
    """Measures all and runs the tests."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--precision", choices=["bf16", "fp16", "fp32"], default="bf16")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--trials", type=int, default=8)
    options = command_line(parser)
    # Before anything is loaded: on a machine without one this is all there is to say.
    if not torch.cuda.is_available():
        print(NO_GPU, file=sys.stderr)
        raise SystemExit(2)
    rows = list(measure(options.precision, options.rounds, options.trials))
    # After the figures, which are worth keeping when a test fails.
    code, tests = run_tests()
    raw = {"tests": tests, "auto": resolve("auto")}
    write("gpu", rows, options.json, raw, precision=options.precision)
    raise SystemExit(1 if code else 0)


if __name__ == "__main__":
    main()
