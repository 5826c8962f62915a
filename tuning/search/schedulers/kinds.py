"""The kinds of schedulers: another one is a file with its class and a word here."""

from typing import Annotated

from pydantic import Field

from tuning.search.schedulers.asha import AshaSection
from tuning.search.schedulers.none import NoSchedulerSection

SchedulerSection = Annotated[AshaSection | NoSchedulerSection, Field(discriminator="kind")]
"""Which trials end early."""
