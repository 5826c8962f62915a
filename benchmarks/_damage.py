"""What damages files and asks commands about them: it lies with the tests, which use it as well."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

_ROOT = Path(__file__).parents[1]


def of_tests(name: str) -> ModuleType:
    """Imports a module that lies in the folder of the tests."""
    for path in (str(_ROOT), str(_ROOT / "tests")):
        # That folder has folders named like our packages, so the packages have to come before it.
        if path not in sys.path:
            sys.path.append(path)
    return importlib.import_module(name)


_damage = of_tests("damage")
BYTES, FILES = _damage.BYTES, _damage.FILES
