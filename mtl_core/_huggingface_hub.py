"""Private parts of `huggingface_hub` 2.4 and `datasets` 5.2: being offline for a while."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def offline() -> Iterator[None]:
    """Has all libraries that load from the hub look only in their caches, as HF_HUB_OFFLINE does.

    The variable itself is read once, when they are imported.
    """
    from huggingface_hub import constants

    # `datasets` keeps a copy; where it is imported later it copies what stands here.
    places: list[Any] = [constants, *filter(None, [sys.modules.get("datasets.config")])]
    before = [place.HF_HUB_OFFLINE for place in places]
    try:
        for place in places:
            place.HF_HUB_OFFLINE = True
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = value
