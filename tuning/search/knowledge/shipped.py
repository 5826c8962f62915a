"""The priors that come with the project: what is known to work; `shipped.yaml` has the sources."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat, TypeAdapter
from ruamel.yaml import YAML

from mtl_core.section import Section
from tuning.records import Value
from tuning.space.domains import Domain, is_number
from tuning.space.parameters import Parameter
from tuning.space.priors import NormalPrior, OptionsPrior, Prior

_STEPS = 1_000
"""Optimiser steps that `likely` is for."""
_FEWEST, _MOST = 50, 50_000
"""Steps beyond which nothing is known: fewer or more change a prior no further."""


class Shipped(Section):
    """What is known of a key; the comment at the head of `shipped.yaml` says what fields mean."""

    key: str
    """Dotted key of `run`, in which * is any one name."""
    when: dict[str, tuple[Value, ...]] = Field(default_factory=dict)
    """Other keys of the recipe -> the values with which it holds."""
    likely: float | Annotated[dict[int, float], Field(min_length=2)] | None = None
    """The likeliest value, or millions of parameters of the encoder -> the likeliest value."""
    tenfold: PositiveFloat = 1.0
    """Factor of it for ten times as many steps."""
    times: Annotated[float, Field(gt=1)] | None = None
    """One standard deviation, as a factor."""
    plus: PositiveFloat | None = None
    """One standard deviation, as a distance."""
    odds: dict[str, PositiveFloat] = Field(default_factory=dict)
    """Option -> how likely it is, relative to those that are not named."""
    unit: str
    """Of the value."""
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    """Where it is from."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the likeliest values hang on.

    Attributes:
        possible: Dotted key of `run` -> the values that recipes of the study may have there.
        parameters: Of the encoder, above 0.
        steps: Optimiser steps of a run, above 0.
    """

    possible: Mapping[str, Collection[object]]
    parameters: int
    steps: int


@cache
def known_priors() -> Sequence[Shipped]:
    """Returns all that is known."""
    text = files("tuning.search.knowledge").joinpath("shipped.yaml").read_text(encoding="utf-8")
    return TypeAdapter(tuple[Shipped, ...]).validate_python(YAML(typ="safe").load(text))


@dataclass(frozen=True, slots=True)
class Said:
    """The prior of a parameter, and what it says.

    Attributes:
        name: The parameter.
        prior: The prior.
        text: What it says, for people.
    """

    name: str
    prior: Prior
    text: str


def shipped_priors(parameters: Iterable[Parameter], setting: Setting) -> Iterator[Said]:
    """Yields the priors of the parameters of which something is known."""
    for parameter in parameters:
        fitting = (one for one in known_priors() if fnmatchcase(parameter.name, one.key))
        known = next((one for one in fitting if _holds(one, setting)), None)
        if known is None:
            continue
        likely = likely_value(known, setting)
        if likely is None:
            found = _of_labels(known.odds, parameter.domain.options)
        elif parameter.domain.bounds is None:
            found = _of_numbers(known, likely, parameter.domain.options)
        else:
            found = _of_range(known, likely, parameter.domain)
        if found is not None:
            yield Said(parameter.name, found, _text(known, likely))


def _holds(known: Shipped, setting: Setting) -> bool:
    possible = {key: setting.possible.get(key, ()) for key in known.when}
    return all(
        found and all(value in known.when[key] for value in found)
        for key, found in possible.items()
    )


def likely_value(known: Shipped, setting: Setting) -> float | None:
    """Returns the likeliest value of a key; None where only odds are known."""
    if known.likely is None:
        return None
    steps = min(max(setting.steps, _FEWEST), _MOST)
    factor = float(known.tenfold ** math.log10(steps / _STEPS))
    if isinstance(known.likely, float):
        return known.likely * factor
    sizes = sorted(known.likely)
    logs = [math.log(known.likely[size]) for size in sizes]
    # `interp` holds the ends beyond them.
    at = np.interp(math.log(setting.parameters / 1e6), np.log(sizes), logs)
    return math.exp(float(at)) * factor


def _of_range(known: Shipped, likely: float, domain: Domain) -> Prior:
    """Returns a normal prior on the scale of a range; from outside of it at its nearer end."""
    above = likely * known.times if known.times else likely + (known.plus or 0)
    below = likely / known.times if known.times else max(likely - (known.plus or 0), likely / 100)
    # Positions go on beyond both ends of a range.
    centre, spread = domain.position(likely), domain.position(above) - domain.position(below)
    return NormalPrior(min(max(centre, 0.0), 1.0), spread / 2)


def _of_numbers(known: Shipped, likely: float, options: Sequence[Value]) -> Prior | None:
    """Returns a prior over options that are numbers, by how far each is from the likeliest."""
    if not all(is_number(option) for option in options):
        return None
    far = [_deviations(known, likely, option) for option in options if is_number(option)]
    nearest = min(far)
    odds = [math.exp(0.5 * (nearest**2 - one**2)) for one in far]
    # Never 0: what is far off may still be drawn.
    return _shared([max(one, 1e-3) for one in odds])


def _deviations(known: Shipped, likely: float, number: float) -> float:
    """Returns how many standard deviations a number is off."""
    if known.plus is not None:
        return abs(number - likely) / known.plus
    return abs(math.log(max(number, 1e-12) / likely)) / math.log(known.times or 2)


def _of_labels(odds: Mapping[str, float], options: Sequence[Value]) -> Prior | None:
    found = [odds.get(str(option), 1.0) for option in options]
    return _shared(found) if len(set(found)) > 1 else None


def _shared(odds: Sequence[float]) -> Prior:
    return OptionsPrior(tuple(one / sum(odds) for one in odds))


def _text(known: Shipped, likely: float | None) -> str:
    if likely is None:
        return ", ".join(f"{name} {odds:g} times as likely" for name, odds in known.odds.items())
    spread = (
        f"times or divided by {known.times:g}" if known.times else f"give or take {known.plus:g}"
    )
    return f"about {likely:.2g}, {spread}"
