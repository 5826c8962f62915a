"""What all benchmarks share: the machine's description, the rows, JSON and a table."""

import argparse
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.

    Attributes:
        ratio: How many times better ours is.
        target: What the ratio should reach; None = it is only reported.
    """

    what: str
    ours: float
    theirs: float
    unit: str
    ratio: float
    target: float | None
    met: bool

    @classmethod
    def of(
        cls, what: str, ours: float, theirs: float, unit: str, ratio: float, target: float | None
    ) -> "Row":
        """Makes a row that is met when the ratio reaches the target."""
        return cls(what, ours, theirs, unit, ratio, target, target is None or ratio >= target)


def machine() -> dict[str, str | int | float]:
    """Describes this machine and the libraries that matter."""
    versions = {name: importlib.metadata.version(name) for name in ("ray", "optuna", "torch")}
    return {
        "cpu": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        **versions,
    }


def _processor() -> str:
    """Returns the model of the processor; Python knows it only by its family on Linux."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def command_line(parser: argparse.ArgumentParser | None = None) -> argparse.Namespace:
    """Reads the command line: `--json PATH`, and what the parser knows besides."""
    parser = parser or argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def output_path() -> Path | None:
    """Reads the command line of a benchmark with no options of its own."""
    path: Path | None = command_line().json
    return path


def write(benchmark: str, rows: list[Row], path: Path | None, raw: object = None) -> None:
    """Prints the rows; given a path, writes them as JSON, with what they were made of."""
    content = {"benchmark": benchmark, "machine": machine(), "rows": [asdict(row) for row in rows]}
    if raw is not None:
        content["raw"] = raw
    show([content])
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def show(results: Sequence[Mapping[str, Any]]) -> None:
    """Prints a table; a row that misses its target is marked `below`."""
    table = Table("benchmark", "what", "ours", "theirs", "unit", "ratio", "target", "")
    for result in results:
        for row in result["rows"]:
            numbers = (f"{row[key]:.4g}" for key in ("ours", "theirs"))
            ratios = (
                "" if row[key] is None else f"{row[key]:.4g} x" for key in ("ratio", "target")
            )
            mark = "" if row["met"] else "below"
            table.add_row(
                str(result["benchmark"]), row["what"], *numbers, row["unit"], *ratios, mark
            )
    Console(width=140).print(table)
