"""What a session runs with: `versions.json` keeps it for people; reports show it."""

import importlib.metadata
import os
import platform
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil

_PACKAGES = (
    "mtl-tune",
    "ray",
    "optuna",
    "torch",
    "transformers",
    "datasets",
    "tokenizers",
    "numpy",
)


def versions() -> dict[str, str]:
    """Returns the machine, and the versions of Python, the system and what results hang on."""
    found = {**_machine(), "python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed as a package"
    return found


def _machine() -> dict[str, str]:
    memory = psutil.virtual_memory().total / 2**30
    found = {
        "processor": f"{_processor()}, {os.cpu_count()} threads",
        "memory": f"{memory:.0f} GiB",
    }
    # Not by torch: to ask it takes a context on each, and memory of trials.
    gpus = Counter(_values(Path("/proc/driver/nvidia/gpus"), "*/information", "Model"))
    if gpus:
        found["gpus"] = ", ".join(f"{count} x {name}" for name, count in gpus.items())
    return found


def _processor() -> str:
    named = next(_values(Path("/proc"), "cpuinfo", "model name"), "")
    return named or platform.processor() or platform.machine()


def _values(folder: Path, pattern: str, key: str) -> Iterator[str]:
    """Yields the values of a key in files of Linux with lines such as "Model: x"."""
    for path in sorted(folder.glob(pattern)):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                yield value.strip()
