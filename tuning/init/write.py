"""`mtl init` from files to a study file that passes its check."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mtl_core.any_path import is_folder, is_there
from mtl_core.config import RunConfig
from mtl_core.data.formats.data_files import missing_file
from mtl_core.data.splits import read_splits
from mtl_core.errors import ConfigError, DataError
from mtl_core.files import whole_file, write_text
from tuning.init.formats import group_guess
from tuning.init.groups import Group, group_files
from tuning.init.guess import DatasetGuess, rows_of
from tuning.init.ready import folder_guess
from tuning.init.study import FEWEST, Named, named, study_text
from tuning.study.load import load_study
from tuning.study.schema import SCHEMA_NAME


@dataclass(frozen=True, slots=True)
class Written:
    """What a study file was made of.

    Attributes:
        datasets: Its data sets and tasks.
        left_out: Why files of folders are not in it, a line for each.
    """

    datasets: Sequence[Named]
    left_out: Sequence[str]


def write_study(places: Sequence[Path], output: Path, *, force: bool = False) -> Written:
    """Looks at files and writes a study file, with the schema for editors beside it.

    Args:
        places: Files and folders.
        output: The study file.
        force: Replaces a file that is there.

    Returns:
        What was found.

    Raises:
        ConfigError: `output` is there already, or cannot be written; a place is a study file.
        DataError: A file is not there or cannot be used; nothing is written.
    """
    _check_places(places)
    _check_output(output, force=force)
    left_out: list[str] = []
    found = named(_look(places, left_out))
    shown = " ".join(str(place) for place in places)
    text = study_text(found, output=output, schema=SCHEMA_NAME, command=f"mtl init {shown}")
    schema = files("search_spaces").joinpath(SCHEMA_NAME).read_text(encoding="utf-8")
    try:
        with whole_file(output) as part:
            part.write_text(text, encoding="utf-8")
            # What was guessed is held against what the readers say, before it is handed on.
            _check(load_study(str(part), ["study.name=study"]).run)
            # First what the study file names: once that is there, the same command is refused.
            write_text(output.with_name(SCHEMA_NAME), schema)
    except OSError as error:
        raise ConfigError(f"{output}: cannot write the file: {error.strerror}") from error
    finally:
        with suppress(OSError):
            output.with_name(f".{output.name}.part").unlink(missing_ok=True)
    return Written(found, left_out)


def _check_places(places: Sequence[Path]) -> None:
    for place in places:
        if not is_there(place):
            raise missing_file(place)
        if place.suffix in (".yaml", ".yml"):
            raise ConfigError(
                f"{place}: this is a study file, no data; `mtl check {place}` checks it"
            )


def _check_output(output: Path, *, force: bool) -> None:
    if is_folder(output):
        raise ConfigError(
            f"--output: {output} is a folder; expected a file, such as {output / 'study.yaml'}"
        )
    if is_there(output) and not force:
        raise ConfigError(
            f"{output}: the file is there already; --force replaces it, --output FILE writes "
            "another one"
        )


def _look(places: Sequence[Path], left_out: list[str]) -> list[tuple[Group, DatasetGuess]]:
    found: list[tuple[Group, DatasetGuess]] = []
    plain: list[Path] = []
    for place in places:
        guess = folder_guess(place) if is_folder(place) else None
        if guess is None:
            plain.append(place)
        else:
            found.append((Group(place.resolve().name, {"train": [place]}), guess))
    for group in group_files(plain):
        try:
            guess = group_guess(group)
            _check_size(group, guess)
        except DataError as error:
            # In a folder there may be other things than data; a file that is named is meant.
            if group.is_named:
                raise
            left_out.append(str(error))
        else:
            found.append((group, guess))
    if not found:
        raise DataError("\n".join(left_out))
    return found


def _check_size(group: Group, guess: DatasetGuess) -> None:
    rows = guess.rows["train"]
    if rows < FEWEST and "dev" not in guess.rows:
        raise DataError(
            f"{group.files['train'][0]}: {rows_of(rows)}, which are too few to cut dev and test "
            "off; give files for them, too, such as dev.csv and test.csv"
        )


def _check(run: RunConfig) -> None:
    for name, section in run.datasets.items():
        columns = {key: kind for column in run.columns(name) for key, kind in column.reads.items()}
        read_splits(section, columns)
