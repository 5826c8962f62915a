"""The section `labels` of a data set: how labels as they stand in files become those of tasks."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from mtl_core.section import Section


class LabelRules(Section):
    """How labels are written alike: of classes, of sets of labels, and of the types of tags."""

    strip: bool = False
    """Takes the white space off both ends of a label."""
    lower: bool = False
    """Writes a label in lower case, after `strip`."""
    map: dict[str | int, Annotated[str, Field(min_length=1)] | int] = Field(default_factory=dict)
    """Label, after `strip` and `lower`, -> the label that takes its place."""

    def apply(self, label: str) -> str:
        """Returns what a label of a file is called."""
        cleaned = self.clean(label)
        return self._names.get(cleaned, cleaned)

    def clean(self, label: str) -> str:
        """Returns a label as `map` looks it up."""
        label = label.strip() if self.strip else label
        return label.lower() if self.lower else label

    def unused(self, found: Iterable[str]) -> list[str]:
        """Returns the keys of `map` that are none of the labels, which are those of files."""
        return sorted(self._names.keys() - {self.clean(label) for label in found})

    @property
    def _names(self) -> dict[str, str]:
        # YAML reads a class number as a number.
        return {str(label): str(name) for label, name in self.map.items()}
