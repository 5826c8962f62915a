"""The kinds of schedulers: another one is a file with its class and a word here."""

from typing import Annotated

from pydantic import Field

from tuning.search.schedulers.asha import AshaSection
from tuning.search.schedulers.hyperband import HyperbandSection
from tuning.search.schedulers.median import MedianSection
from tuning.search.schedulers.none import NoSchedulerSection
from tuning.search.schedulers.pareto_asha import ParetoAshaSection
from tuning.search.schedulers.pasha import PashaSection
from tuning.search.schedulers.pbt import PbtSection

SchedulerSection = Annotated[
    AshaSection
    | HyperbandSection
    | MedianSection
    | NoSchedulerSection
    | ParetoAshaSection
    | PashaSection
    | PbtSection,
    Field(discriminator="kind"),
]
"""Which trials end early."""
