"""The kinds of objectives: another one is a file with its class and a word here."""

from typing import Annotated

from pydantic import Field

from mtl_core.training.objectives.geometric_mean import GeometricMean
from mtl_core.training.objectives.joint_accuracy import JointAccuracy
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.objectives.minimum import Minimum
from mtl_core.training.objectives.pareto import Pareto

ObjectiveSection = Annotated[
    Mean | GeometricMean | Minimum | JointAccuracy | Pareto, Field(discriminator="kind")
]
"""By which scores on dev epochs and runs are compared."""
