"""Points that cover a space more evenly than random ones."""

from typing import Literal

from tuning.records import Value
from tuning.space.space import Space

Sequence = Literal["sobol", "halton"]


def even_point(space: Space, index: int, *, seed: int, sequence: Sequence) -> dict[str, Value]:
    """Returns a point of a scrambled sequence (Owen 1998, https://doi.org/10.1145/285861.285863).

    Every parameter that can occur has a dimension of its own, also what stands inside of a choice
    of sections.

    Args:
        space: What is sampled.
        index: Number of the point, from 0.
        seed: Of the sequence; that of the study, so that all its trials have points of one.
        sequence: `sobol` is most even after 16, 32, 64, ... points, `halton` alike after any.
    """
    from scipy.stats import qmc

    sequences = {"sobol": qmc.Sobol, "halton": qmc.Halton}
    points = sequences[sequence](len(space.parameters), scramble=True, seed=seed)
    if index:
        points.fast_forward(index)
    [shares] = points.random(1)
    return {
        one.name: one.domain.at(float(share))
        for one, share in zip(space.parameters, shares, strict=True)
    }
