"""Damage to files, drawn from a seed; `answers.py` says what a command answers to it."""

import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Change = Callable[[bytes, random.Random], bytes]


def _empty(content: bytes, rng: random.Random) -> bytes:
    return b""


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def _flipped(content: bytes, rng: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 8, 64))):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def _zeros(content: bytes, rng: random.Random) -> bytes:
    # What a file system that lost its power leaves: the size is right, blocks are not.
    start = rng.randrange(len(content))
    stop = rng.randint(start, len(content))
    return content[:start] + bytes(stop - start) + content[stop:]


def _noise(content: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((1, 40, 4000)))


def _no_line_end(content: bytes, rng: random.Random) -> bytes:
    return content.replace(b"\n", b"") if rng.random() < 0.5 else content.rstrip(b"\n")


def _other_lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    place = rng.randrange(len(lines))
    action = rng.randrange(5)
    if action == 0:
        del lines[place]
    elif action == 1:
        lines.insert(place, lines[place])
    elif action == 2:
        lines[place] = rng.choice(
            (b"{}\n", b"[]\n", b"null\n", b"\n", b"garbage\n", b"\xff\xfe\n", b'{"a":\n', b"\x00\n")
        )
    elif action == 3:
        rng.shuffle(lines)
    else:
        lines[place] = lines[place][: len(lines[place]) // 2] + b"\n"
    return b"".join(lines)


def _added(content: bytes, rng: random.Random) -> bytes:
    extra = rng.choice(
        (b"\x00", b"\xff", b"{", b"x" * 5000, content[:2000], b"\r\n", b"\xef\xbb\xbf")
    )
    place = rng.choice((0, len(content), rng.randrange(len(content))))
    return content[:place] + extra + content[place:]


BYTES: Mapping[str, Change] = {
    "empty": _empty,
    "cut": _cut,
    "flipped bits": _flipped,
    "zeros": _zeros,
    "noise": _noise,
    "no line ends": _no_line_end,
    "other lines": _other_lines,
    "something added": _added,
}
"""Damage to any file that is not empty."""

_RAW = "\u0001raw:"
"""Begins a text that stands for JSON which no value of Python is written as."""

STRANGE: Sequence[object] = (
    None, True, False, 0, -1, 1, 3.5, -0.0, 2**31, 2**63, 2**64, 10**30, -(10**30), 1e308, -1e308,
    1e-320, "", " ", "x", "1", "null", "nan", "../..", "/", "a\nb", "x" * 100_000, "\x00", "\ud800",
    [], {}, [None], [[]], [{}], {"": None}, {"x": 1}, [1, "a"], list(range(1000)), [0.5] * 4,
    f"{_RAW}NaN", f"{_RAW}Infinity", f"{_RAW}-Infinity", f"{_RAW}1e999", f"{_RAW}{'9' * 5000}",
    f"{_RAW}{'[' * 100_000}{']' * 100_000}", f'{_RAW}{"{"}"a":1,"a":2{"}"}',
)  # fmt: skip
"""Values that may stand anywhere in a file of JSON."""


def strange_tree(tree: Any, rng: random.Random) -> Any:
    """Returns a copy of plain data in which one place is another than it was."""
    tree = json.loads(json.dumps(tree))
    places = list(_places(tree))
    if not places:
        return rng.choice(STRANGE)
    holder, key = rng.choice(places)
    action = rng.random()
    if action < 0.65:
        holder[key] = rng.choice(STRANGE)
    elif action < 0.8:
        del holder[key]
    elif action < 0.9 and isinstance(holder, dict):
        holder[rng.choice((f"{key}s", str(key)[:-1], str(key).upper(), "extra"))] = holder.pop(key)
    else:  # A value from elsewhere: of a right type for another key.
        other, name = rng.choice(places)
        holder[key] = json.loads(json.dumps(other[name]))
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    keys: Any = (
        tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    )
    for key in keys:
        yield tree, key
        yield from _places(tree[key])


def write_strange(tree: Any) -> bytes:
    """Writes plain data as JSON, with what `STRANGE` has that JSON has not."""
    text = json.dumps(tree)
    raw = json.dumps(_RAW)[1:-1]
    return re.sub(
        f'"{re.escape(raw)}(.*?)(?<!\\\\)"', lambda found: json.loads(f'"{found[1]}"'), text
    ).encode()


def _other_json(content: bytes, rng: random.Random) -> bytes:
    """Changes one value of a JSON document, or of one line of JSON lines."""
    try:
        return write_strange(strange_tree(json.loads(content), rng))
    except ValueError:
        lines = content.splitlines(keepends=True)
        place = rng.randrange(len(lines))
        lines[place] = write_strange(strange_tree(json.loads(lines[place]), rng)) + b"\n"
        return b"".join(lines)


def damaged(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Returns a kind of damage and the damaged content, which differs from what it was."""
    if not content:
        return "noise", _noise(content, rng)
    kinds = dict(BYTES)
    if content.lstrip()[:1] in (b"{", b"["):
        # As often as all others together: these get past a reader's first look.
        kinds |= {f"other JSON {number}": _other_json for number in range(len(BYTES))}
    for _ in range(100):
        name = rng.choice(list(kinds))
        try:
            found = kinds[name](content, rng)
        except ValueError:  # No JSON after all.
            continue
        if found != content:
            return name.rstrip(" 0123456789"), found
    raise AssertionError("nothing changed in 100 tries")


def _folder_there(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo_there(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def _link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


FILES: Mapping[str, Callable[[Path], None]] = {
    "missing": Path.unlink,
    "a folder": _folder_there,
    "a FIFO": _fifo_there,
    "a dangling link": _dangling_link,
    "a link to itself": _link_to_itself,
}
"""Damage after which there is no file."""


def damage_file(path: Path, rng: random.Random) -> str:
    """Damages a file where it lies; returns what was done."""
    if rng.random() < 0.2:
        kind = rng.choice(list(FILES))
        FILES[kind](path)
        return kind
    kind, content = damaged(path.read_bytes(), rng)
    # A new file: the old one may be linked from elsewhere.
    path.unlink()
    path.write_bytes(content)
    return kind


def copy_folder(folder: Path, to: Path) -> Path:
    """Copies a folder in place of what lies there; links stay links."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to, symlinks=True)
    return to


def files_of(folder: Path) -> list[Path]:
    """Returns all files below a folder, in a fixed order."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
