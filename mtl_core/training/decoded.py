"""What a search over the settings that are read at decoding alone has found for a trained model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from mtl_core.number_types import KEPT, Count, Score, Seconds

Scalar = str | int | float | bool | None
"""A value of a setting, as it is drawn and shown."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Settings that were tried on a trained model.

    Attributes:
        point: Name of a parameter -> value as it is drawn; which settings it stands for, the space
            that was searched knows.
        gain: How much better the objective was with them than with the run's own settings, on the
            half of dev that chooses; NaN = it was no number.
    """

    __pydantic_config__ = KEPT

    point: Mapping[str, Scalar]
    gain: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a search over settings of decoding has found; see `search_decoding`.

    Attributes:
        number: The report whose model it was searched on.
        space: What was searched, as a hash.
        tried: All that was tried, in order.
        settings: Dotted key of `run` -> value that is taken; {} = the run's own stay.
        parameters: Name -> the same, as people are shown it.
        rows: Examples of the half of dev that judges.
        before: The objective there with the run's own settings.
        after: The objective there with the best ones of the other half.
        dev: The scores on all of dev with what is taken; {} where the run's own stay.
        joint_accuracy: The joint accuracy, likewise.
        combined: The objective, likewise.
        seconds: Wall time of the search.
    """

    __pydantic_config__ = KEPT

    number: Count
    space: str
    tried: tuple[Tried, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    rows: Count = 0
    before: Score = math.nan
    after: Score = math.nan
    dev: dict[str, dict[str, Score]] = field(default_factory=dict)
    joint_accuracy: Score = math.nan
    combined: Score = math.nan
    seconds: Seconds = 0.0

    @property
    def is_taken(self) -> bool:
        """Whether other settings than the run's own are taken."""
        return bool(self.settings)
