"""Command lines with something wrong in them, of all commands; none trains or needs a network."""

import os
import random
import socket
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from unittest.mock import patch

from answers import Case, answer_of
from damaged_caches import small_run
from damaged_study_files import damaged_study
from short_runs import save_short_run

STUDY = """\
run:
  encoder: {{name: {encoder}}}
  datasets:
    rows: {{kind: csv, splits: {{train: rows.csv, dev: 0.25}}}}
    corpus: {{kind: seq_in_out, path: {corpus}}}
  tasks:
    label: {{kind: classification, dataset: rows, column: label}}
    slots: {{kind: tagging, dataset: corpus, column: slots}}
  freezing: {{kind: none}}
  training: {{epochs: 1, precision: fp32}}
search:
  optimizer.head_lr: {{log_range: [1.0e-3, 1.0e-2]}}
  tasks.label.weight: {{range: [0.5, 1]}}
study: {{trials: 2, storage: runs}}
"""
ODD_KEYS = (
    "", "=", ".", "..", "a", "a.b", ".a", "a.", "seed", "run", "run.seed", "search", "study",
    "study.name", "run.run.seed", "encoder", "encoder.name", "encoder.max_length", "datasets",
    "datasets.rows", "datasets.rows.kind", "datasets.rows.splits.train",
    "datasets.rows.splits.train.0", "datasets.rows.delimiter", "datasets.rows.encoding",
    "datasets.rows.where.label", "datasets.rows.limit", "datasets.none.kind", "tasks",
    "tasks.label", "tasks.label.kind", "tasks.label.column", "tasks.label.weight",
    "tasks.\u00e4.kind", "tasks.label.kind.x", "search.tasks.label.kind", "search.tasks.label",
    "search.seed", "search.training.epochs", "search.freezing", "search.freezing.kind",
    "search.datasets.rows.kind", "search.encoder.name", "training.epochs", "training.batch_size",
    "optimizer.encoder_lr", "freezing.layers", "mixing.kind", "study.trials", "study.storage",
    "study.objective", "study.resources.workers", "\udcff",
)  # fmt: skip
"""Keys of `--set`; the last one is a byte that is no UTF-8, as Python hands it on."""
ODD_VALUES = (
    "", " ", "=", "==", "null", "~", "true", "-1", "0", "1e999", ".nan", "-.inf", "9" * 5000,
    "!!int ''", "!!float x", "!!binary x", "!x y", "&a [*a]", "*a", "[", "{", "{a: 1, a: 2}",
    "[" * 60, "'", '"', '"\\0"', '"\\ud800"', "x" * 300, "x" * 5000, "/" + "x" * 5000,
    "a/" * 3000, ".", "/", "/dev/zero", "pipe", "socket", "folder", "dangling", "loop",
    "s3://b/x", "https://", "fetched:", "fetched:../x", "~nobody/x",
    "{choice: [classification, tagging]}", "{choice: [1, 2]}", "{choice: []}",
    "{choice: [{kind: none}, {kind: lower_layers, layers: {int_range: [1, 2]}}]}",
    "{choice: [{kind: x}, {kind: y}]}", "{range: [0, 1]}", "{range: [1, 0]}",
    "{int_range: [0, 9e9]}", "{log_range: [0, 1]}", "{choice: ['file.py:X', 'os:system']}",
    "os:system", "file.py:X", "\udcff", "\U0001f600", "a\nb", "\x1b[2J", "[[[]]]", "{}", "[]",
    "2024-01-01", "utf-7", "\\t", "label",
)  # fmt: skip
"""Values of `--set`, most of them wrong for most keys."""
ODD_PLACES = (
    "none", "", " ", ".", "/", "..", "-", "--", "x" * 300, "x" * 5000, "a/" * 3000, "/dev/null",
    "/dev/zero", "socket", "folder", "dangling", "loop", "zeros", "utf16.yaml", "empty.yaml",
    "aliases.yaml", "binary.yaml", "rows.csv", "study.yaml", "model", "model/mtl.json",
    "~nobody/x", "s3://b/x", "https://", "USER/NAME", "a@b", "a/b@c", "\udcff\udcfe",
    "\U0001f600", "a\nb", "--help-me", "*", "pipe",
)  # fmt: skip
"""Arguments that name files, folders, studies and models."""


def write_places(folder: Path) -> None:
    """Writes a good study and model, and what is odd to find in a folder."""
    config = small_run(folder / "given")
    save_short_run(config, folder)
    section = config.datasets["corpus"].model_dump(mode="json")
    text = STUDY.format(encoder=config.encoder.name, corpus=section["path"])
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    rows = ["text,label", *(f"word {number},{'ab'[number % 2]}" for number in range(40))]
    (folder / "rows.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")  # Relative: the path of a socket may be of a hundred characters.
    (folder / "folder").mkdir()
    (folder / "dangling").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    (folder / "zeros").write_bytes(bytes(100_000))
    (folder / "utf16.yaml").write_text(text, encoding="utf-16")
    (folder / "empty.yaml").touch()
    (folder / "binary.yaml").write_bytes(random.Random(0).randbytes(5000))
    aliases = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 200))]
    (folder / "aliases.yaml").write_text("\n".join(aliases), encoding="utf-8")


def _sets(rng: random.Random) -> list[str]:
    found = []
    for _ in range(rng.choice((1, 1, 2, 5))):
        key, value = rng.choice(ODD_KEYS), rng.choice(ODD_VALUES)
        found += ["--set", f"{key}={value}" if rng.random() < 0.95 else key]
    return found


def command_line(rng: random.Random) -> list[str]:
    """Returns the words behind `mtl`, at least one of them odd; none of them trains."""
    place, other = rng.choice(ODD_PLACES), rng.choice(ODD_PLACES)
    # Whoever reads texts waits for a pipe, as `cat` does.
    file = other if other != "pipe" else "none"
    lines: Sequence[list[str]] = (
        ["check", "study.yaml", *_sets(rng)],
        ["check", "study.yaml", *_sets(rng)],
        ["check", place],
        ["check", place, *_sets(rng)],
        # A folder for the run that cannot be made: what is not refused before is refused for that.
        ["train", "study.yaml", "--output", "/dev/null/x", *_sets(rng)],
        ["train", place, "--output", other],
        ["tune", place, *_sets(rng)],
        ["status", place],
        ["report", place],
        ["init", place, other],
        ["init", "rows.csv", "--output", place],
        ["fetch", place],
        ["predict", place, "text"],
        ["predict", "model", "text", "--output", place],
        ["predict", "model", "--file", file],
        ["predict", "model", "--file", "rows.csv", rng.choice(("--text", "--features")), other],
        ["predict", "model", other, "--device", rng.choice(("x", "cuda:99", "", "cpu:-1"))],
        ["predict", "model", other, "--batch-size", rng.choice(("0", "-1", "x", "9" * 50))],
        ["predict", "model", rng.choice(ODD_VALUES)],
        ["evaluate", place],
        ["evaluate", "model", "--file", place],
        ["evaluate", "model", "--file", f"corpus={place}"],
        ["fill-mask", "model", rng.choice(ODD_VALUES)],
        ["fill-mask", place, "a [MASK]"],
        ["push", place, rng.choice(("", "a b", "a/b/c", "x" * 300))],
        ["schema", "--output", place],
        [rng.choice(("chek", "", "--", "-x", "--set", "\udcff", "x" * 5000)), place],
    )
    found = list(rng.choice(lines))
    if rng.random() < 0.1:
        found.insert(rng.randrange(len(found) + 1), rng.choice((*ODD_PLACES, "--json", "--set")))
    return found


def _may_run(words: Sequence[str]) -> bool:
    """Returns whether a command line may train."""
    return words[0] in ("train", "tune") and ("study.yaml" in words and "/dev/null/x" not in words)


def cases(folder: Path, seed: int, count: int) -> Iterator[Case]:
    """Yields command lines with something wrong, and damaged study files for `mtl check`.

    The current folder is one of its own while they are tried.

    Args:
        folder: An empty folder.
        seed: Of what is wrong.
        count: How many.
    """
    before = Path.cwd()
    os.chdir(folder)
    try:
        write_places(folder)
        good = (folder / "study.yaml").read_text(encoding="utf-8")
        number = 0
        while number < count:
            rng = random.Random(f"{seed} {number}")
            if number % 3 == 2:
                what, content = damaged_study(good, rng)
                (folder / "damaged.yaml").write_bytes(content)
                words = ["check", "damaged.yaml"]
            else:
                words = command_line(rng)
                what = ""
                while _may_run(words):
                    words = command_line(rng)
            yield Case(f"{number}: {what} {words!r:.300}", partial(_fault, words, folder))
            number += 1
    finally:
        os.chdir(before)


def _fault(words: Sequence[str], folder: Path) -> str | None:
    with open(os.devnull) as nothing, patch.object(sys, "stdin", nothing):  # noqa: PTH123
        answer = answer_of(words, [folder])
    writes = words[0] in ("init", "schema", "predict", "evaluate", "train", "report")
    if (fault := answer.fault(writes=writes)) is not None:
        return fault
    for path in answer.written if answer.code == 0 else ():
        Path(path).unlink(missing_ok=True)
    long = [line for line in answer.stderr.splitlines() if len(line) > 1100]
    return f"a line of {len(long[0]):,} characters: {long[0][:60]}" if long else None
