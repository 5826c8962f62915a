"""The kinds of loss and gradient weightings."""

from typing import Annotated

from pydantic import Field

from mtl_core.weighting.gradients import (
    AlignedMtl,
    CaGrad,
    FairGrad,
    GradDrop,
    GradVac,
    ImtlG,
    Mgda,
    Nash,
    PcGrad,
    UpGrad,
)
from mtl_core.weighting.gradnorm import GradNorm
from mtl_core.weighting.losses import (
    Dwa,
    Famo,
    Fixed,
    GeometricMeanLoss,
    ImtlL,
    Random,
    Stch,
    Uncertainty,
)

WeightingSection = Annotated[
    Fixed
    | Uncertainty
    | Dwa
    | Random
    | GeometricMeanLoss
    | ImtlL
    | Stch
    | Famo
    | GradNorm
    | PcGrad
    | CaGrad
    | UpGrad
    | Mgda
    | GradVac
    | GradDrop
    | AlignedMtl
    | FairGrad
    | ImtlG
    | Nash,
    Field(discriminator="kind"),
]
