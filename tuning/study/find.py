"""Where a study is: its file, by a path or the name of a bundled one, and its folder."""

from importlib.resources import files
from pathlib import Path

from mtl_core.addresses import not_local
from mtl_core.any_path import is_file, is_folder, is_there, names_beside
from mtl_core.errors import ConfigError, did_you_mean, nearest

_DATA = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".conll", ".conllu")
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")


def find_study(study: str) -> Path:
    """Returns the file of a study: a path, or the name of a bundled study.

    Raises:
        ConfigError: There is neither, or the file is one of data.
    """
    if wrong := not_local(study):
        raise ConfigError(wrong)
    path = Path(study)
    # A table read as YAML would be refused for something inside of it.
    if path.suffix.lower() in (*_DATA, *_PACKED) and is_file(path):
        raise ConfigError(
            f"{study}: this is data, no study file; `mtl init {study}` writes a study file for it"
        )
    # What looks like a path is taken for one though it is not there: the error then names the file
    # and not the bundled studies.
    is_other = is_there(path) and not is_folder(path)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1 or is_other:
        return path
    bundled = {
        file.name.removesuffix(".yaml"): file
        for file in files("search_spaces").iterdir()
        if file.name.endswith(".yaml")
    }
    if study in bundled:
        return Path(str(bundled[study]))
    raise ConfigError(
        f"{study}: there is no such file and no bundled study of this name; bundled: "
        f"{', '.join(sorted(bundled))}.{did_you_mean(study, bundled)}"
    )


def not_a_folder(path: Path) -> str | None:
    """Returns why a path is not that of a study folder, with the nearest one; None = it may be."""
    if is_folder(path):
        return None
    if is_file(path):
        where = (
            f"give '{path.parent}'"
            if is_file(path.parent / "optuna.journal")
            else "`mtl tune` makes it below `study.storage`, with the name `study.name`"
        )
        return f"{path}: expected the folder of a study, found a file; {where}"
    told = f"{path}: there is no such folder"
    beside = [name for name in names_beside(path) if is_folder(path.parent / name)]
    near = nearest(path.name, beside)
    return f"{told}. Did you mean '{path.parent / near}'?" if near else told
