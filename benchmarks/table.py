"""Prints one table of all figures in benchmarks/results."""

import json
from pathlib import Path

from _harness import show

if __name__ == "__main__":
    folder = Path(__file__).parent / "results"
    show([json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))])
