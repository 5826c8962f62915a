"""What all benchmarks share: the machine's description, the rows, JSON and a table."""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from mtl_core.model.autocast import Precision
    from mtl_core.training.precision import Wanted

MASKS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")
"""What makes torch, and the library of its products, see less of a processor than it has."""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison, a line of the table.

    Attributes:
        what: What is compared, and where it matters the scores that both reached.
        ours: What ours takes or does, in `unit`.
        theirs: The same of the other.
        unit: "seconds" or "sentences/s" for instance.
        ratio: How many times better ours is, be it by more or by less of the unit.
        target: What the ratio should reach; None = it is only reported.
        met: Whether it does; true without a target.
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
    import torch

    from mtl_core.training.precision import bf16_instructions

    # Of what changes figures: a table from another machine or version is another table.
    versions = {name: importlib.metadata.version(name) for name in ("ray", "optuna", "torch")}
    masks = [f"{name}={os.environ[name]}" for name in MASKS if name in os.environ]
    return {
        "cpu": _processor(),
        "cores": os.cpu_count() or 1,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "bf16": bf16_instructions() or "none",
        "masks": " ".join(masks) or "none",
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        **versions,
        **_gpu(),
    }


def _gpu() -> dict[str, str]:
    """Describes the first GPU; nothing when there is none."""
    import torch

    if not torch.cuda.is_available():
        return {}
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    # torch knows the version of CUDA that it was built for, and nothing of the driver.
    try:
        driver = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        driver = ""
    return {
        "gpu": torch.cuda.get_device_name(),
        "driver": next(iter(driver.split()), "unknown"),
        "cuda": str(torch.version.cuda),
    }


def name_of(machine: Mapping[str, Any]) -> str:
    """Returns a line that names the processor fully."""
    gpu = f"; {machine['gpu']}, driver {machine['driver']}" if "gpu" in machine else ""
    return (
        f"{machine['cpu']}, {machine['cores']} cores, torch {machine['torch']} for "
        f"{machine['capability']}; bf16 instructions: {machine['bf16']}; masks: "
        f"{machine['masks']}{gpu}"
    )


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


def with_precision(parser: argparse.ArgumentParser | None = None) -> argparse.Namespace:
    """Reads the command line of a benchmark that takes `--precision`; `auto` comes resolved."""
    parser = parser or argparse.ArgumentParser()
    parser.add_argument("--precision", choices=["auto", "bf16", "fp16", "fp32"], default="auto")
    options = command_line(parser)
    # Resolved here, once, and told to both sides of a row: `auto` times products, and two processes
    # might come to different ends.
    options.precision = resolve(options.precision)
    return options


def resolve(wanted: "Wanted") -> "Precision":
    """Returns what `auto` is on this machine, by the bundled encoder."""
    if wanted != "auto":
        return wanted
    from mtl_core.model.backbones.encoder import Encoder
    from mtl_core.training.distributed import Place
    from mtl_core.training.precision import choose

    return choose(wanted, Place.current().device, Encoder().configuration()).precision


def write(
    benchmark: str,
    rows: list[Row],
    path: Path | None,
    raw: object = None,
    *,
    precision: str | None = None,
) -> None:
    """Prints the rows; given a path, writes them as JSON, with what they were made of."""
    content: dict[str, object] = {"benchmark": benchmark, "machine": machine()}
    if precision is not None:
        content["precision"] = precision
    content["rows"] = [asdict(row) for row in rows]
    if raw is not None:
        content["raw"] = raw
    # Shown first: figures of an hour are not lost to a path that cannot be written.
    show([content])
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def show(results: Sequence[Mapping[str, Any]]) -> None:
    """Prints a table and the machines; a row that misses its target is marked `below`."""
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
    console = Console(width=140)  # In a pipe Rich would take 80, and fold the rows.
    console.print(table)
    for name in dict.fromkeys(name_of(result["machine"]) for result in results):
        console.print(name, soft_wrap=True, highlight=False)
