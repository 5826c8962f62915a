"""The errors a user can cause; each says where, what was found and what is allowed."""

import difflib
from collections.abc import Iterable
from typing import ClassVar


class MtlError(Exception):
    """Base of all errors that are shown to the user without a traceback.

    Attributes:
        exit_code: What a command ends with that meets it.
    """

    exit_code: ClassVar[int] = 1

    @property
    def lines(self) -> tuple[str, ...]:
        """What is wrong, line by line."""
        return tuple(str(self).split("\n"))


class NotReadyError(MtlError):
    """Not now: nothing is wrong with what was given, and the same command may do later."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h, by which mail and batch systems know it.


class ConfigError(MtlError):
    """A study file, an override or a command-line argument is wrong."""

    exit_code = 2


class DataError(MtlError):
    """A data set cannot be read or does not hold what the study file says it holds.

    It is made of one line or of several, such as one for each bad row.
    """

    exit_code = 2

    @property
    def lines(self) -> tuple[str, ...]:
        """What is wrong, line by line; a line may hold line ends that stand in the data."""
        return tuple(map(str, self.args))

    def __str__(self) -> str:
        return "\n".join(self.lines)


class CacheError(MtlError):
    """The cache folder cannot be used."""

    exit_code = 2


class StorageError(MtlError):
    """A disk takes no more: it is full, for instance."""


class TrainingError(MtlError):
    """A training run cannot go on, for instance because its loss is not finite."""


class NoScoreError(TrainingError):
    """All runs of a study have ended, and none has a score."""


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" for the nearest allowed name, or "" when none is near."""
    near = nearest(name, allowed)
    return f" Did you mean '{near}'?" if near else ""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Returns the nearest allowed name, or "" when none is near."""
    return next(iter(difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.6)), "")
