"""The part `search` of a study file: what to try for each key, and the points to try first."""

from collections.abc import Callable
from typing import Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from mtl_core.section import Section
from tuning.space.space import Entry, Space

_TRY = "try"


class Search(Section):
    """What varies: dotted key of `run` -> what to try there; nothing = only the default recipe."""

    # Its keys are those of `run`, which are dotted and many.
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Entry] = Field(init=False)
    points: Literal["auto"] | tuple[dict[str, object], ...] = Field(default=(), alias=_TRY)
    """Points that run right after the default recipe, in this order: dotted keys -> values; what
    one leaves out is drawn. `auto` = some that priors make likely, your own or what is known to
    work."""

    @property
    def listed(self) -> tuple[dict[str, object], ...]:
        """The points to try first, as far as the study file lists them."""
        return () if self.points == "auto" else self.points

    @property
    def tries_likely(self) -> bool:
        """Whether points that priors make likely are tried first."""
        return self.points == "auto"

    @property
    def entries(self) -> dict[str, Entry]:
        """Dotted key of `run`, or a name for several -> what to try there."""
        return self.__pydantic_extra__

    def split(self, belongs: Callable[[str], bool]) -> tuple[dict[str, Entry], dict[str, Entry]]:
        """Returns the entries of which all keys that they set belong to a part, and the others.

        Args:
            belongs: Whether a dotted key of `run` does.
        """
        parts: tuple[dict[str, Entry], dict[str, Entry]] = {}, {}
        for key, entry in self.entries.items():
            parts[not all(map(belongs, entry.build(key, key).targets()))][key] = entry
        return parts

    @property
    def space(self) -> Space:
        """All that is searched, built anew at each call."""
        return Space(self.entries)

    @model_serializer(mode="wrap")
    def _as_written(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Returns entries and points under the names that a study file has for them."""
        found: dict[str, object] = dump(self)
        points = found.pop(_TRY, None) or found.pop("points", None)
        return {**found, **({_TRY: points} if points else {})}
