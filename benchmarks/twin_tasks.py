"""Whether looks at the tasks tell who should train together, where that is known beforehand.

Four tasks on the bundled encoder, made of the sample corpus: `intent` and `slots` on the same rows;
`twin`, the intents of other rows; and `mixed`, the intents of yet others with the labels of the
rows exchanged. Intents and their twin should train together, and nothing is to be had from the
mixed ones. Prints the section of a report, after 2 epochs of 500 rows (6 minutes of one core).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mtl_core.config import RunConfig
from mtl_core.data.example import Example
from mtl_core.data.formats.sample import generate_sample
from mtl_core.training.loop import train
from tuning.records import DEFAULT_ID, TrialRecord
from tuning.report.sharing import sharing_section
from tuning.study.sharing import Sharing, sharing_of

ROWS = 500
TRAINING = {"epochs": 2, "batch_size": 32, "precision": "fp32", "gradients_every": 4}
INTENT = {"kind": "classification", "column": "intent"}


def exchanged(rows: Sequence[Example]) -> list[Example]:
    """Returns the rows, each with the intent of another: as many of each as before."""
    others = np.random.default_rng(1).permutation(len(rows))
    return [
        replace(row, labels={**row.labels, "intent": rows[other].labels["intent"]})
        for row, other in zip(rows, others, strict=True)
    ]


def parts() -> dict[str, list[Example]]:
    """Returns data set -> its rows, of which no two have any in common."""
    whole = [row for row in generate_sample()["train"] if len(row.labels) == 2]
    first, second, third = (whole[n * ROWS : (n + 1) * ROWS] for n in range(3))
    return {"first": first, "second": second, "third": exchanged(third)}


def write_rows(folder: Path, rows: Sequence[Example]) -> None:
    """Writes a split in the format of `seq_in_out`."""
    folder.mkdir(parents=True)
    columns = {
        "seq.in": [" ".join(row.words) for row in rows],
        "seq.out": [" ".join(row.labels["slots"]) for row in rows],
        "label": [str(row.labels["intent"]) for row in rows],
    }
    for name, lines in columns.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def config_of(folder: Path) -> RunConfig:
    """Writes the data sets into a folder and returns the run on them."""
    for name, rows in parts().items():
        write_rows(folder / name / "train", rows)
        for split in ("dev", "test"):  # Not looked at.
            write_rows(folder / name / split, rows[:100])
    raw = {
        "datasets": {
            name: {"kind": "seq_in_out", "path": str(folder / name)}
            for name in ("first", "second", "third")
        },
        "tasks": {
            "intent": {**INTENT, "dataset": "first"},
            "slots": {"kind": "tagging", "dataset": "first", "column": "slots"},
            "twin": {**INTENT, "dataset": "second"},
            "mixed": {**INTENT, "dataset": "third"},
        },
        "optimizer": {"encoder_lr": 2e-4, "head_lr": 2e-3},
        "training": TRAINING,
    }
    return RunConfig.model_validate(raw)


def seen() -> Sharing | None:
    """Trains, and returns what the looks have seen."""
    with TemporaryDirectory() as folder:
        reports = tuple(train(config_of(Path(folder))))
    return sharing_of([TrialRecord(DEFAULT_ID, "complete", {}, {}, reports)])


if __name__ == "__main__":
    print("\n\n".join(sharing_section(seen())))
