"""Figures of the section on scores by parameter: slices, contours, parallel coordinates."""

from collections.abc import Iterator, Sequence

from tuning.records import TrialRecord
from tuning.report.figures.parameters import Scales, groups, pairs
from tuning.report.figures.slices import slice_of
from tuning.report.figures.together import contour, parallel
from tuning.report.html.drawable import Drawable
from tuning.report.html.drawn import Drawn

_SLICES, _CONTOURS, _AXES = 12, 4, 10
"""How many are drawn, those of the most important parameters."""
_LEAST_IN_CONTOUR = 20
"""Trials under which a contour misleads: ten for each of its two parameters, as designs of computer
experiments have (Loeppky et al. 2009, https://doi.org/10.1198/TECH.2009.08040).

Simulated with one hill at random and noise of a third of its spread: of 20 trials the surface has
at least 0.63 of the variance of the hill in nine of ten studies, of 10 trials 0.31, of 6 nothing.
"""
_LEAST_TRIALS = 3
"""Trials that ran to their end under which figures of all parameters show nothing."""
_FAMILIES = (("tasks.", "task_weights", "weighting"), ("optimizer.",), ("freezing",))
"""How the keys of what this project searches begin: weights, learning rates, freezing."""


def parameters(study: Drawable) -> Iterator[Drawn]:
    """Yields slices, contours and parallel coordinates over what a study varied."""
    ran = _to_the_end(study)
    names = study.names
    for name in names[:_SLICES]:
        yield Drawn(
            name,
            slice_of(study.ranked, name, scales=study.scales),
            f"Best score on dev of each trial by its {name}; grey: not trained to the end.",
        )
    if len(ran) < _LEAST_TRIALS:
        return
    yield from _contours(ran, _first_of_families(names), study.scales)
    if len(names) > 1:
        shown = names[: _AXES - 1]
        yield Drawn(
            "All at once",
            parallel(ran, shown, scales=study.scales),
            "A line is a trial that ran to its end, the bluer and thicker the higher its score; "
            "each axis is that score or one of its parameters.",
            min_width=110 * (len(shown) + 2),
            is_wide=True,
        )


def contour_notes(study: Drawable) -> list[str]:
    """Returns a line that says why there are no contours, where two parameters could have some."""
    ran = _to_the_end(study)
    if not pairs(ran, study.names, least=1) or pairs(ran, study.names, least=_LEAST_IN_CONTOUR):
        return []
    return [
        "There are no contours of two parameters: too few trials ran to their end with both. From "
        f"{_LEAST_IN_CONTOUR} on, ten for each of the two, what lies between the trials is more "
        "than a guess."
    ]


def _to_the_end(study: Drawable) -> list[TrialRecord]:
    return [
        record for record in study.ranked if record.status == "complete" and record.best is not None
    ]


def _contours(ran: Sequence[TrialRecord], names: Sequence[str], scales: Scales) -> Iterator[Drawn]:
    """Yields contours of the first pairs of numbers, and of the first by the first choice."""
    shown = pairs(ran, names, least=_LEAST_IN_CONTOUR)
    drawn = [(pair, "", ran) for pair in shown[:_CONTOURS]]
    choice = next((name for name in names if groups(ran, name)), None)
    if shown and choice is not None:
        drawn += [
            (shown[0], f", {choice} {value}", some)
            for value, some in list(groups(ran, choice).items())[:_CONTOURS]
            if pairs(some, shown[0], least=_LEAST_IN_CONTOUR)
        ]
    for (first, second), which, some in drawn:
        yield Drawn(
            f"{first} and {second}{which}",
            contour(some, first, second, among=ran, scales=scales),
            "Score on dev, the bluer the higher, between the trials that ran to their end (dots); "
            "far from them it is a guess.",
        )


def _first_of_families(names: Sequence[str]) -> list[str]:
    """Returns the most important of weights, rates and freezing, then the others."""
    firsts = [
        next((name for name in names if name.startswith(family)), None) for family in _FAMILIES
    ]
    return list(dict.fromkeys([*(name for name in firsts if name is not None), *names]))
