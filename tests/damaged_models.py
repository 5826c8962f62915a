"""Damaged and hostile folders of models and encoders, and what the commands answer to them."""

import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from answers import Answer, Case, answer_of, answer_to
from conftest import save_bert, write_seq_in_out
from damage import copy_folder, damage_file, files_of
from hostile_models import HOSTILE
from saved_models import save_untrained

from mtl_core.config import RunConfig
from mtl_core.data.formats.sample import generate_sample
from mtl_core.predictor import Predictor


def cases(folder: Path, seed: int, count: int) -> Iterator[Case]:
    """Yields damaged models and encoders, each with a command that is given one.

    Args:
        folder: Where all is made.
        seed: Of the draw.
        count: Cases.
    """
    good = make_good(folder)
    MODEL_COMMANDS["evaluate"](good / "model", good)  # What is imported once is in no case's time.
    commands = {**MODEL_COMMANDS, **ENCODER_COMMANDS}
    # One after the other, so that few cases have all commands.
    names = list(commands)
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        name = names[number % len(names)]
        yield Case(*_case(good, name, commands[name], rng, number))


def make_good(folder: Path) -> Path:
    """Makes a model, the encoder and the data that it was made of, and a study; returns where."""
    good = folder / "good"
    if (good / "study.yaml").exists():
        return good
    sample = generate_sample()
    for split, size in {"train": 24, "dev": 8, "test": 8}.items():
        rows = [example for example in sample[split] if len(example.labels) == 2][:size]
        write_seq_in_out(good / "corpus" / split, rows)
    (good / "encoder").mkdir()
    save_bert(good / "encoder", sample["train"], dropout=0.0)
    study = _study(good)
    save_untrained(RunConfig.model_validate(study["run"]), good / "model")
    (good / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
    return good


def _study(good: Path) -> dict[str, Any]:
    words = str(good / "corpus" / "train" / "seq.in")
    return {
        "run": {
            "encoder": {"name": str(good / "encoder")},
            "datasets": {
                "corpus": {"kind": "seq_in_out", "path": str(good / "corpus")},
                "lines": {"kind": "lines", "splits": {"train": words, "dev": words}},
            },
            "tasks": {
                "intent": {"kind": "classification", "dataset": "corpus", "column": "intent"},
                "slots": {"kind": "tagging", "dataset": "corpus", "column": "slots"},
                "words": {"kind": "masked_lm", "dataset": "lines", "chunk": 16},
            },
            "training": {"epochs": 1, "precision": "fp32"},
        },
        "study": {"trials": 1},
    }


_SAID_OF_WHAT_CANNOT_BE_SEEN = (
    "nobody is logged in",  # Nothing is sent yet.
    "in place of numbers; its weights are damaged",
    "its tokenizer has no mask token",
    "there is no mask in the text",
    "needs a tokenizer with a mask token",
    "are not those the model was trained with",
)
"""What is said without the name of a file: all of them are as they may be."""

Command = Callable[[Path, Path], Answer]
"""Runs something on a damaged folder in a work folder."""


def _mtl(*arguments: str) -> Command:
    """Returns a command; FOLDER, STUDY and OUTPUT stand for paths."""

    def run(damaged: Path, work: Path) -> Answer:
        places = {"FOLDER": damaged, "STUDY": work / "study.yaml", "OUTPUT": work / "output"}
        texts = list(arguments)
        for name, path in places.items():
            texts = [text.replace(name, str(path)) for text in texts]
        return answer_of(texts, [work])

    return run


def _load(damaged: Path, work: Path) -> Answer:
    def call() -> None:
        from mtl_core.errors import ConfigError

        try:
            Predictor.load(damaged, device="cpu")("play some jazz in paris")
        except ConfigError as error:
            sys.stderr.write(f"error: {error}\n")
            raise SystemExit(2) from error

    return answer_to(call, [work])


MODEL_COMMANDS: Mapping[str, Command] = {
    "predict": _mtl("predict", "FOLDER", "play some jazz in paris", "--json"),
    "evaluate": _mtl("evaluate", "FOLDER"),
    "fill-mask": _mtl("fill-mask", "FOLDER", "play some [MASK] in paris"),
    "push": _mtl("push", "FOLDER", "somebody/model"),
    "train --init-from": _mtl("train", "STUDY", "--init-from", "FOLDER", "--output", "OUTPUT"),
    "Predictor.load": _load,
}
ENCODER_COMMANDS: Mapping[str, Command] = {
    "check": _mtl("check", "STUDY", "--set", "encoder.name=FOLDER"),
    "train": _mtl("train", "STUDY", "--set", "encoder.name=FOLDER", "--output", "OUTPUT"),
}


def _case(
    good: Path, name: str, command: Command, rng: random.Random, number: int
) -> tuple[str, Callable[[], str | None]]:
    """Returns the name of a case, and what tries it."""
    kind = "encoder" if name in ENCODER_COMMANDS else "model"
    work = good.parent / f"{number:04}"
    damaged = copy_folder(good / kind, work / kind)
    shutil.copy(good / "study.yaml", work)
    done = _spoil(damaged, rng)

    def fault() -> str | None:
        try:
            return _fault(command(damaged, work), damaged, writes=name.startswith("train"))
        finally:
            shutil.rmtree(work)

    return f"mtl {name}, {kind}: {done}", fault


def _fault(answer: Answer, damaged: Path, *, writes: bool) -> str | None:
    """Returns what is wrong with an answer; None when it is as it should be."""
    found = answer.fault(writes=writes)
    if found is not None:
        return found
    if answer.code == 1 and "the loss of task" in answer.stderr:
        return None  # Numbers that no weight has, though they are some.
    if answer.code not in (0, 2):
        return f"exit code {answer.code}: {answer.stderr[-300:]}"
    lines = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    if answer.code == 2 and any(said in answer.stderr for said in _SAID_OF_WHAT_CANNOT_BE_SEEN):
        return None
    if answer.code == 2 and not any(str(damaged) in line for line in lines):
        return f"does not say which file: {answer.stderr[-300:]}"
    # A file that people write is told with all its mistakes.
    if answer.code == 2 and len(lines) > 1 and not all("run.yaml:" in line for line in lines):
        return f"{len(lines)} lines: {answer.stderr[-600:]}"
    return None


def _spoil(damaged: Path, rng: random.Random) -> str:
    """Damages a folder; returns what was done."""
    if rng.random() < 0.5:
        path = rng.choice(files_of(damaged))
        return f"{path.relative_to(damaged)}: {damage_file(path, rng)}"
    name = rng.choice(list(HOSTILE))
    return f"{name}: {HOSTILE[name](damaged, rng)}"
