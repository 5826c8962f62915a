"""Damage to a data file that people could do, or their programs: odd texts, encodings, packings."""

import bz2
import gzip
import io
import json
import lzma
import random
import re
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from damage import damage_file, damaged, strange_tree, write_strange

_ODD_TEXTS = (
    "\x00", "\r", "\r\n", "\u2028", "\x85", "\ufeff", "\u202e", "\x1b[2J", '"', "'", "\\", "\t",
    ",", ";", "\n\n", "#", "# a = b\n", "[", "]", "{", "}", "null", "NaN", "-inf", "1e999",
    "-DOCSTART-", "9" * 5000, "-1", "\\ud800", "\\u0000", "B-", "I-x", "x" * 140_000, "[" * 100_000,
    '"' * 9, " " * 1000, "\U0001f600", "[1, 2", "['a', nan]", "=1+1", "0x1f", "1_000", "\u0663",
)  # fmt: skip
"""What is put somewhere into a text."""


def _odd_text(content: bytes, rng: random.Random) -> bytes:
    text = content.decode()
    for _ in range(rng.choice((1, 1, 3))):
        # In place of a word, or between two characters.
        words = list(re.finditer(r"\w+", text))
        start, end = rng.choice(words).span() if words and rng.random() < 0.5 else (0, 0)
        start, end = (start, end) if end else (rng.randint(0, len(text)),) * 2
        text = text[:start] + rng.choice(_ODD_TEXTS) + text[end:]
    return text.encode()


def _odd_json_line(content: bytes, rng: random.Random) -> bytes:
    """Puts a strange value into one row; of a file that is no JSON, a row of JSON somewhere."""
    lines = content.decode().splitlines()
    place = rng.randrange(len(lines))
    try:
        lines[place] = write_strange(strange_tree(json.loads(lines[place]), rng)).decode()
    except ValueError:
        lines[place] = write_strange(strange_tree({"text": "a", "label": [1]}, rng)).decode()
    return "\n".join(lines).encode()


def _other_encoding(content: bytes, rng: random.Random) -> bytes:
    name = rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp1252", "utf-7"))
    return content.decode().replace("a", "\u00e4").encode(name)


def _zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.txt", content)
    return packed.getvalue()


def _zstd(content: bytes) -> bytes:
    import pyarrow as pa

    return bytes(pa.Codec("zstd").compress(content, asbytes=True))


_PACKINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": partial(gzip.compress, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": _zipped,
    "zstd": _zstd,
}


def _packed(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    name = rng.choice(list(_PACKINGS))
    packed = _PACKINGS[name](content)
    if rng.random() < 0.2:
        return name, packed
    damage, packed = damaged(packed, rng)
    return f"{name}, {damage}", packed


def change_text(path: Path, rng: random.Random, *, is_plain: bool) -> str:
    """Damages a file where it lies; returns what was done."""
    draw = rng.random()
    if not is_plain or draw < 0.4:
        return damage_file(path, rng)
    content = path.read_bytes()
    if draw < 0.75:
        name, content = "odd text", _odd_text(content, rng)
    elif draw < 0.85:
        name, content = "odd JSON", _odd_json_line(content, rng)
    elif draw < 0.9:
        name, content = "encoding", _other_encoding(content, rng)
    else:
        name, content = _packed(content, rng)
    path.write_bytes(content)
    return name
