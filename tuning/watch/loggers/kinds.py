"""The kinds of loggers: another one is a file with its class and a word here."""

from typing import Annotated

from pydantic import AfterValidator, Field

from tuning.watch.loggers.mlflow import MlflowSection
from tuning.watch.loggers.wandb import WandbSection

LoggerSection = Annotated[MlflowSection | WandbSection, Field(discriminator="kind")]
"""Where runs are logged beside the study folder."""


def _each_once(loggers: tuple[LoggerSection, ...]) -> tuple[LoggerSection, ...]:
    for number, one in enumerate(loggers):
        if one in loggers[:number]:
            raise ValueError(f"the same logger stands there twice: {one.kind}")
    return loggers


Loggers = Annotated[tuple[LoggerSection, ...], AfterValidator(_each_once)]
"""All loggers of a study."""
