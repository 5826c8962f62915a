"""Damaged study files, loaded as every command loads them: by the text and by the tree."""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from answers import Case, answer_to
from damage import damaged, strange_tree, write_strange
from ruamel.yaml import YAML

from mtl_core.errors import ConfigError, MtlError
from mtl_core.printable import one_line
from tuning.study.load import load_study

RICH = """\
run:
  encoder: {name: nowhere/model, revision: main}
  datasets:
    rows:
      kind: csv
      splits: {train: [rows.csv, more.csv], dev: 0.1, test: 0.1}
      delimiter: ";"
      labels: {strip: true, lower: true, map: {yes: y, no: n}}
      where: {lang: [en, de]}
      limit: {train: 100, dev: 10}
    words: {kind: conll, splits: {train: a.conll, dev: b.conll}, columns: {ner: -1, pos: 1}}
    spans: {kind: spans_json, splits: {train: s.jsonl, dev: 0.5}, words: punctuation}
    asked: {kind: squad, splits: {train: squad.json, dev: squad.json}}
  tasks:
    intent: {kind: classification, dataset: rows, column: intent, weight: 0.5, head: {kind: mlp}}
    topics: {kind: multilabel, dataset: rows, column: [a, b, c]}
    rating: {kind: regression, dataset: rows, column: stars, auxiliary: true}
    ner: {kind: tagging, dataset: [words, spans], column: {words: ner, spans: spans}, crf: true}
    qa: {kind: question_answering, dataset: asked, column: answers}
  mixing: {kind: temperature, temperature: 2.0}
  freezing: {kind: lower_layers, layers: 2}
  weighting: {kind: uncertainty}
  optimizer: {encoder_lr: 2.0e-5, head_lr: 1.0e-3, weight_decay: 0.01}
  training: {epochs: 3, batch_size: 16, precision: fp32}
  seed: 3
search:
  optimizer.encoder_lr: {log_range: [1.0e-6, 1.0e-3]}
  training.batch_size: {choice: [8, 16, 32]}
  training.epochs: {int_range: [1, 5]}
  tasks.intent.weight: {range: [0.1, 1.0]}
  freezing:
    choice:
      - {kind: none}
      - {kind: lower_layers, layers: {int_range: [1, 3]}}
study:
  name: rich
  storage: runs
  trials: 4
  objective: {kind: mean}
  scheduler: {kind: asha, grace_epochs: 1}
  sampler: {kind: tpe}
  resources: {gpus: 0, cpus: 1}
"""


def good_files() -> Mapping[str, str]:
    """Returns name -> text of study files that have every section."""
    bundled = {
        file.name: file.read_text(encoding="utf-8")
        for file in files("search_spaces").iterdir()
        if file.name.endswith(".yaml")
    }
    return {**dict(sorted(bundled.items())), "rich.yaml": RICH}


_ODD = (
    "\t", ":", ": ", "- ", "&a ", "*a ", "*none ", "!!int ''", "!!int ", "!!float ", "!!bool ",
    "? ", "!!null ", "!!binary ", "!!set ", "!!omap ", "!!timestamp ", "!!python/object:os.system ",
    "!x ", "| ", "> ", "% ", "@", "`", "'", '"', "{", "}", "[", "]", "---\n", "...\n",
    "%YAML 1.1\n", "#", "<<: ",
    "\x00", "\ufeff", "\u2028", "\x85", "\x1b[2J", '"\\ud800"', '"\\x00"', '"\\UFFFFFFFF"', '"\\q"',
    "null", "~", ".nan", "-.inf", "1e999", "9" * 5000, "0x" + "f" * 30, "0o9", "1_0", "2024-01-01",
    "x" * 11_000, "[" * 200, "{a: " * 60, "a.b.c: 1\n", "\U0001f600", "\xa0", "\r", "\r\n", "=",
    "12:30:45", "yes", "-", "--", "kind: ", "kind", "choice: ", "file.py:Class", "os:system",
    "a" * 300, "/" + "a" * 5000, "../../..", "https://", "s3://bucket/x", "fetched:", "~nobody/x",
)  # fmt: skip
"""What is put somewhere into the text of a study file."""


def _odd_text(text: str, rng: random.Random) -> str:
    for _ in range(rng.choice((1, 1, 1, 3))):
        words = list(re.finditer(r"[\w.]+", text))
        draw = rng.random()
        if words and draw < 0.6:
            start, end = rng.choice(words).span()
        else:
            start = end = rng.randint(0, len(text))
        text = text[:start] + rng.choice(_ODD) + text[end:]
    return text


def _other_lines(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    place, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(6):
        case 0:
            del lines[place]
        case 1:
            lines.insert(other, lines[place])  # A key that is there twice, or elsewhere.
        case 2:
            lines[place] = " " * rng.randint(1, 9) + lines[place]
        case 3:
            lines[place] = lines[place].lstrip()
        case 4:
            lines[place], lines[other] = lines[other], lines[place]
        case _:
            lines[place] = lines[place].rstrip() + lines[other]
    return "".join(lines)


_VALUES: Sequence[object] = (
    {"kind": "none"}, {"kind": "csv"}, {"kind": []}, {"kind": {}}, {"kind": None}, {"kind": 3},
    {"kind": ":"}, {"kind": "a:b"}, {"kind": "nowhere.py:Kind"}, {"kind": "os:getcwd"},
    {"choice": []}, {"choice": [1]}, {"choice": [1, 1.0, True]}, {"choice": [{}, {}]},
    {"choice": [{"kind": []}, {"kind": {}}]}, {"choice": [None, "x"]}, {"choice": 3},
    {"choice": [{"kind": "a", "x": {"range": [0, 1]}}, {"kind": "a", "x": {"range": [2, 3]}}]},
    {"choice": [{"kind": {"choice": ["classification", "tagging"]}}, {"kind": "regression"}]},
    {"range": [1, 0]}, {"range": [0, 1e308]}, {"range": [-1e308, 1e308]}, {"range": ["a", "b"]},
    {"range": [0]}, {"range": {}}, {"log_range": [0, 1]}, {"log_range": [1e-320, 1e308]},
    {"int_range": [0, 2**63]}, {"int_range": [-(2**62), 2**63 - 1]}, {"int_range": [0.5, 1.5]},
    {"log_int_range": [1, 2**62]}, {"range": [0, 1], "choice": [1, 2]}, {"ranges": [0, 1]},
    "s3://bucket/runs", "~", "~/x", "~nobody/x", ".", "..", "/dev/zero", "/dev/null", "a" * 300,
    "a/" * 3000, "*", "**", "[", "{a,b}", "fetched:", "fetched:../x", "fetched:none/x", "http://[",
    "https://localhost:99999/x.csv", "file:///etc/passwd", "train[:10%]", "a:b:c", "x.py:", ":x",
)  # fmt: skip
"""Values of study files that other JSON does not have."""


def _tree(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def _odd_tree(text: str, rng: random.Random) -> str:
    tree = json.loads(json.dumps(_tree(text)))
    for _ in range(rng.choice((1, 1, 2))):
        tree = _moved(tree, rng) if rng.random() < 0.5 else strange_tree(tree, rng)
    if not isinstance(tree, dict) or rng.random() < 0.3:
        return write_strange(tree).decode()
    # A line for each part, so that a place is told that is not the first line.
    return "".join(
        f"{json.dumps(key)}: {write_strange(part).decode()}\n" for key, part in tree.items()
    )


def _moved(tree: Any, rng: random.Random) -> Any:
    """Puts a value of study files, a part of the tree, or another name of a key somewhere."""
    holders = [holder for holder in _mappings(tree) if holder]
    if not holders:
        return rng.choice(_VALUES)
    holder, other = rng.choice(holders), rng.choice(holders)
    key, name = rng.choice(list(holder)), rng.choice(list(other))
    match rng.randrange(7):
        case 0 | 1:
            holder[key] = rng.choice(_VALUES)
        case 2:
            holder[key] = json.loads(json.dumps(other[name]))
        case 3:
            other[key] = json.loads(json.dumps(holder.pop(key)))
        case 4:
            holder[_misspelt(key, rng)] = holder.pop(key)
        case 5:
            holder[key] = [holder[key]] if rng.random() < 0.5 else {key: holder[key]}
        case _:
            search = tree.setdefault("search", {}) if isinstance(tree, dict) else {}
            if isinstance(search, dict):
                search[".".join(rng.choice(_paths(tree)))] = rng.choice(_VALUES)
    return tree


def _misspelt(key: str, rng: random.Random) -> str:
    place = rng.randrange(len(key) + 1)
    return rng.choice((
        key[:place] + key[place + 1 :],
        key[:place] + rng.choice("aZ._-: \u00e4\x00\n") + key[place:],
        key.upper(), "", f" {key}", f"{key}.{key}", key[::-1], key * 100,
    ))  # fmt: skip


def _mappings(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for inner in (
        tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    ):
        yield from _mappings(inner)


def _paths(tree: Any) -> list[tuple[str, ...]]:
    """Returns the keys of all that stands in `run`."""
    found: list[tuple[str, ...]] = [("seed",)]
    waiting: list[tuple[tuple[str, ...], Any]] = [((), tree.get("run"))]
    while waiting:
        path, part = waiting.pop()
        for key, value in part.items() if isinstance(part, dict) else ():
            found.append((*path, key))
            waiting.append(((*path, key), value))
    return found


_TEXTS: Mapping[str, Callable[[str, random.Random], str]] = {
    "odd text": _odd_text,
    "other lines": _other_lines,
    "odd tree": _odd_tree,
    "odder tree": _odd_tree,
}


def damaged_study(text: str, rng: random.Random) -> tuple[str, bytes]:
    """Returns a kind of damage, and the damaged content of a study file."""
    if rng.random() < 0.1:
        return damaged(text.encode(), rng)
    name = rng.choice(list(_TEXTS))
    return name, _TEXTS[name](text, rng).encode("utf-8", "surrogatepass")


def cases(folder: Path, seed: int, count: int) -> Iterator[Case]:
    """Yields damaged study files, of all good ones in turn.

    Args:
        folder: An empty folder.
        seed: Of the damage.
        count: How many.
    """
    good = good_files()
    names = list(good)
    path = folder / "study.yaml"
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        name = names[number % len(names)]
        what, content = damaged_study(good[name], rng)
        path.write_bytes(content)
        yield Case(f"{name} {number}: {what}", partial(_fault, path))


def _fault(path: Path) -> str | None:
    """Loads a study file; returns what is wrong with the answer, None if nothing is."""
    told: list[str] = []

    def load() -> None:
        try:
            load_study(str(path))
        except MtlError as error:
            told.extend(map(one_line, str(error).split("\n")))
            if not isinstance(error, ConfigError):
                told.append(f"an error of the kind {type(error).__name__}")

    answer = answer_to(load, [path.parent])
    if (fault := answer.fault()) is not None:
        return fault
    # A line of the file, or the file as a whole.
    without = [line for line in told if not line.startswith((f"{path}:", "and "))]
    return f"no place: {without[0]}" if without else None
