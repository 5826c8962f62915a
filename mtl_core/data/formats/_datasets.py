"""The private parts of `datasets` that are used, as of its version 5.2."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset


def fingerprint(dataset: "Dataset") -> str:
    """Returns the hash of where a table comes from and of all that was done with it."""
    return str(dataset._fingerprint)
