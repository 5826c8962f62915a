"""Hooks in every Python process of a study under attack, by way of PYTHONPATH; no part of `mtl`.

`$MTL_CHAOS_FOLDER` is where orders lie:

- `hold-NAME`: the next process that puts a whole file or folder called NAME in its place waits just
  before it. It renames the order to `held-NAME`, and goes on when that is gone, or after a while.
- `PID-allocate`: the process takes memory until it is killed, or has taken all that it may.
- `PID-hang`: the process stands still inside C code, with the lock of the interpreter held.
"""

import ctypes
import os
import threading
import time

_FOLDER = os.environ.get("MTL_CHAOS_FOLDER", "")
_HOLD_SECONDS = 30.0
_MOST_BYTES = int(os.environ.get("MTL_CHAOS_BYTES", "0"))
_replace = os.replace


def _held_replace(source: object, target: object, **more: object) -> None:
    name = os.path.basename(os.fspath(target))  # type: ignore[call-overload]  # noqa: PTH119
    order, held = (f"{_FOLDER}/{word}-{name}" for word in ("hold", "held"))
    try:
        os.rename(order, held)  # noqa: PTH104  # of several processes one gets it
    except OSError:
        pass
    else:
        deadline = time.monotonic() + _HOLD_SECONDS
        while os.path.exists(held) and time.monotonic() < deadline:  # noqa: PTH110
            time.sleep(0.01)
    _replace(source, target, **more)  # type: ignore[arg-type]


def _allocate() -> None:
    taken = []
    while sum(map(len, taken)) < _MOST_BYTES:
        taken.append(bytearray(os.urandom(2**20)) * 64)
        time.sleep(0.01)
    time.sleep(10)


def _hang() -> None:
    ctypes.PyDLL(None).sleep(100_000)  # PyDLL keeps the lock; CDLL would let it go.


def _obey() -> None:
    while True:
        for order, act in (("allocate", _allocate), ("hang", _hang)):
            try:
                os.remove(f"{_FOLDER}/{os.getpid()}-{order}")  # noqa: PTH107
            except OSError:
                continue
            act()
        time.sleep(0.1)


if _FOLDER:
    os.replace = _held_replace  # type: ignore[assignment]
    threading.Thread(target=_obey, daemon=True).start()
