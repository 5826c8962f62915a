"""Whether two study files are one study: which keys may change when it goes on, and which not."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuning.study.config import StudyFile

# How much is run, where and with what. What is trained, searched and compared is not among them,
# since trials from before and after a change could not be compared.
_MAY_CHANGE = frozenset(
    {
        "name",
        "storage",
        "trials",
        "resources",
        "isolation",
        "max_attempts",
        "keep_checkpoints",
        "memory_growth_gib",
    }
)
"""Keys of `study` that may have another value when a study goes on."""


def differences(before: "StudyFile", now: "StudyFile") -> dict[str, tuple[object, object]]:
    """Returns dotted key -> (before, now), for all that makes two studies of them."""
    first, second = _identity(before), _identity(now)
    # In the order of the schema and not of a set: the message names the first one.
    keys = [*first, *(key for key in second if key not in first)]
    pairs = {key: (first.get(key, "absent"), second.get(key, "absent")) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def free_name(study: "StudyFile") -> str:
    """Returns a name that no folder of the same storage has."""
    number = 2
    while (study.study.storage / f"{study.study.name}-{number}").exists():
        number += 1
    return f"{study.study.name}-{number}"


def _identity(study: "StudyFile") -> dict[str, object]:
    """Returns what makes two studies the same, flat: dotted key -> value."""
    # Dumped with all defaults filled in: a file that spells one out is the same study.
    data = study.model_dump(mode="json")
    data["study"] = {key: value for key, value in data["study"].items() if key not in _MAY_CHANGE}
    return dict(_flat((), data))


def _flat(path: tuple[str, ...], value: object) -> Iterator[tuple[str, object]]:
    """Yields (dotted key, value) of nested mappings; lists and empty mappings count as values."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat((*path, key), item)
    else:
        yield ".".join(path), value
