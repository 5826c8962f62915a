"""The kinds of samplers: another one is a file with its class and a word here."""

from typing import Annotated

from pydantic import Field

from tuning.search.samplers.cma_es import CmaEsSection
from tuning.search.samplers.gp import GpSection
from tuning.search.samplers.grid import GridSection
from tuning.search.samplers.imported import ImportedSection
from tuning.search.samplers.nsga2 import Nsga2Section
from tuning.search.samplers.nsga3 import Nsga3Section
from tuning.search.samplers.qmc import QmcSection
from tuning.search.samplers.random import RandomSection
from tuning.search.samplers.tpe import TpeSection

SamplerSection = Annotated[
    TpeSection
    | RandomSection
    | GpSection
    | CmaEsSection
    | QmcSection
    | GridSection
    | Nsga2Section
    | Nsga3Section
    | ImportedSection,
    Field(discriminator="kind"),
]
"""How the points of a study are chosen."""
