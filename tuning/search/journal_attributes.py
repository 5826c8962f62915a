"""What a search keeps of its trials in Optuna's journal, beside what Optuna itself keeps."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from mtl_core.number_types import KEPT, Count, Score, Seconds
from tuning.records import Value


class _TakenOver(BaseModel):
    """That a trial went on from the checkpoint of another, and with what."""

    model_config = KEPT
    number: Count
    donor: str
    overrides: dict[str, Any]
    parameters: dict[str, Value]


class TrialAttribute(BaseModel):
    """What `tuning.search.points` keeps of a trial, one key at a time."""

    model_config = KEPT
    overrides: dict[str, Any] = {}
    parameters: dict[str, Value] = {}
    taken_over: list[_TakenOver] = []
    reports: Count = 0
    epochs: Seconds = 0.0
    sampled: bool = False
    scores: dict[str, dict[str, Score]] = {}
    told: Annotated[list[float], Field(min_length=2)] | None = None
    joint_accuracy: Score = 0.0
