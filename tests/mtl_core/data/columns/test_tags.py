"""Tags: which are BIO."""

import pytest

from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.example import Example
from mtl_core.errors import DataError

SLOTS = TagsColumn("slots", "slots", is_bio=True)


@pytest.mark.parametrize("tag", ["X-y", "B", "B-", "I--", "B--y", "I-y-", "o"])
def test_tags_that_are_not_bio_are_refused(tag: str) -> None:
    splits = {name: [Example(("x",), {"slots": (tag,)})] for name in ("train", "dev")}
    with pytest.raises(DataError, match=rf"task 'slots' holds the tag '{tag}'; allowed are BIO"):
        SLOTS.collect(splits, where="d")


@pytest.mark.parametrize("tag", ["O", "B-y", "I-y", "B-a-b", "I-a b", "B-é"])
def test_tags_that_are_bio_are_taken(tag: str) -> None:
    splits = {name: [Example(("x",), {"slots": (tag,)})] for name in ("train", "dev")}
    assert tag in SLOTS.collect(splits, where="d").trained
