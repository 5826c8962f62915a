"""Checks of what commands are given that come before the imports that take seconds."""

from collections.abc import Collection, Sequence
from pathlib import Path

from mtl_core.addresses import not_local
from mtl_core.any_path import is_file, is_folder, is_there
from mtl_core.errors import ConfigError, NotReadyError
from mtl_core.study_file import read_document
from mtl_core.untrusted import check_model
from tuning.study.find import find_study


def check_text(study: str) -> None:
    """Refuses a study file that is missing or no YAML, before imports that take seconds."""
    read_document(find_study(study))


def check_output(folder: Path | None) -> None:
    """Refuses a folder to write to that is a file, or lies below one, before anything is read."""
    places = () if folder is None else (folder, *folder.parents)
    for place in places:
        if is_file(place):
            raise ConfigError(f"--output: cannot write to {folder}: {place} is a file, no folder")


def model_folder(model: str | Path, *, trust_code: bool) -> Path:
    """Returns the folder of the model: a study holds it in best/, `mtl train` in model/.

    Checks it as well, before imports that take seconds; fetches one that is on the hub.

    Args:
        model: A folder, or USER/NAME on the hub, perhaps with @REVISION.
        trust_code: Whether code of the model's own kinds of tasks may run.

    Raises:
        ConfigError: It is no saved model, one whose code is not trusted, or one that cannot be
            fetched.
        NotReadyError: The study still runs, or the hub cannot be reached.
    """
    from mtl_core.hub import find_model
    from tuning.watch.waiting import waiting

    with waiting(f"looking for {model}"):
        folder = find_model(model)
    _check_study_has_ended(folder)
    check_model(folder, trust_code=trust_code)
    return folder


def _check_study_has_ended(best: Path) -> None:
    """Refuses a study whose model is not there since it has not ended."""
    folder = best.parent
    # Trials tell a study folder from one in which a user's own study.yaml lies.
    is_study = is_file(folder / "study.yaml") and is_folder(folder / "trials")
    if is_there(best) or not is_study:
        return
    from tuning.study.status import read_status

    status = read_status(folder)
    if status.state == "running":
        raise NotReadyError(
            f"{folder}: this study still runs, and its model comes at its end; "
            f"`mtl status {folder}` says how far it is"
        )
    if status.state == "interrupted":
        raise ConfigError(
            f"{folder}: this study has no model yet, since it did not end; "
            f"go on with it: {status.go_on}"
        )


def files_by_dataset(files: Sequence[str], datasets: Collection[str]) -> dict[str, Path]:
    """Returns data set -> file, of texts such as "trips=data/new.csv"; "" = none is named."""
    found: dict[str, Path] = {}
    for text in files:
        name, equals, path = text.partition("=")
        # A path may hold "=" itself; it is one where what stands before is no data set.
        is_named = bool(equals) and (name in datasets or not is_there(text))
        key = name if is_named else ""
        if wrong := not_local(path if is_named else text):
            raise ConfigError(f"--file: {wrong}")
        if key in found:
            raise ConfigError(f"--file: '{text}': there is a file for this data set already")
        found[key] = Path(path if is_named else text)
    return found


def pair(text: str) -> tuple[str, str]:
    """Returns the two texts that a tab parts; the second is "" where there is none."""
    # The first tab: a context may have more of them.
    first, _, second = text.partition("\t")
    return first, second
