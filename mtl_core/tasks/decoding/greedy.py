"""Greedy decoding: always the likeliest token."""

from collections.abc import Mapping
from typing import Any, Literal

from mtl_core.tasks.decoding.base import Decoding


class Greedy(Decoding):
    """The likeliest token, each time."""

    kind: Literal["greedy"] = "greedy"

    def own_settings(self) -> Mapping[str, Any]:
        """Returns nothing: it is what `generate` does when nothing else is set."""
        return {}
