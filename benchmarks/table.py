"""Prints one table of all figures in benchmarks/results."""

import json
from pathlib import Path

from _harness import show


def main(folder: Path) -> None:
    """Prints the figures that the benchmarks wrote to `folder`."""
    show([json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))])


if __name__ == "__main__":
    main(Path(__file__).parent / "results")
