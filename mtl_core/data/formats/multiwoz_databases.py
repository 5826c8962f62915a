"""The databases of MultiWOZ: which venues have what a user wants."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mtl_core.data.formats.text_files import read_json
from mtl_core.errors import DataError

DOMAINS = ("restaurant", "hotel", "attraction", "train")
"""Domains with a database."""
FILES = ", ".join(f"{domain}_db.json" for domain in DOMAINS)
"""The files of the databases, for messages."""
_ANY = frozenset({"", "dontcare", "notmentioned", "none", "any", "donotcare"})
"""Values that every venue has; written as `_squeezed` returns them."""
_SPELLINGS = {
    "center": "centre",
    "town centre": "centre",
    "centre of town": "centre",
    "portugese": "portuguese",
    "mutliple sports": "multiple sports",  # as the database has it
    "moderately": "moderate",
    "moderately priced": "moderate",
    "dont care": "dontcare",
    "don't care": "dontcare",
    "doesn't care": "dontcare",
}
_UNKNOWN = "?"
"""What the database has where it knows nothing: it fits every wish."""
_TIME = re.compile(r"(\d{1,2}):(\d{2})")
_TIMES = ("leaveat", "arriveby")

Venue = Mapping[str, object]


class Databases:
    """The venues of all domains, by number."""

    def __init__(self, venues: Mapping[str, Sequence[Venue]]) -> None:
        """Takes the venues.

        Args:
            venues: Domain -> its venues: slot -> value.
        """
        self._tables = {domain: _Table(rows) for domain, rows in venues.items()}

    @classmethod
    def read(cls, folder: Path) -> "Databases":
        """Reads the four files of the folder `db/` of MultiWOZ.

        Raises:
            DataError: A file is missing, or is no list of objects.
        """
        return cls(dict(zip(DOMAINS, map(_read, database_files(folder)), strict=True)))

    def matching(self, domain: str, wanted: Mapping[str, str]) -> frozenset[int]:
        """Returns the numbers of the venues that have what is wanted.

        Args:
            domain: One of `DOMAINS`.
            wanted: Slot -> value; slots that the database does not have are passed over, such as
                those of a booking. A train leaves at the time that is wanted or later, and arrives
                then or earlier.
        """
        return self._tables[domain].matching(wanted)


class _Table:
    """The venues of one domain, found by their values: a set of wishes is asked for many times."""

    def __init__(self, venues: Sequence[Venue]) -> None:
        self._size = len(venues)
        # slot -> value -> the venues that have it
        self._places: dict[str, dict[str, set[int]]] = {}
        for number, venue in enumerate(venues):
            for slot, value in venue.items():
                written = _UNKNOWN if value == _UNKNOWN else _squeezed(str(value))
                found = self._places.setdefault(slot_name(slot), {})
                found.setdefault(written, set()).add(number)

    def matching(self, wanted: Mapping[str, str]) -> frozenset[int]:
        left = set(range(self._size))
        for slot, value in wanted.items():
            name = slot_name(slot)
            ways = [_squeezed(way) for way in value.split("|")]
            if name in self._places and not _ANY.intersection(ways):
                left &= self._with(name, ways)
        return frozenset(left)

    def _with(self, slot: str, ways: Sequence[str]) -> set[int]:
        """Returns the venues that have one of the values, or of which it is not known."""
        is_fit = _in_time(ways, later=slot == "leaveat") if slot in _TIMES else ways.__contains__
        places = self._places[slot].items()
        return set[int]().union(*(of for value, of in places if value == _UNKNOWN or is_fit(value)))


def database_files(folder: Path) -> list[Path]:
    """Returns where the files of the databases are, in the order of `DOMAINS`."""
    return [folder / f"{domain}_db.json" for domain in DOMAINS]


def slot_name(slot: str) -> str:
    """Returns a slot as all files agree on it: `leaveAt`, `leave at` and `leaveat` are one."""
    return slot.lower().replace(" ", "").replace("-", "")


def _read(path: Path) -> list[Venue]:
    venues = read_json(path)
    if not isinstance(venues, list) or not all(isinstance(venue, dict) for venue in venues):
        raise DataError(f"{path}: expected a list of objects, one for each venue")
    return venues


def _in_time(ways: Sequence[str], *, later: bool) -> Callable[[str], bool]:
    """Returns what says whether a time is as late, or as early, as one of those wanted."""
    limits = [limit for way in ways if (limit := _minutes(way)) is not None]

    def is_fit(value: str) -> bool:
        at = _minutes(value)
        if at is None or not limits:
            return True  # what is no time limits nothing
        return at >= min(limits) if later else at <= max(limits)

    return is_fit


def _squeezed(value: str) -> str:
    """Returns a value by its letters and digits: `guest house` and `guesthouse` are one.

    A time stays as it is.
    """
    value = " ".join(value.lower().replace(" n't", "n't").split())
    if _TIME.match(value):
        return value
    return re.sub(r"[\W_]+", "", _SPELLINGS.get(value, value).removeprefix("the "))


def _minutes(time: str) -> int | None:
    """Returns the minutes since midnight of `17:45`; None = it is no time."""
    found = _TIME.match(time.strip())
    return int(found[1]) * 60 + int(found[2]) if found else None
