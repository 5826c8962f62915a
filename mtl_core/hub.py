"""Models on the Hugging Face hub: finds one there, and puts the folder of one there.

Tokens, cache and address are those that all tools for the hub share: `hf auth login`, HF_TOKEN,
HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE.
"""

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from mtl_core.addresses import not_local
from mtl_core.any_path import is_file, is_folder
from mtl_core.errors import ConfigError, MtlError, NotReadyError
from mtl_core.model_folder import EVERY_FILE, GENERATION, META, READ_FILES, RUN, files_of
from mtl_core.model_places import inner_folder, instead_of, models_below
from mtl_core.printable import one_line
from mtl_core.section import is_address
from mtl_core.study_file import Document, dump
from mtl_core.untrusted import check_extras, check_model
from mtl_core.validation import validate

if TYPE_CHECKING:
    from huggingface_hub import HfApi

logger = logging.getLogger(__name__)

_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
TIMEOUT = 5.0
"""Seconds that the hub has for its first answer; it takes a fraction of one."""
_LOGIN = "log in with `hf auth login`, or set HF_TOKEN"


def find_model(name: str | Path, *, revision: str | None = None) -> Path:
    """Returns the folder of a model: a local one, or the copy in the cache of one on the hub.

    Args:
        name: The folder of a model, or of a study or a run that holds one; or USER/NAME of a model
            on the hub, or USER/NAME@REVISION. A folder of that name comes first.
        revision: Branch, tag or commit on the hub; None = what `name` says, else its main branch.

    Raises:
        ConfigError: There is no such model on the hub.
        NotReadyError: The hub cannot be reached, and the cache does not have it.
    """
    if wrong := not_local(name):
        raise ConfigError(f"{wrong}; models on the hub are named USER/NAME")
    repo, _, named = str(name).partition("@")
    folder, shown = Path(name), one_line(str(name))
    if is_file(folder):
        raise ConfigError(
            f"{shown}: it is a file, expected the folder of a model, or USER/NAME on the hub"
        )
    if not is_folder(folder) and _HUB_ID.fullmatch(repo):
        return _fetch(repo, revision or named or None)
    if revision is not None:
        raise ConfigError(f"revision: only models on the hub have one, and {shown} is a folder")
    if not is_folder(folder):
        raise ConfigError(f"{shown}: there is no such folder{instead_of(folder)}")
    found = inner_folder(folder)
    if not is_file(found / META) and (below := models_below(folder)):
        raise ConfigError(f"{shown}: no model in this folder; below it: {below}")
    return found


def push_model(
    folder: Path, repo: str, *, private: bool = False, revision: str | None = None
) -> str:
    """Puts a model on the hub, in a single commit; returns the address of its page.

    Only the files of the model go there. Of files and folders that its run.yaml names the last
    part is kept: the rest says something about one machine alone.

    Args:
        folder: Folder of the model, or of a study or a run that holds one.
        repo: USER/NAME on the hub; made where there is none.
        private: Whether only its owner sees it.
        revision: Branch to put it on, made where there is none; None = the main branch.

    Raises:
        ConfigError: There is no model in the folder; `repo` is no name, or a public model where a
            private one is wanted; nobody is logged in, or the hub refuses.
        NotReadyError: The hub cannot be reached.
    """
    from huggingface_hub import get_token

    folder = inner_folder(folder)
    document = _check_pushed(folder)
    if not _HUB_ID.fullmatch(repo):
        raise ConfigError(f"{one_line(repo)}: expected USER/NAME, the name of a model on the hub")
    if get_token() is None:
        raise ConfigError(f"{repo}: nobody is logged in to the hub; {_LOGIN}")
    files: dict[str, Path | bytes] = {
        name: folder / name for name in EVERY_FILE if (folder / name).is_file()
    }
    files[RUN] = dump(without_places(document.data)).encode()
    api = _api()
    _check_place(api, repo, private=private)
    try:
        address = api.create_repo(repo, private=private or None, exist_ok=True)
        _commit(api, repo, files, revision)
    except Exception as error:  # From several libraries, as the network is.
        raise _kind(error)(f"{repo}: {_reason(error, api)}") from error
    return str(address)


def _check_pushed(folder: Path) -> Document:
    """Refuses a model that nobody could load, or whose files are not its own; returns its run."""
    from mtl_core.config import RunConfig
    from mtl_core.saved_meta import read_meta
    from mtl_core.tasks.kinds import outside_kinds

    # Its own code, if it has some, is named by it and stays where it is: nothing is run here.
    document = check_model(folder, trust_code=True)
    with outside_kinds("leave"):
        read_meta(folder, validate(document, RunConfig))
    check_extras(folder)
    return document


def _commit(
    api: "HfApi", repo: str, files: Mapping[str, Path | bytes], revision: str | None
) -> None:
    """Has the files, and no others that a model may have, on a branch."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    if revision is not None:
        api.create_branch(repo, branch=revision, exist_ok=True)
    there = {file.rfilename for file in api.model_info(repo, revision=revision).siblings or ()}
    # What a model before had and this one has not would be read as this one's.
    stale = sorted(there & {*EVERY_FILE} - files.keys())
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(name, content) for name, content in files.items()
    ]
    operations += [CommitOperationDelete(name) for name in stale]
    api.create_commit(repo, operations, commit_message="Model of mtl", revision=revision)


def without_places(run: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the data of a run.yaml with names of files and folders in the place of their paths.

    Addresses lose what may be secret in them.

    Args:
        run: The data, as a saved model has it: with absolute paths.
    """
    data: dict[str, Any] = json.loads(json.dumps(run))  # texts that know their file become plain
    data["encoder"] = _named(data["encoder"], ("name",))
    for name, section in data["datasets"].items():
        data["datasets"][name] = _named(section, ("path", "name", "splits"))
    for name, task in data["tasks"].items():
        data["tasks"][name] = _named(task, ("kind",))
    return data


def _named(section: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: _last_part(value) if key in keys else value for key, value in section.items()}


def _last_part(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _last_part(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_last_part(inner) for inner in value]
    if not isinstance(value, str):
        return value
    if is_address(value):
        # What stands before the host and behind the path may be a password or a key.
        parts = urlsplit(value)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))
    # Ids on the hub and relative names stay what they are.
    return PurePath(value).name if Path(value).is_absolute() else value


def _fetch(repo: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    api = _api()
    try:
        # First, and with a limit: the download itself waits for minutes, and tells of every try.
        info = api.model_info(repo, revision=revision, timeout=TIMEOUT)
    except Exception as error:  # From several libraries, as the network is.
        is_answer = isinstance(error, RepositoryNotFoundError | RevisionNotFoundError)
        kept = None if is_answer else _cached(repo, revision)
        if kept is None:
            raise _not_fetched(error, api, repo) from error
        if not isinstance(error, OfflineModeIsEnabled):  # who has set that, knows
            logger.warning("%s: from the cache; %s", repo, _reason(error, api))
        return kept
    names = {file.rfilename for file in info.siblings or ()}
    needed = files_of(names)
    for name in needed:
        # Before gigabytes of another library's weights are fetched.
        if name not in names:
            raise ConfigError(f"{repo}: no model of mtl on the hub, there is no {name} in it")
    try:
        # By the name of the branch, which the cache then knows when the hub is out of reach.
        wanted = [*needed, GENERATION]  # Models that write have it.
        return Path(snapshot_download(repo, revision=revision, allow_patterns=wanted))
    except Exception as error:
        raise _not_fetched(error, api, repo) from error


def _cached(repo: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        # Not all that a model may have: what the hub lists and was not fetched would be missed.
        kept = snapshot_download(
            repo, revision=revision, allow_patterns=list(READ_FILES), local_files_only=True
        )
        return Path(kept)
    except (OSError, ValueError):  # It is not there, or is no name that a hub has.
        return None


def _api() -> "HfApi":
    from huggingface_hub import HfApi

    return HfApi(library_name="mtl")


def _check_place(api: "HfApi", repo: str, *, private: bool) -> None:
    """Refuses to push where the hub is out of reach, or a private model to a public place."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        # Also for its limit: what comes after waits for as long as the hub takes.
        there = api.model_info(repo, timeout=TIMEOUT)
    except RepositoryNotFoundError:
        return
    except Exception as error:
        raise _kind(error)(f"{repo}: {_reason(error, api)}") from error
    if private and not there.private:
        raise ConfigError(
            f"{repo}: is there already, and public; --private is for a new one: change it in its "
            "settings on the hub, or choose another name"
        )


def _not_fetched(error: Exception, api: "HfApi", repo: str) -> MtlError:
    instead = instead_of(Path(repo))
    if instead.endswith("?"):  # A slip of the hand: that the hub has no such name is no news.
        return ConfigError(f"{repo}: there is no such folder{instead}")
    return _kind(error)(
        f"{repo}: there is no such folder{instead}, and from the hub: {_reason(error, api)}"
    )


def _kind(error: Exception) -> type[ConfigError | NotReadyError]:
    """Returns whose fault it is that the hub did not do something: the user's, or this moment's."""
    from huggingface_hub import errors

    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        return NotReadyError if status >= 500 or status == 429 else ConfigError
    # What else is raised when it is asked is the network's, of several libraries.
    is_refused = isinstance(error, ValueError | errors.OfflineModeIsEnabled)
    return ConfigError if is_refused else NotReadyError


def _reason(error: Exception, api: "HfApi") -> str:
    """Returns in words why the hub did not do something."""
    from huggingface_hub import errors

    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
    match error:
        case errors.GatedRepoError():
            return "access to it has to be asked for, on its page on the hub"
        case errors.RevisionNotFoundError():
            return "it has no such revision"
        case errors.OfflineModeIsEnabled():
            return "not in the cache, and HF_HUB_OFFLINE keeps from looking on the hub"
        case errors.RepositoryNotFoundError():
            return f"no such model, or a private one; to see those {_LOGIN}"
    match status:
        case 401:
            return f"the hub does not know the token; {_LOGIN}"
        case 403:
            return "the token has no right to do this; make one that may write, on the hub"
        case None if isinstance(error, ValueError):  # of huggingface_hub, which checks cards
            return one_line(" ".join(str(error).split()))
        case None:
            first = next(iter(str(error).splitlines()), "")
            # The number is for programs: "[Errno -2] Name or service not known".
            reason = one_line(re.sub(r"^\[Errno -?\d+\] ", "", first)) or type(error).__name__
            return f"{api.endpoint} cannot be reached: {reason}"
    return f"{api.endpoint} answered {status}: {one_line(str(error).splitlines()[0])}"
