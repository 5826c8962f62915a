"""What the weightings of both sorts are tested with."""

from typing import get_args

from pydantic import TypeAdapter

from mtl_core.weighting.base import GradientWeighting
from mtl_core.weighting.kinds import WeightingSection

KINDS: TypeAdapter[WeightingSection] = TypeAdapter(WeightingSection)
ONES = {"intent": 1.0, "slots": 1.0, "topic": 1.0}
LOSSES = {"intent": 2.0, "slots": 3.0, "topic": 0.5}
ALL_KINDS: list[str] = [
    section.model_fields["kind"].default for section in get_args(get_args(WeightingSection)[0])
]
GRADIENT_KINDS = [
    kind
    for kind in ALL_KINDS
    if isinstance(KINDS.validate_python({"kind": kind}).build(ONES, seed=0), GradientWeighting)
]
