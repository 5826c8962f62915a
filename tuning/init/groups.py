"""Which files belong together: the splits of one data set, told by their names."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_core.any_path import is_file, is_folder, is_there, open_regular
from mtl_core.data.formats.data_files import missing_file
from mtl_core.errors import DataError

_WORDS = {
    "train": ("train", "training", "trn"),
    "dev": ("dev", "devel", "development", "valid", "validation", "val", "eval", "testa"),
    "test": ("test", "testing", "tst", "testb"),
}
"""Split -> the words by which file and folder names call it."""
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
_PACKED = {"gz", "bz2", "xz", "zst", "zip"}
_NO_NAMES = {"of", "conll"}
"""Parts of file names that say nothing of what is in the file."""
_BESIDE = re.compile(
    r"readme|licen[cs]e|^(notice|copying|citation|changelog|makefile)\b"
    r"|\.(md|rst|py|sh|ya?ml|toml|cfg|ini|ipynb|html?|pdf|png|jpe?g|log|lock|bib)$"
)
"""Files that lie beside data in its folder."""


@dataclass(frozen=True, slots=True)
class Group:
    """The files of one data set.

    Attributes:
        name: What the data set may be called.
        files: Split -> its files; `train` is always there.
        note: What was decided about the splits, "" = nothing to tell.
        is_named: Whether its files were named; of a folder, what is no data may be passed over.
    """

    name: str
    files: Mapping[str, Sequence[Path]]
    note: str = ""
    is_named: bool = True


def group_files(places: Sequence[Path]) -> list[Group]:
    """Groups files by data set and split; folders stand for the files in them.

    `train.csv`, `dev.csv` and `test.csv` are one data set, as are `x.train` and `x.testa`, and
    `train/x.txt` and `test/x.txt`; what names no split is train.

    Raises:
        DataError: A file is not there, or a folder holds none.
    """
    groups: dict[tuple[object, ...], dict[str, list[Path]]] = {}
    names: dict[tuple[object, ...], str] = {}
    for path in _files(places):
        key, split, name = _describe(path)
        groups.setdefault(key, {}).setdefault(split, []).append(path)
        names[key] = name
    named = {place for place in places if not is_folder(place)}
    return [
        _group(names[key], files, is_named=any(named.intersection(part) for part in files.values()))
        for key, files in groups.items()
    ]


def split_named(name: str) -> str | None:
    """Returns the split that a file or folder name names, None = it names none."""
    return next(filter(None, map(_split_of, _tokens(name))), None)


def _files(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        if is_folder(place):
            files = sorted(path for path in place.rglob("*") if is_file(path))
            inside = [path for path in files if not _is_no_data(path, place)]
            if not inside:
                raise DataError(f"{place}: the folder holds no files")
            yield from inside
        elif is_there(place):
            yield place
        else:
            raise missing_file(place)


def _is_no_data(path: Path, below: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in path.relative_to(below).parts)
    return is_hidden or _BESIDE.search(path.name.lower()) is not None


def _describe(path: Path) -> tuple[tuple[object, ...], str, str]:
    """Returns the key of a file's data set, its split, and the data set's name."""
    tokens = _tokens(path.name)
    split = split_named(path.name)
    folder, signature = path.parent, b""
    if split is None and (split := split_named(folder.name)):
        folder = folder.parent
    if split is None:
        # Parts of one table share their first line; two tables that only sound alike do not.
        signature = _first_line(path)
    rest = [token for token in tokens if not _split_of(token) and not token.isdigit()]
    rest = [token for token in rest if token not in _PACKED]
    suffix = rest.pop() if rest and "." in path.name and not _is_split_suffix(path) else ""
    rest = [token for token in rest if token not in _NO_NAMES]
    name = "_".join(rest) or folder.resolve().name
    key = (folder, tuple(rest), suffix, signature)
    return key, split or "train", name


def _is_split_suffix(path: Path) -> bool:
    return _split_of(path.suffix.lstrip(".").lower()) is not None


def _tokens(name: str) -> list[str]:
    return [token for token in re.split(r"[^a-z0-9]+", name.lower()) if token]


def _split_of(token: str) -> str | None:
    return _SPLIT_OF.get(re.sub(r"(set|data|file|ing)?\d*$", "", token)) or _SPLIT_OF.get(token)


def _first_line(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.readline(2000)
    except OSError as error:
        raise DataError(f"{path}: cannot read the file: {error.strerror}") from error


def _group(name: str, files: dict[str, list[Path]], *, is_named: bool) -> Group:
    if "train" in files:
        return Group(name, files, is_named=is_named)
    # Of a set without train the first split that is there takes its place.
    first = next(split for split in ("dev", "test") if split in files)
    rest = {split: paths for split, paths in files.items() if split != first}
    names = ", ".join(path.name for path in files[first])
    note = f"no file is named train: {names} is taken"
    return Group(name, {"train": files[first], **rest}, note, is_named)


def unique(names: Iterable[str]) -> list[str]:
    """Returns the names as they may stand in a study file, each only once."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-") or "data"
        number = 1
        while plain in found:
            number += 1
            plain = f"{plain.rstrip('0123456789').rstrip('_')}_{number}"
        found.append(plain)
    return found
