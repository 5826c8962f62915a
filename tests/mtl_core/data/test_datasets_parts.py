"""The private part of `datasets` is what it was in the version that it was read in."""

import datasets

from mtl_core.data.formats._datasets import fingerprint


def test_a_fingerprint_tells_of_rows_and_of_what_was_done_with_them() -> None:
    """With another version: look whether `_fingerprint` still says this, or is public by now."""
    assert datasets.__version__.startswith("5.2.")
    table, other = (datasets.Dataset.from_dict({"a": rows}) for rows in ([1, 2], [1, 3]))
    same = datasets.Dataset.from_dict({"a": [1, 2]})
    assert fingerprint(table) == fingerprint(same) != fingerprint(other)
    assert fingerprint(table.select([0])) != fingerprint(table)
