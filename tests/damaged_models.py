"""Damaged and hostile folders of models and encoders, and what the commands answer to them."""

import json
import os
import pickle
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from answers import Answer, Case, answer_of, answer_to
from conftest import save_bert, write_seq_in_out
from damage import copy_folder, damage_file, files_of
from saved_models import save_untrained
from strangers import Pickled

from mtl_core.config import RunConfig
from mtl_core.data.formats.sample import generate_sample
from mtl_core.predictor import Predictor

ABSURD: Sequence[object] = (
    10**6, 10**9, 2**31, 2**63, 10**30, -1, -(10**9), 0, 1.5, 1e300, float("nan"), float("inf"),
    "x", "32", "\ud800", None, True, [], [10**9] * 3, {}, {"a": {"a": 10**9}},
)  # fmt: skip
"""What a size may be set to by somebody who means harm."""


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
    name = rng.choice(list(_HOSTILE))
    return f"{name}: {_HOSTILE[name](damaged, rng)}"


def _absurd_json(*names: str) -> Callable[[Path, random.Random], str]:
    """Returns what sets a key of a JSON file, at any depth, to a value that no tool writes."""

    def spoil(damaged: Path, rng: random.Random) -> str:
        path = damaged / rng.choice([name for name in names if (damaged / name).exists()])
        whole = json.loads(path.read_text(encoding="utf-8"))
        holders = [
            (holder, key)
            for holder in _holders(whole)
            for key in (holder if isinstance(holder, dict) else range(len(holder)))
        ]
        holder, key = rng.choice(holders)
        holder[key] = rng.choice(ABSURD)
        path.write_text(json.dumps(whole), encoding="utf-8")
        return f"{path.name}: {key} = {str(holder[key])[:30]!a}"

    return spoil


def _holders(value: object) -> Iterator[Any]:
    if isinstance(value, dict | list) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)


def _extra_key(damaged: Path, rng: random.Random) -> str:
    """Sets a key that Transformers knows and the file has not."""
    keys = {
        "num_labels": 10**9,
        "id2label": {"x": 1},
        "layer_types": ["full_attention"] * 10**5,
        "chunk_size_feed_forward": 10**9,
        "is_encoder_decoder": True,
        "to_dict": 5,
        "attribute_map": {"hidden_size": "vocab_size"},
        "return_dict": False,
        "output_attentions": True,
        "per_layer_config": {"0": {"hidden_size": 10**9}},
        "auto_map": {"AutoModel": "evil.Evil"},
        "quantization_config": {"quant_method": "gptq"},
        "attn_implementation": "a/b",
        "rope_scaling": 5,
        "dtype": "load",
        "architectures": 5,
        "model_type": rng.choice(["albert", "t5", "gpt2", "distilbert", "vit", "xlnet", "evil"]),
    }
    key = rng.choice(list(keys))
    path = damaged / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: keys[key]}))
    return key


def _other_head(damaged: Path, rng: random.Random) -> str:
    """Writes another head in front of weights: other names, shapes, types and places."""
    path = rng.choice([path for path in files_of(damaged) if path.suffix == ".safetensors"])
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + length])
    name = rng.choice([name for name in head if name != "__metadata__"])
    change = rng.randrange(6)
    if change == 0:
        head[rng.choice(["", "x", "\ud800", f"{name}.x"])] = head.pop(name)
    elif change == 1:
        head[name]["shape"] = rng.choice([[], [-1], [2**62, 2**62], head[name]["shape"][::-1], 5])
    elif change == 2:
        head[name]["dtype"] = rng.choice(["F64", "I32", "BF16", "F8_E4M3", "X", 5, "U32"])
    elif change == 3:
        head[name]["data_offsets"] = rng.choice([[0, 0], [-1, 5], [0, 2**63], [5], "x"])
    elif change == 4:
        del head[name]
    else:
        head |= {f"x{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
                 for number in range(10**5)}  # fmt: skip
    text = json.dumps(head).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    return f"{path.name} ({change})"


def _no_numbers(damaged: Path, rng: random.Random) -> str:
    """Fills weights with NaN."""
    path = rng.choice([path for path in files_of(damaged) if path.suffix == ".safetensors"])
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    path.write_bytes(content[:start] + b"\xff" * (len(content) - start))
    return path.name


def _pickle(damaged: Path, rng: random.Random) -> str:
    path = rng.choice([path for path in files_of(damaged) if path.suffix == ".safetensors"])
    if rng.random() < 0.5:
        path.write_bytes(pickle.dumps(Pickled()))
        return path.name
    path.unlink()
    path.with_name("pytorch_model.bin").write_bytes(pickle.dumps(Pickled()))
    return f"in place of {path.name}"


def _pipe_beside(damaged: Path, rng: random.Random) -> str:
    name = rng.choice(["special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "x"])
    os.mkfifo(damaged / name)
    return name


def _link_outside(damaged: Path, rng: random.Random) -> str:
    path = rng.choice(files_of(damaged))
    path.unlink()
    target = rng.choice(["/etc/passwd", "/dev/zero", "/dev/null", "/proc/self/status", ".", "/"])
    path.symlink_to(target)
    return f"{path.name} to {target}"


def _many_files(damaged: Path, rng: random.Random) -> str:
    """Lists weights in several files, some of which are none."""
    target = rng.choice(["../x.safetensors", "/etc/passwd", "none.safetensors", "x.bin", 5])
    path = damaged / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"a": target, "b": "model.safetensors"}}))
    (damaged / "model.safetensors").unlink()
    return str(target)


def _absurd_run(damaged: Path, rng: random.Random) -> str:
    """Asks for large heads in run.yaml, or for lengths in the encoder's tokenizer."""
    path = damaged / "run.yaml"
    if not path.exists():
        return _absurd_json("tokenizer_config.json")(damaged, rng)
    head = f"kind: mlp\n      hidden_size: {rng.choice([10**6, 10**9, 10**30, -1])}"
    path.write_text(path.read_text().replace("kind: linear", head, 1))
    return head.replace("\n      ", ", ")


_HOSTILE: Mapping[str, Callable[[Path, random.Random], str]] = {
    "a size": _absurd_json("config.json"),
    "a size again": _absurd_json("config.json"),
    "a value": _absurd_json("mtl.json", "tokenizer_config.json"),
    "a value of the tokenizer": _absurd_json("tokenizer.json", "tokenizer_config.json"),
    "another key": _extra_key,
    "another head of weights": _other_head,
    "no numbers": _no_numbers,
    "pickles": _pickle,
    "a pipe beside it": _pipe_beside,
    "a link": _link_outside,
    "weights in several files": _many_files,
    "a large head": _absurd_run,
}
