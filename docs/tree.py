"""Figures of the tree: `python docs/tree.py [FOLDER]` prints what docs/architecture.md promises.

`python docs/tree.py --page` writes the tree in docs/architecture.md anew.

Settings (pydantic sections) and records that list measured values may have many fields; every other
class has at most eight attributes. A comparison with a kind is `isinstance` or `kind ==` for a
class of one of the unions below, outside the folder that owns it.
"""

import ast
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("mtl_core", "tuning")
FAMILIES = {  # the folder that may ask for its own kinds -> files whose classes are the kinds
    "mtl_core/data/columns": "mtl_core/data/columns/*.py",
    "mtl_core/data/layouts": "mtl_core/data/layouts/*.py",
    "mtl_core/data/formats": "mtl_core/data/formats/*.py",
    "mtl_core/tasks": "mtl_core/tasks/*.py",
    "mtl_core/weighting": "mtl_core/weighting/*.py",
    "mtl_core/model": "mtl_core/model/*.py",
    "mtl_core/model/backbones": "mtl_core/model/backbones/*.py",
    "mtl_core/training": "mtl_core/training/mixing.py",
    "tuning/search": "tuning/search/*.py",
    "tuning/watch": "tuning/watch/*.py",
}
SETTINGS = ("Section", "BaseModel", "NamedTuple", "Freezing")
MEASURED = {"EncoderFacts", "Report", "Result"}


def main(root: Path) -> None:
    """Prints the figures."""
    files = _files(root)
    _folders([path.relative_to(root).as_posix() for path in files])
    code, comments = _count(files)
    print(f"comments per 100 lines of code: {100 * comments / code:.1f} ({comments} in {code})")
    for title, found in broken_limits(root).items():
        print(f"{title}: {len(found)}")
        for line in found:
            print(f"    {line}")


def broken_limits(root: Path) -> dict[str, list[str]]:
    """Returns for each limit where it is broken."""
    files = _files(root)
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    names = {path: path.relative_to(root).as_posix() for path in files}
    lengths = {names[path]: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    functions = {
        f"{names[path]}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    limits = {
        "files over 300 lines": [f"{name} {n}" for name, n in lengths.items() if n > 300],
        "functions over 40 lines": [f"{name} {n}" for name, n in functions.items() if n > 40],
        "classes over 8 attributes": [x for path in files for x in _wide(names[path], trees[path])],
        "comparisons with a foreign kind": list(_foreign(root, names, trees)),
        "circles": _circles(names, trees),
    }
    # What stands for a library's private parts has their names.
    modules = [tree for path, tree in trees.items() if not path.name.startswith("_")]
    ours = {name for tree in modules for name in _private_names(tree)}
    for folder in ("tests", "benchmarks"):
        paths = sorted((root / folder).rglob("*.py"))
        found = [line for path in paths for line in _private(root, path, ours)]
        limits[f"private names used by {folder}"] = found
    return limits


def _files(root: Path) -> list[Path]:
    return [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]


def _folders(names: list[str]) -> None:
    counts: dict[str, int] = {}
    for name in names:
        if not name.endswith("__init__.py"):
            counts[name.rpartition("/")[0]] = counts.get(name.rpartition("/")[0], 0) + 1
    print("files per folder: " + ", ".join(f"{name} {count}" for name, count in counts.items()))


def _wide(name: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef) or node.name in MEASURED:
            continue
        if any(word in ast.unparse(base) for base in node.bases for word in SETTINGS):
            continue
        attributes = {
            item.target.id
            for item in node.body
            if isinstance(item, ast.AnnAssign)
            and isinstance(item.target, ast.Name)
            and "ClassVar" not in ast.unparse(item.annotation)
        }
        for part in ast.walk(node):
            targets = part.targets if isinstance(part, ast.Assign) else [getattr(part, "target", 0)]
            for target in targets if isinstance(part, ast.Assign | ast.AnnAssign) else ():
                if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                    attributes.add(target.attr)
        if len(attributes) > 8:
            yield f"{name}:{node.name} {len(attributes)}"


def _foreign(root: Path, names: dict[Path, str], trees: dict[Path, ast.Module]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for folder, pattern in FAMILIES.items():
        for path in root.glob(pattern):
            if path.name == "base.py":  # What all kinds have is nobody's kind.
                continue
            for node in trees[path].body:
                is_public = isinstance(node, ast.ClassDef) and not node.name.startswith("_")
                if is_public and _is_kind(node):
                    owners[node.name] = folder
    for path, tree in trees.items():
        for node in ast.walk(tree):
            text = ast.unparse(node) if isinstance(node, ast.Call | ast.Compare) else ""
            if text.startswith("isinstance("):
                asked = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
                hit = any(
                    not names[path].startswith(owners[word]) for word in asked if word in owners
                )
            else:
                is_at_home = names[path].startswith(tuple(FAMILIES))
                hit = isinstance(node, ast.Compare) and _compares_kind(node) and not is_at_home
            if hit:
                yield f"{names[path]}:{node.lineno}: {text}"


def _is_kind(node: ast.ClassDef) -> bool:
    """Whether a class is one of several: it has a `kind`, or a base of its family."""
    words = {ast.unparse(base) for base in node.bases}
    has_kind = any(
        isinstance(item, ast.AnnAssign) and ast.unparse(item.target) == "kind" for item in node.body
    )
    return has_kind or bool(words - {"ABC", "Protocol", "NamedTuple", "Exception", "TypedDict"})


def _compares_kind(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    asks = any(isinstance(s, ast.Attribute) and s.attr in ("kind", "column_kind") for s in sides)
    is_text = any(
        isinstance(part, ast.Constant) and isinstance(part.value, str)
        for side in sides
        for part in ast.walk(side)
    )
    return asks and is_text


def _circles(names: dict[Path, str], trees: dict[Path, ast.Module]) -> list[str]:
    modules = {name[:-3].replace("/", ".").removesuffix(".__init__") for name in names.values()}
    edges: dict[str, set[str]] = {}
    for path, tree in trees.items():
        own = names[path][:-3].replace("/", ".").removesuffix(".__init__")
        found = {module for node in _always(tree) for module in _imported(node, modules)}
        edges[own] = found - {own}
    # What nothing on a circle imports, or imports nothing on one, is taken away until none is left.
    left = dict(edges)
    while True:
        used = {module for found in left.values() for module in found}
        free = [one for one, found in left.items() if not found & left.keys() or one not in used]
        if not free:
            break
        for module in free:
            del left[module]
    return sorted(left)


def _always(tree: ast.AST) -> Iterator[ast.AST]:
    """Yields the statements that run, or are read by a type checker, when a file is imported."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _always(node)


def _imported(node: ast.AST, modules: set[str]) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            if inner in modules:
                yield inner
            elif node.module in modules:
                yield node.module
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in modules)


def _count(files: list[Path]) -> tuple[int, int]:
    lines = comments = 0
    for path in files:
        with path.open("rb") as stream:
            for token in tokenize.tokenize(stream.readline):
                is_comment = token.type == tokenize.COMMENT
                comments += is_comment and not token.string.startswith(
                    ("# fmt", "# type", "# noqa")
                )
        text = path.read_text(encoding="utf-8").splitlines()
        lines += sum(1 for line in text if line.strip())
    return lines, comments


def _private_names(tree: ast.Module) -> Iterator[str]:
    """Yields the names with an underscore that a file defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names = [node.id if isinstance(node, ast.Name) else node.attr]
        else:
            continue
        yield from (name for name in names if name.startswith("_") and name[1:2] != "_")


def _private(root: Path, path: Path, ours: set[str]) -> Iterator[str]:
    """Yields where a file uses private names of the packages: imported, or as an attribute."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = set(_private_names(tree))
    where = path.relative_to(root).as_posix()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
            # The file of a library's private parts is a module like any other.
            yield from (
                f"{where}:{node.lineno}: {alias.name}"
                for alias in node.names
                if alias.name.startswith("_")
                and not (root / node.module.replace(".", "/") / f"{alias.name}.py").is_file()
            )
        elif isinstance(node, ast.Attribute) and node.attr in ours - own:
            yield f"{where}:{node.lineno}: {ast.unparse(node)}"


def _is_self(node: ast.Attribute) -> bool:
    return ast.unparse(node.value) in ("self", "cls")


def page(root: Path) -> str:
    """Returns docs/architecture.md with the tree as it is."""
    text = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    before, mark, rest = text.partition("<!-- tree -->\n")
    end = "<!-- end of tree -->"
    return before + mark + "\n".join(_tree(root)) + "\n" + end + rest.partition(end)[2]


def _tree(root: Path) -> Iterator[str]:
    for package in PACKAGES:
        folders = [root / package, *sorted(p for p in (root / package).rglob("*") if p.is_dir())]
        for folder in folders:
            files = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
            if files:
                yield f"\n**{folder.relative_to(root).as_posix()}/**\n"
            for path in files:
                text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
                yield f"- `{path.name}`: {text.splitlines()[0].rstrip('.')}"


if __name__ == "__main__":
    here = Path(__file__).parents[1]
    if "--page" in sys.argv:
        (here / "docs" / "architecture.md").write_text(page(here), encoding="utf-8")
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else here)
