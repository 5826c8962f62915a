"""docs/architecture.md tells the truth, and the tree keeps the limits that it names."""

import ast
import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALKS = PAGE.partition("<!-- tree -->")[0]


def load_figures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tree", ROOT / "docs" / "tree.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names_in(path: Path) -> set[str]:
    """Functions and classes of a file, and `Class.method` and `Class.field`."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.Assign):
            names |= {ast.unparse(target) for target in node.targets}
        for item in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(f"{node.name}.{item.name}")
            if isinstance(item, ast.AnnAssign):
                names.add(f"{node.name}.{ast.unparse(item.target)}")
    return names


def test_the_tree_is_as_it_is() -> None:
    assert load_figures().page(ROOT) == PAGE, "python docs/tree.py --page writes it anew"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:mtl_core|tuning)/[^`]*)`", WALKS))))
def test_a_path_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_what_is_said_to_be_in_a_file_is_there() -> None:
    pairs = re.findall(r"`([\w.]+)`\s+(?:in|of|\()\s*`((?:mtl_core|tuning)/[\w/]+\.py)`", WALKS)
    pairs += re.findall(r"`([\w.]+)`\s+\(`((?:mtl_core|tuning)/[\w/]+\.py)`", WALKS)
    assert len(pairs) > 30
    assert [pair for pair in pairs if pair[0] not in names_in(ROOT / pair[1])] == []


def test_whatever_is_named_exists_somewhere() -> None:
    everywhere = {name for p in ("mtl_core", "tuning") for path in (ROOT / p).rglob("*.py")
                  for name in names_in(path)}  # fmt: skip
    named = set(re.findall(r"`([A-Z]\w+(?:\.[a-z_]+)?)`", WALKS)) - {"TorchTrainer", "ID"}
    assert len(named) > 40
    assert named - everywhere == set()


def test_the_tree_keeps_its_limits() -> None:
    # In one test: parameters are made in every process of pytest, whichever runs the file.
    limits = load_figures().broken_limits(ROOT)
    assert len(limits) > 5
    assert {title: found for title, found in limits.items() if found} == {}


def test_no_two_test_files_have_one_name() -> None:
    # Without packages pytest knows a file by its name alone, and refuses the second of two.
    counts = Counter(path.name for path in (ROOT / "tests").rglob("*.py"))
    assert not [name for name, count in counts.items() if count > 1]
