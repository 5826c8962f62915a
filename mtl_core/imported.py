"""What a study file names by where it is imported from: a user's class, or another package's."""

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from mtl_core.any_path import is_file
from mtl_core.section import PlacedText, resolve_path


def imported(name: str) -> tuple[object, str]:
    """Imports what a name stands for; its code runs.

    Args:
        name: `package.module:Class`, or `file.py:Class` with a path as all others in a study file.

    Returns:
        What was found, and its name with an absolute path, so that every worker finds it.

    Raises:
        ImportError: It cannot be imported, for whatever reason; the text names it.
    """
    try:
        name = with_absolute_path(name)
        source, _, attribute = name.rpartition(":")
        is_path = source.endswith(".py")
        module = _module_of(Path(source)) if is_path else importlib.import_module(source)
        return getattr(module, attribute), name
    # Whatever the code of a user raises on import is told as an error of the study file.
    except Exception as error:
        raise ImportError(f"cannot import '{name}': {error}") from error


def with_absolute_path(name: str) -> str:
    """Returns a name whose path, if it has one, is absolute."""
    source, _, attribute = name.rpartition(":")
    if not source.endswith(".py"):
        return str(name)
    base = name.base if isinstance(name, PlacedText) else Path.cwd()
    return f"{resolve_path(PlacedText(source, base))}:{attribute}"


def _module_of(path: Path) -> ModuleType:
    if not is_file(path):
        raise FileNotFoundError(f"there is no file {path}")
    # With a hash of the path: two files of one name are two modules.
    name = f"mtl_own_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # Before its code runs: dataclasses and pickle look a class up by the name of its module.
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]  # the next try reads the file again
            raise
    return sys.modules[name]
