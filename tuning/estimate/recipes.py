"""Recipes of a study that stand for all that its sampler may draw."""

from collections.abc import Iterator

import numpy as np
from pydantic import ValidationError

from mtl_core.config import RunConfig
from mtl_core.study_file import override
from tuning.study.config import StudyFile


def typical_recipes(study: StudyFile, count: int) -> Iterator[RunConfig]:
    """Yields the study file's own recipe, then recipes spread evenly over its space.

    Every parameter has its values in each of `count` equal parts of its positions once, in an order
    of its own (McKay et al. 1979, https://doi.org/10.2307/1268522, Latin hypercube sampling): of
    two options each is there as often as the other. Recipes whose values do not go together are
    left out.
    """
    run = study.run.model_dump(mode="json")
    yield study.run
    parameters, space = study.space.parameters, study.space
    generator = np.random.default_rng(study.study.seed)
    orders = {one.name: generator.permutation(count) for one in parameters}
    for number in range(count if parameters else 0):
        point = {
            one.name: one.domain.at((int(orders[one.name][number]) + 0.5) / count)
            for one in parameters
        }
        overrides = space.overrides_of(point)
        assert overrides is not None
        try:
            yield RunConfig.model_validate(override(run, overrides))
        except ValidationError:  # Such a trial fails at once.
            continue
