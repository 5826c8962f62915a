"""What of a study's scheduler would have no effect, told before anything starts."""

import logging

from tuning.search.schedulers.base import Extent
from tuning.study.config import StudyFile

logger = logging.getLogger(__name__)


def tell_doubts(study: StudyFile) -> None:
    """Logs what the scheduler could not do in this study; once per command, as `tell_notes`."""
    if study.search:
        extent = Extent(study.trials, study.max_epochs)
        for line in study.study.scheduler.doubts(extent):
            logger.warning("%s", line)
