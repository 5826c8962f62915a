"""The kinds of samplers and schedulers: another one is a class in its file and a word here."""

from typing import Annotated

from pydantic import Field

from tuning.search.samplers import RandomSection, TpeSection
from tuning.search.schedulers import AshaSection, NoSchedulerSection

SamplerSection = Annotated[TpeSection | RandomSection, Field(discriminator="kind")]
"""How the points of a study are chosen."""

SchedulerSection = Annotated[AshaSection | NoSchedulerSection, Field(discriminator="kind")]
"""Which trials end early."""
