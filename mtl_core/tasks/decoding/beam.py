"""Beam search: the likeliest texts side by side, of which the best one stays."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from mtl_core.tasks.decoding.base import Decoding


class Beam(Decoding):
    """Several texts at once, each going on with its likeliest tokens; the best of them is taken."""

    kind: Literal["beam"] = "beam"
    beams: int = Field(default=4, ge=2)
    """Texts that are kept side by side."""
    length_penalty: float = 1.0
    """Power of the length by which the log-probability of a text is divided; above 1 = longer."""

    @property
    def width(self) -> int:
        """The number of beams."""
        return self.beams

    def own_settings(self) -> Mapping[str, Any]:
        """Returns the number of beams and how finished texts are compared."""
        # Not `early_stopping`: it would end at the first `beams` finished texts, good or not.
        return {
            "num_beams": self.beams,
            "length_penalty": self.length_penalty,
            "early_stopping": False,
        }
