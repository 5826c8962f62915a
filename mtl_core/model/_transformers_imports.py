"""Imports Transformers 5.23 without the work that nobody here has a use for: half of its time."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any


def import_models() -> None:
    """Imports the package of all models, which reads the names in its 1,700 files only once.

    Transformers itself reads them when it is imported, keeps what it found, and reads them again
    for the package, as it asks in other words. That takes 0.4 s. Does nothing the second time.
    """
    if "transformers.models" in sys.modules:
        return
    import transformers
    from transformers.utils import import_utils

    folder = Path(str(transformers.__file__)).parent / "models"
    read = import_utils.define_import_structure

    def known(path: str, prefix: str | None = None) -> Mapping[Any, Any]:
        if prefix is not None or Path(path) != folder / "__init__.py":
            return read(path, prefix)  # type: ignore[no-any-return]
        # The words in which `transformers` asked: the answer is kept under them.
        return {
            backends: {
                name.removeprefix("models."): found
                for name, found in modules.items()
                if name.startswith("models.")
            }
            for backends, modules in read(folder, prefix="models").items()
        }

    import_utils.define_import_structure = known
    try:
        import transformers.models
    finally:
        import_utils.define_import_structure = read


def import_modeling() -> None:
    """Imports what all models share, without the solvers of scipy; see also `import_models`.

    Its losses for finding objects in pictures ask for one of them, which imports all: 0.3 s. They
    get a function that imports it when it is called. Does nothing the second time.
    """
    import_models()
    if "transformers.modeling_utils" not in sys.modules:
        with _later("scipy.optimize", "linear_sum_assignment"):
            import transformers.modeling_utils  # noqa: F401


@contextmanager
def _later(module: str, name: str) -> Iterator[None]:
    """Within the block, a module has one function alone, which imports the real one when called."""
    if module in sys.modules:
        yield
        return

    def call(*args: Any, **kwargs: Any) -> Any:
        __import__(module)
        return getattr(sys.modules[module], name)(*args, **kwargs)

    stand_in = ModuleType(module)
    setattr(stand_in, name, call)
    sys.modules[module] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(module) is stand_in:
            del sys.modules[module]
