"""Damage, drawn from a seed, and what a command answers to it.

A module of damaged things has a function `cases(folder, seed, count)` that yields `Case`s. Its test
takes some of them, `benchmarks/damaged_inputs.py` many.
"""

import contextlib
import io
import json
import logging
import os
import random
import re
import shutil
import signal
import sys
import time
import traceback
import unittest.mock
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Change = Callable[[bytes, random.Random], bytes]

SECONDS = 10.0
"""An answer that takes longer counts as none."""

EXIT_CODES = frozenset({0, 1, 2, 75, 130})


@dataclass(frozen=True, slots=True)
class Case:
    """Something damaged.

    Attributes:
        name: What is damaged, and how; enough to find it again.
        fault: Tries it; returns what is wrong with the answer, or None when it is as it should be.
    """

    name: str
    fault: Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command did.

    Attributes:
        code: Its exit code; None = it never ended by itself.
        stdout, stderr: What it printed.
        trace: The traceback of the error that it let through; "" without one.
        seconds: Wall time.
        written: Paths below the watched folders that were made, changed or removed.
    """

    code: int | None
    stdout: str
    stderr: str
    trace: str
    seconds: float
    written: Sequence[str]

    def fault(self, *, writes: bool = False) -> str | None:
        """Returns what no answer may have; None when there is none of it.

        Args:
            writes: Whether the command may write in the watched folders when it ends well.
        """
        if self.trace:
            return f"traceback: {self.trace.strip().splitlines()[-1]}"
        if self.code is None or self.seconds > SECONDS:
            return f"no answer in {SECONDS:.0f} s"
        if self.code not in EXIT_CODES:
            return f"exit code {self.code}"
        if "Traceback (most recent call last)" in self.stdout + self.stderr:
            return "printed a traceback"
        if self.code != 0 and not self.stderr.strip():
            return f"exit code {self.code} without a word"
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", self.stderr):
            return f"control characters in what it said: {self.stderr[:200]!r}"
        if self.written and (self.code != 0 or not writes):
            return f"wrote {', '.join(self.written)}"
        return None


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


def snapshot(folders: Sequence[Path]) -> dict[str, tuple[int, int, int]]:
    """Returns what lies below folders: path -> mode, size, time of change in nanoseconds."""
    found = {}
    for top in folders:
        for parent, folder_names, file_names in os.walk(top):
            for name in (*folder_names, *file_names):
                path = os.path.join(parent, name)  # noqa: PTH118 (names need not be text)
                stat = os.lstat(path)
                # A folder's time changes with locks that come and go in it.
                is_folder = name in folder_names
                found[path] = (
                    stat.st_mode,
                    0 if is_folder else stat.st_size,
                    0 if is_folder else stat.st_mtime_ns,
                )
    return found


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Returns the paths that differ between two snapshots; lock files do not count."""
    return sorted(
        path
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path) and not path.endswith(".lock")
    )


class TooLateError(BaseException):
    """Raised in the middle of a command that takes too long; not caught by what catches errors."""


@contextlib.contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """Raises a `TooLateError` in the main thread after so many seconds."""

    def end(*_: object) -> None:
        raise TooLateError

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def answer_of(arguments: Sequence[str], watched: Sequence[Path] = ()) -> Answer:
    """Runs `mtl` with arguments in this process, as its main function runs in one of its own.

    Args:
        arguments: What stands behind `mtl`.
        watched: Folders in which it is noticed what is written.
    """
    from tuning.cli import app

    def call() -> None:
        before = sys.argv
        sys.argv = ["mtl", *arguments]
        try:
            app.main()
        finally:
            sys.argv = before

    return answer_to(call, watched)


def answer_to(call: Callable[[], object], watched: Sequence[Path] = ()) -> Answer:
    """Returns what a call did, as `answer_of` does; a `SystemExit` has its exit code."""
    before = snapshot(watched)
    out, err = _Stream(), _Stream()
    code: int | None = 0
    trace = ""
    start = time.monotonic()
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            # Those of a test runner would keep what is logged for themselves.
            unittest.mock.patch.object(logging.getLogger(), "handlers", []),
            in_time(2 * SECONDS),
        ):
            call()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except TooLateError:
        code = None
    except BaseException:  # noqa: BLE001 (that is what is looked for)
        trace = traceback.format_exc()
    seconds = time.monotonic() - start
    written = changes(before, snapshot(watched))
    return Answer(code, out.text, err.text, trace, seconds, written)


class _Stream(io.TextIOWrapper):
    """A stream in memory that refuses what a terminal of UTF-8 refuses, as `sys.stdout` does."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors="strict", write_through=True)

    @property
    def text(self) -> str:
        self.flush()
        content: bytes = self.buffer.getvalue()  # type: ignore[attr-defined]  # a BytesIO
        return content.decode("utf-8", "surrogateescape")

    def close(self) -> None:
        """Stays open: a command that closes its output is still to be asked what it said."""


def copy_folder(folder: Path, to: Path) -> Path:
    """Copies a folder in place of what lies there; links stay links."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to, symlinks=True)
    return to


def files_of(folder: Path) -> list[Path]:
    """Returns all files below a folder, in a fixed order."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
