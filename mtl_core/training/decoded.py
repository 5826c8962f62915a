"""What a search over the settings that are read at decoding alone has found for a trained model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Judged:
    """What the half of dev that did not choose says of the best settings of the other half.

    Attributes:
        rows: Its examples.
        before: The objective there with the run's own settings.
        after: The objective there with the best ones.
    """

    __pydantic_config__ = KEPT

    rows: Count
    before: Score
    after: Score


@dataclass(frozen=True, slots=True)
class Taken:
    """Settings that take the place of the run's own.

    Attributes:
        settings: Dotted key of `run` -> value.
        parameters: Name -> value, as people are shown it.
        own: The run's own settings, as people are shown them.
        dev: The scores on all of dev with them.
        joint_accuracy: The joint accuracy, likewise.
        combined: The objective, likewise.
    """

    __pydantic_config__ = KEPT

    settings: Mapping[str, object]
    parameters: Mapping[str, Scalar]
    own: Mapping[str, Scalar]
    dev: dict[str, dict[str, Score]]
    joint_accuracy: Score
    combined: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a search over settings of decoding has found; see `search_decoding`.

    Attributes:
        number: The report whose model it was searched on.
        searched: What was searched, as a hash.
        tried: All that was tried, in order.
        judged: What was said of the best that was tried; None = nothing was better than the run's
            own settings on the half that chooses.
        taken: The settings that are taken; None = the run's own stay.
        seconds: Wall time of the search.
    """

    __pydantic_config__ = KEPT

    number: Count
    searched: str
    tried: Sequence[Tried] = ()
    judged: Judged | None = None
    taken: Taken | None = None
    seconds: Seconds = 0.0


def as_tree(taken: Taken) -> dict[str, float | Mapping[str, float]]:
    """Returns the scores on all of dev as `result.json` has them."""
    return {"combined": taken.combined, "joint_accuracy": taken.joint_accuracy, **taken.dev}
