"""`mtl clean`: what lies in the cache and in study folders and is not needed, and removes it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_core.errors import ConfigError

if TYPE_CHECKING:
    from mtl_core.leftovers import Leftover


def clean(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FOLDER]...", help="Folders of studies or runs; default: the cache."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Removes it; default: only says it.")] = False,
    fetched: Annotated[
        bool, typer.Option("--fetched", help="Of the cache also what came over the network.")
    ] = False,
    checkpoints: Annotated[
        bool,
        typer.Option("--checkpoints", help="Of complete studies also the weights of trials."),
    ] = False,
) -> None:
    """Say what takes disk and is not needed, in the cache or in studies; --yes removes it.

    What is in use stays, and results do: reports, journals, models.
    """
    with ExitStack() as stack:
        for folder in folders or ():
            stack.enter_context(_held(folder))
        found = (
            [*_in_folders(folders, with_checkpoints=checkpoints)]
            if folders
            else [*_elsewhere(with_fetched=fetched)]
        )
        removed = {one.path for one in found if yes and one.remove()}
        _show(found, removed if yes else {one.path for one in found if not one.stays}, is_done=yes)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keeps drivers out of a folder, or refuses it."""
    from mtl_core.files import InUseError, hold

    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder; give a study folder, or nothing")
    if not (folder / ".lock").exists():  # Nobody has ever worked in it.
        yield
        return
    try:
        lock = hold(folder)
    except InUseError as error:
        raise ConfigError(f"{folder}: another process works in it; wait for its end") from error
    try:
        yield
    finally:
        lock.release()


def _in_folders(folders: Sequence[Path], *, with_checkpoints: bool) -> "Iterator[Leftover]":
    from tuning.study.leftovers import in_folder

    for folder in folders:
        yield from in_folder(folder, with_checkpoints=with_checkpoints)


def _elsewhere(*, with_fetched: bool) -> "Iterator[Leftover]":
    """Yields what lies in the cache, and what killed studies left of Ray."""
    from mtl_core.built import size_of
    from mtl_core.leftovers import Leftover, in_cache
    from tuning.cluster.socket_folder import leftovers

    yield from in_cache(with_fetched=with_fetched)
    for folder in leftovers():
        yield Leftover("files of Ray that a kill left", folder, size_of(folder))


def _show(found: "Iterable[Leftover]", gone: set[Path], *, is_done: bool) -> None:
    """Prints a line for each kind of thing and what becomes of it, then the sum."""
    from mtl_core.printable import one_line

    groups: dict[tuple[str, str], list[Leftover]] = defaultdict(list)
    for one in found:
        is_gone = one.path in gone
        fate = "" if is_gone else one.stays or "cannot be removed"
        groups[one.what, fate].append(one)
    for (what, fate), group in groups.items():
        place = group[0].path if len(group) == 1 else f"{len(group)} in {_around(group)}"
        note = f"; stays: {fate}" if fate else ""
        size = _size(sum(one.bytes for one in group))
        typer.echo(one_line(f"{size:>10}  {what}: {place}{note}"))
    total = _size(sum(one.bytes for one in found if one.path in gone))
    if is_done:
        typer.echo(f"{total:>10}  removed")
    else:
        typer.echo(f"{total:>10}  can go{'; the same with --yes removes it' if gone else ''}")


def _around(group: "Sequence[Leftover]") -> Path:
    """Returns the folder that all of them lie in."""
    first, *others = (one.path.parent for one in group)
    return next(
        folder
        for folder in (first, *first.parents)
        if all(other.is_relative_to(folder) for other in others)
    )


def _size(number: int) -> str:
    """Returns a number of bytes as people read it."""
    size = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
