"""What all benchmarks write and print."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from mtl_core.training import precision

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports a benchmark."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def write_two_rows(harness: ModuleType, path: Path) -> None:
    rows = [
        harness.Row("fast", 0.1, 5.0, "seconds", 50.0, 20.0, met=True),
        harness.Row("slow", 1.0, 2.0, "seconds", 2.0, 3.0, met=False),
    ]
    harness.write("tiny", rows, path)


def test_json_holds_the_benchmark_the_machine_and_the_rows(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "results" / "tiny.json"
    write_two_rows(load("_harness"), path)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert list(content) == ["benchmark", "machine", "rows"]
    assert content["benchmark"] == "tiny"
    machine = content["machine"]
    assert {"cpu", "cores", "memory_gib", "python", "ray", "torch"} <= machine.keys()
    assert machine["capability"] == torch.backends.cpu.get_cpu_capability()
    assert all(machine.values())
    assert content["rows"][0] == {
        "what": "fast",
        "ours": 0.1,
        "theirs": 5.0,
        "unit": "seconds",
        "ratio": 50.0,
        "target": 20.0,
        "met": True,
    }


def test_table_marks_only_the_rows_under_their_target(
    load: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_two_rows(load("_harness"), tmp_path / "tiny.json")
    capsys.readouterr()
    load("table").main(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    (fast,) = [line for line in lines if "fast" in line]
    (slow,) = [line for line in lines if "slow" in line]
    assert "below" not in fast
    assert "below" in slow
    assert "tiny" in fast
    assert "50 x" in fast


@pytest.mark.parametrize(
    ("arguments", "path"), [([], None), (["--json", "out.json"], Path("out.json"))]
)
def test_json_is_written_where_the_command_line_says(
    load: Load, arguments: list[str], path: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["tiny.py", *arguments])
    assert load("_harness").output_path() == path


def test_the_table_names_the_processor_and_its_masks(
    load: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    monkeypatch.setattr(precision, "bf16_instructions", lambda: "AVX512 bf16")
    write_two_rows(load("_harness"), tmp_path / "tiny.json")
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"torch {torch.__version__.partition('+')[0]}" in last
    assert last.endswith("; bf16 instructions: AVX512 bf16; masks: ONEDNN_MAX_CPU_ISA=AVX2")
