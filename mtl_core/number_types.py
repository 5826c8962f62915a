"""Types of the numbers in files that a study keeps; `mtl_core.kept` checks files against them."""

import math
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

KEPT = ConfigDict(extra="forbid", allow_inf_nan=False)
"""`__pydantic_config__` of what is kept in files: no key but its own, and finite numbers."""

Count = Annotated[int, Field(ge=0, le=2**53)]
"""How many; no more than a float counts exactly."""
Seconds = Annotated[float, Field(ge=0, le=1e12)]
"""A length of time."""


def _nan_of_null(value: object) -> object:
    return math.nan if value is None else value


Score = Annotated[float, Field(allow_inf_nan=True), BeforeValidator(_nan_of_null)]
"""A number that may be NaN, for which JSON has null; infinite in files of old versions."""
