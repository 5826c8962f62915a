"""`mtl fetch`: what studies name that can be fetched, and the licences it comes under."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from mtl_core.errors import ConfigError, did_you_mean
from mtl_core.fetching.download import Advance, fetch_source
from mtl_core.fetching.missing import fetched_names, is_fetched
from mtl_core.fetching.sources import Source, known_sources
from mtl_core.printable import printable
from tuning.watch.console import can_redraw
from tuning.watch.waiting import waiting

if TYPE_CHECKING:
    from mtl_core.data.formats.kinds import DatasetSection


def fetch_data(names: Sequence[str], *, mirror: str | None, console: Console) -> None:
    """Fetches all that studies name, and says what it is and under which licence.

    What stands in the table of sources comes into the cache of mtl; what comes from the hub is read
    once, so that it lies in the cache of `datasets`.

    Args:
        names: Study files, bundled studies, or names of data sets in the table of sources.
        mirror: Address or folder that holds the files as NAME/FILE; None = where the table says.
        console: Where it is told.

    Raises:
        ConfigError: A name is neither, or the study file is wrong.
        DataError: Something cannot be had.
    """
    studies = {name: _datasets_of(name) for name in names if name not in known_sources()}
    named = [name for name in names if name in known_sources()]
    wanted = named + [
        one for datasets in studies.values() for one in fetched_names(datasets.values())
    ]
    # First what can be checked; a hub that cannot be reached then loses nothing of it.
    for name in dict.fromkeys(wanted):
        _fetch_one(name, known_sources()[name], mirror, console)
    for datasets in studies.values():
        for key, section in datasets.items():
            if not fetched_names([section]):
                with waiting(f"{printable(key)}: reading it"):
                    section.fingerprint()
                console.print(f"{key}: on this machine", soft_wrap=True)


def _datasets_of(name: str) -> "Mapping[str, DatasetSection]":
    """Returns the data sets of a study.

    Raises:
        ConfigError: There is no such study, and no such data to fetch.
    """
    from tuning.study.find import find_study
    from tuning.study.load import load_study

    try:
        find_study(name)
    except ConfigError as error:
        near = did_you_mean(name, known_sources())
        known = ", ".join(known_sources())
        raise ConfigError(f"{error} Data that can be fetched: {known}.{near}") from error
    return load_study(name).run.datasets


def _fetch_one(name: str, source: Source, mirror: str | None, console: Console) -> None:
    origin = mirror or f"github.com/{source.repository} at {source.commit[:12]}"
    console.print(f"{name}: {source.about}", soft_wrap=True)
    console.print(f"  licence {source.licence}; from {origin}", soft_wrap=True)
    was_there = is_fetched(name)
    with _progress(source.bytes, console) as advance:
        folder = fetch_source(name, source, mirror=mirror, advance=advance)
    size = f"{source.bytes / 1e6:.1f} MB"
    done = "was there already" if was_there else "fetched"
    console.print(f"  {done}: {len(source.files)} files, {size}, in {folder}", soft_wrap=True)


@contextmanager
def _progress(total: int, console: Console) -> Iterator[Advance]:
    """Shows a bar of bytes on a terminal; elsewhere the lines say enough."""
    if not can_redraw(console):
        yield lambda _: None
        return
    columns = (TextColumn(" "), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda size: progress.advance(task, size)
