"""What a session runs with: `versions.json` keeps it for people, nothing is read from it."""

import importlib.metadata
import platform

_PACKAGES = (
    "mtl-tune",
    "ray",
    "optuna",
    "torch",
    "transformers",
    "datasets",
    "tokenizers",
    "numpy",
)


def versions() -> dict[str, str]:
    """Returns the versions of Python, of the system, and of the packages that results hang on."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed as a package"
    return found
