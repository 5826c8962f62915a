"""`mtl fetch`: what studies name that can be fetched, and the licences it comes under."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from mtl_core.errors import ConfigError, did_you_mean
from mtl_core.fetching.download import Advance, fetch_source
from mtl_core.fetching.missing import fetched_names, is_fetched
from mtl_core.fetching.sources import Source, known_sources
from mtl_core.printable import printable
from tuning.watch.console import can_redraw
from tuning.watch.waiting import waiting


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
    wanted = dict.fromkeys(source for name in names for source in _sources_of(name, console))
    for name in wanted:
        _fetch_one(name, known_sources()[name], mirror, console)
    if not wanted:
        console.print("nothing else to fetch", soft_wrap=True)


def _sources_of(name: str, console: Console) -> Iterable[str]:
    """Returns the names in the table that a study names; reads what it names elsewhere."""
    if name in known_sources():
        return [name]
    from tuning.study.find import find_study
    from tuning.study.load import load_study

    try:
        find_study(name)
    except ConfigError as error:
        near = did_you_mean(name, known_sources())
        known = ", ".join(known_sources())
        raise ConfigError(f"{error} Data that can be fetched: {known}.{near}") from error
    datasets = load_study(name).run.datasets
    for key, section in datasets.items():
        if not fetched_names([section]):
            with waiting(f"{printable(key)}: reading it"):
                section.fingerprint()
            console.print(f"{key}: on this machine", soft_wrap=True)
    return fetched_names(datasets.values())


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
