"""What differs between two sets of settings, by dotted key, as messages name it."""

from collections.abc import Iterator, Mapping
from typing import Any


def differing(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, tuple[object, object]]:
    """Returns dotted key -> (before, now) of nested plain settings, in the order of `before`."""
    first, second = dict(_flat((), before)), dict(_flat((), now))
    # In the order of the schema and not of a set: a message names the first one.
    keys = [*first, *(key for key in second if key not in first)]
    pairs = {key: (first.get(key, "absent"), second.get(key, "absent")) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def told(found: Mapping[str, tuple[object, object]]) -> str:
    """Returns what differs in a few words; `found` holds at least one difference."""
    # One difference is enough to tell two apart; a list of all would hide the way out.
    key, (before, now) = next(iter(found.items()))
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{key} = {before}, here it is {now}{more}"


def _flat(path: tuple[str, ...], value: object) -> Iterator[tuple[str, object]]:
    """Yields (dotted key, value) of nested mappings; lists and empty mappings count as values."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat((*path, key), item)
    else:
        yield ".".join(path), value
