"""The kinds of weightings; adding one = its file, its word here, its row in the tests."""

from typing import Annotated

from pydantic import Field

from mtl_core.weighting.aligned_mtl import AlignedMtlSection
from mtl_core.weighting.cagrad import CaGradSection
from mtl_core.weighting.dwa import DwaSection
from mtl_core.weighting.fairgrad import FairGradSection
from mtl_core.weighting.famo import FamoSection
from mtl_core.weighting.fixed import FixedSection
from mtl_core.weighting.geometric_mean import GeometricMeanSection
from mtl_core.weighting.graddrop import GradDropSection
from mtl_core.weighting.gradnorm import GradNormSection
from mtl_core.weighting.gradvac import GradVacSection
from mtl_core.weighting.imtl_g import ImtlGSection
from mtl_core.weighting.imtl_l import ImtlLSection
from mtl_core.weighting.mgda import MgdaSection
from mtl_core.weighting.nash import NashSection
from mtl_core.weighting.pcgrad import PcGradSection
from mtl_core.weighting.random import RandomSection
from mtl_core.weighting.stch import StchSection
from mtl_core.weighting.uncertainty import UncertaintySection
from mtl_core.weighting.upgrad import UpGradSection

WeightingSection = Annotated[
    FixedSection
    | UncertaintySection
    | DwaSection
    | RandomSection
    | GeometricMeanSection
    | ImtlLSection
    | StchSection
    | FamoSection
    | GradNormSection
    | PcGradSection
    | CaGradSection
    | UpGradSection
    | MgdaSection
    | GradVacSection
    | GradDropSection
    | AlignedMtlSection
    | FairGradSection
    | ImtlGSection
    | NashSection,
    Field(discriminator="kind"),
]
