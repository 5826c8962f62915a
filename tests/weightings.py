"""What the weightings of both sorts are tested with."""

from pydantic import TypeAdapter

from mtl_core.weighting.kinds import WeightingSection

KINDS: TypeAdapter[WeightingSection] = TypeAdapter(WeightingSection)
GRADIENT_KINDS = [
    "gradnorm", "pcgrad", "cagrad", "upgrad", "mgda", "gradvac", "graddrop", "aligned_mtl",
    "fairgrad", "imtl_g", "nash",
]  # fmt: skip
ONES = {"intent": 1.0, "slots": 1.0, "topic": 1.0}
LOSSES = {"intent": 2.0, "slots": 3.0, "topic": 0.5}
