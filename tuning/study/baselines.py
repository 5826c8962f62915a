"""Baselines of a study: each task that counts alone, to tell what sharing brings it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from mtl_core.section import Section


class Baselines(Section, ABC):
    """Base of all kinds."""

    kind: str
    """The kind of baselines."""
    are_run: ClassVar[bool] = True
    """Whether there are any."""
    are_searched: ClassVar[bool] = True
    """Whether a task alone is searched as the study is; it is then compared with the study's best
    recipe, else with the study file's own."""

    @abstractmethod
    def limits(self, study: Mapping[str, object]) -> dict[str, object]:
        """Returns the keys of `study` that say how much is tried for a task alone.

        Args:
            study: The study's own `study` section, as plain data.
        """


class NoBaselines(Baselines):
    """There are none."""

    kind: Literal["none"] = "none"
    are_run: ClassVar[bool] = False

    def limits(self, study: Mapping[str, object]) -> dict[str, object]:
        """Returns nothing."""
        return {}


class DefaultBaselines(Baselines):
    """The study file's own recipe, of each task alone."""

    kind: Literal["default"] = "default"
    are_searched: ClassVar[bool] = False

    def limits(self, study: Mapping[str, object]) -> dict[str, object]:
        """Returns that there is one trial, and nothing to end it early."""
        return {"trials": 1, "hours": None, "total_epochs": None, "patience": None}


class TunedBaselines(Baselines):
    """The best recipe of a search for each task alone, which is that of the study.

    What of the search is about other tasks, or about how tasks share, is left out.
    """

    kind: Literal["tuned"] = "tuned"
    trials: int | None = Field(default=None, ge=1)
    """Recipes to try for each task; null = as many as the study tries."""

    def limits(self, study: Mapping[str, object]) -> dict[str, object]:
        """Returns the limits of the study, with trials of its own where it has any."""
        kept = {key: study[key] for key in ("hours", "total_epochs", "patience")}
        return {"trials": self.trials or study["trials"], **kept}


def _as_section(value: Any) -> Any:
    return {"kind": str(value)} if isinstance(value, str) else value


BaselinesSection = Annotated[
    NoBaselines | DefaultBaselines | TunedBaselines,
    Field(discriminator="kind"),
    BeforeValidator(
        _as_section,
        json_schema_input_type=Literal["none", "default", "tuned"]
        | Annotated[NoBaselines | DefaultBaselines | TunedBaselines, Field(discriminator="kind")],
    ),
]
"""The kinds; the bare word of a kind stands for its section."""
