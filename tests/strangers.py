"""Model folders of strangers: a good one, and what would make it run something."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtl_core.tasks.classification import Classification

Spoil = Callable[[Path], None]
"""Makes a saved model in a folder one that would run code, or hang."""

MARK = "MARK"
"""Environment variable with the file that a payload writes when it runs."""
PAYLOAD = f'''
import os, pathlib
pathlib.Path(os.environ["{MARK}"]).touch()
from mtl_core.tasks.classification import Classification as Evil
from transformers import BertConfig as EvilConfig, BertModel as EvilModel
from transformers import PreTrainedTokenizerFast as EvilTokenizer
'''
"""Code that tells when it was run, and then is what was asked for."""


class Pickled:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, (PAYLOAD,)


def settings(name: str, **changes: object) -> Spoil:
    """Changes keys of a JSON file."""

    def spoil(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes), encoding="utf-8")

    return spoil


def kind(text: str) -> Spoil:
    """Names another kind for the first task; FOLDER stands for the model's folder."""

    def spoil(folder: Path) -> None:
        path = folder / "run.yaml"
        written = json.dumps(text.replace("FOLDER", str(folder)))
        changed = path.read_text().replace("kind: classification", f"kind: {written}")
        path.write_text(changed, encoding="utf-8")

    return spoil


def text(name: str, content: str | bytes) -> Spoil:
    """Replaces a file."""
    whole = content if isinstance(content, bytes) else content.encode()
    return lambda folder: void((folder / name).write_bytes(whole))


def added(name: str, content: str) -> Spoil:
    """Adds lines to a file."""

    def spoil(folder: Path) -> None:
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(content)

    return spoil


def pipe(name: str) -> Spoil:
    """Puts a named pipe, which is never written to, in the place of a file."""

    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return spoil


def link(name: str, to: str) -> Spoil:
    """Puts a link in the place of a file."""

    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(to)

    return spoil


def huge(name: str, size: int) -> Spoil:
    """Makes a file as long as that, which takes no room on the disk."""
    return lambda folder: os.truncate(folder / name, size)


def pickled_weights(folder: Path) -> None:
    """Puts pickled weights in the place of the others."""
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Pickled()))


def both(*spoils: Spoil) -> Spoil:
    """Spoils in several ways."""

    def spoil(folder: Path) -> None:
        for each in spoils:
            each(folder)

    return spoil


def void(_: object) -> None:
    """Forgets a value."""


BOMB = "b0: &a0 [x, x, x]\n" + "".join(
    f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
"""Ten lines that stand for a billion values."""


class Trusted(Classification):
    """A kind of task from outside the package that a user trusts."""

    kind: str  # type: ignore[assignment]
