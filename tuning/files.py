"""Files of a study folder: written at once or not at all, and told of when they are broken."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtl_core.errors import ConfigError
from mtl_core.printable import one_line
from mtl_core.scores import without_nan


@contextmanager
def telling_what_is_broken(path: Path) -> Iterator[None]:
    """Says in one line that a file of the study folder `path` is not what it should be.

    Raises:
        ConfigError: So it is: what others have written into the files of a folder may be anything.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {one_line(str(error)[:200])}"
        raise ConfigError(f"{path}: a file of the study is broken: {reason}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: a file of the study is nested too deeply") from error


def write_text(path: Path, text: str) -> None:
    """Writes a file at once or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)  # A link there would lead the text into another file.
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)  # noqa: PTH105


def write_json(path: Path, content: object) -> None:
    """Writes a JSON file at once or not at all."""
    write_text(path, json.dumps(without_nan(content), indent=2) + "\n")
