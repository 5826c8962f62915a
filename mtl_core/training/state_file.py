"""The file of a run's state: only a whole one is read, and no code in it is run."""

import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtl_core.checks import DamagedError
from mtl_core.errors import ConfigError
from mtl_core.files import whole_file
from mtl_core.printable import one_line

STATE = "state.pt"
_ZIP = b"PK\x03\x04"

BROKEN_CONTENT = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError,
    NotImplementedError, OSError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError,
    struct.error, zipfile.BadZipFile,
)  # fmt: skip
"""What libraries raise of files that hold something else than they expect."""


def write_state(folder: Path, state: Mapping[str, object]) -> None:
    """Writes the file, whole or not at all."""
    # To a file of Python's: torch's own says of a full disk that a position was not expected.
    with whole_file(folder / STATE) as part, part.open("wb") as file:
        torch.save(dict(state), file)


def read_state(folder: Path, name: str = STATE) -> Mapping[str, Any] | None:
    """Reads the file, or one of another name; None when there is none.

    Raises:
        DamagedError: It is not what was written.
        ConfigError: It is whole and something else, such as pickled code, which is not run.
    """
    path = folder / name
    # Whatever is no file is not opened: a pipe would wait for ever.
    if not path.is_file():
        if path.exists() or path.is_symlink():
            raise DamagedError(f"{name} is no file")
        return None
    _check_zip(path)
    try:
        # `weights_only` refuses pickled code: study folders are passed from hand to hand.
        state = torch.load(path, map_location="cpu", weights_only=True)
        for tensor in _tensors(state):
            # One number may stand for very many, and would take their room once it is copied.
            if tensor.nbytes > tensor.untyped_storage().nbytes():
                raise ValueError("a tensor is larger than what the file holds of it")
    except pickle.UnpicklingError as error:
        raise no_checkpoint(path, error) from error
    except BROKEN_CONTENT as error:
        raise DamagedError(f"{name} cannot be read: {one_line(str(error)[:200])}") from error
    if not isinstance(state, dict) or not isinstance(state.get("recipe"), dict):
        raise no_checkpoint(path, ValueError("it holds no recipe"))
    return state


def no_checkpoint(path: Path, error: Exception) -> ConfigError:
    """Returns the error on a whole file that is no checkpoint of this version."""
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    return ConfigError(f"{path}: not a checkpoint: {one_line(reason[:300])}; remove it to go on")


def _check_zip(path: Path) -> None:
    """Refuses a damaged file: torch saves zip archives, which hold sums that torch never checks."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            head = file.read(len(_ZIP))
        if head[:1] == pickle.PROTO and head[1:2] <= bytes([pickle.HIGHEST_PROTOCOL]):
            raise no_checkpoint(path, ValueError("it is a pickle, which may run code"))
        if head != _ZIP:
            raise DamagedError(f"{path.name} is no file of torch")
        with zipfile.ZipFile(path) as archive:
            # Torch packs nothing, so all parts fit into the file.
            if sum(part.file_size for part in archive.infolist()) > size:
                raise DamagedError(f"{path.name} would be larger than its file")
            broken = archive.testzip()
    except BROKEN_CONTENT as error:
        raise DamagedError(f"{path.name} cannot be read: {one_line(str(error)[:200])}") from error
    if broken is not None:
        raise DamagedError(f"{path.name} is not what was written")


def _tensors(tree: object) -> Iterator[Tensor]:
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from _tensors(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _tensors(value)
