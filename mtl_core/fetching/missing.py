"""Which data a study names as `fetched:NAME` that is not in the cache yet."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel

from mtl_core.errors import DataError, did_you_mean
from mtl_core.fetching.sources import known_sources
from mtl_core.paths import FETCHED, fetched_folder


def fetched_names(sections: Iterable[BaseModel]) -> list[str]:
    """Returns the names NAME of all paths `fetched:NAME/...` in sections, each once.

    Raises:
        DataError: A name is not in the table of what can be fetched.
    """
    root = fetched_folder()
    texts = [text for section in sections for text in _texts(section.model_dump(mode="json"))]
    paths = [Path(text).relative_to(root) for text in texts if Path(text).is_relative_to(root)]
    names = [path.parts[0] for path in paths if path.parts]
    # The table is only read where something of it is named: most studies name nothing.
    known = known_sources() if names else {}
    for name in names:
        if name not in known:
            raise DataError(
                f"{FETCHED}{name}: there is no such data to fetch; known: {', '.join(known)}."
                f"{did_you_mean(name, known)}"
            )
    return list(dict.fromkeys(names))


def missing_names(sections: Iterable[BaseModel]) -> list[str]:
    """Returns those of `fetched_names` of which a file is not there, or no longer what it was."""
    return [name for name in fetched_names(sections) if not is_fetched(name)]


def is_fetched(name: str) -> bool:
    """Returns whether all files of a data set of the table are in the cache, as it has them."""
    return not _missing_files(name) and not _damaged_files(name)


def _missing_files(name: str) -> list[Path]:
    folder = fetched_folder() / name
    return [path for file in known_sources()[name].files if not (path := folder / file).exists()]


def _damaged_files(name: str) -> list[Path]:
    """Returns the files that are no longer what was fetched; each is read once in a process."""
    folder = fetched_folder() / name
    wanted = {folder / file: entry for file, entry in known_sources()[name].files.items()}
    return [
        path
        for path, entry in wanted.items()
        if path.exists() and not _is_file_of(path, entry.bytes, entry.sha256)
    ]


def _is_file_of(path: Path, size: int, sha256: str) -> bool:
    state = path.stat()
    # Nothing else is opened: a pipe would wait for ever.
    if not path.is_file() or state.st_size != size:
        return False
    try:
        return _sha256(path, state.st_mtime_ns, state.st_ino) == sha256
    except OSError:
        return False


# By what changes when a file is written.
@lru_cache(maxsize=1024)
def _sha256(path: Path, modified: int, inode: int) -> str:
    del modified, inode
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_fetched(sections: Iterable[BaseModel]) -> None:
    """Refuses data sets whose files are not in the cache, or no longer what was fetched.

    Raises:
        DataError: The one command that fetches all of them.
    """
    missing = missing_names(sections)
    if missing and not _missing_files(missing[0]):
        [damaged, *_] = _damaged_files(missing[0])
        raise DataError(
            f"{damaged}: the file is no longer the one that was fetched; "
            f"`mtl fetch {' '.join(missing)}` fetches it again"
        )
    if missing:
        raise DataError(
            f"{FETCHED}{missing[0]}: the data is not on this machine yet; "
            f"`mtl fetch {' '.join(missing)}` fetches it"
        )


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, Sequence):
        for value in node:
            yield from _texts(value)
