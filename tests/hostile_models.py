"""What somebody who means harm puts into the folder of a model or an encoder."""

import json
import os
import pickle
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from damage import files_of
from strangers import Pickled

ABSURD: Sequence[object] = (
    10**6, 10**9, 2**31, 2**63, 10**30, -1, -(10**9), 0, 1.5, 1e300, float("nan"), float("inf"),
    "x", "32", "\ud800", None, True, [], [10**9] * 3, {}, {"a": {"a": 10**9}},
)  # fmt: skip
"""What a size may be set to by somebody who means harm."""


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


HOSTILE: Mapping[str, Callable[[Path, random.Random], str]] = {
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
"""What is done -> what does it, and returns what it was."""
