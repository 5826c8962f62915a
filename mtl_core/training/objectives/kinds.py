"""The kinds of objectives: another one is a file with its class and a word here."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, TypeAdapter

from mtl_core.training.objectives.geometric_mean import GeometricMean
from mtl_core.training.objectives.joint_accuracy import JointAccuracy
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.objectives.minimum import Minimum
from mtl_core.training.objectives.pareto import Pareto
from mtl_core.training.objectives.relative_gain import RelativeGain

ObjectiveSection = Annotated[
    Mean | GeometricMean | Minimum | JointAccuracy | Pareto | RelativeGain,
    Field(discriminator="kind"),
]
"""By which scores on dev epochs and runs are compared."""


def objective_of(plain: Mapping[str, object]) -> ObjectiveSection:
    """Returns the objective that was dumped as plain data."""
    found: ObjectiveSection = TypeAdapter(ObjectiveSection).validate_python(plain)
    return found
