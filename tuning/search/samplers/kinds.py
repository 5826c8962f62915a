"""The kinds of samplers: another one is a file with its class and a word here."""

from typing import Annotated

from pydantic import Field

from tuning.search.samplers.random import RandomSection
from tuning.search.samplers.tpe import TpeSection

SamplerSection = Annotated[TpeSection | RandomSection, Field(discriminator="kind")]
"""How the points of a study are chosen."""
