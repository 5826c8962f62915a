"""What `mtl.json` of a saved model holds: its schema, and that it belongs to the run beside it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mtl_core.config import Name, RunConfig
from mtl_core.data.words import Words
from mtl_core.errors import ConfigError
from mtl_core.model.autocast import Precision
from mtl_core.model_folder import META, RUN
from mtl_core.untrusted import read_settings
from mtl_core.validation import validate_data

_MOST_FEATURES = 2**20
_MOST_SUBWORDS = 2**30
"""What tokenizers without a limit of their own are taken for; see `longest_input`."""

Whole = Annotated[int, Field(strict=True, ge=0)]
"""A whole number, written as one: neither "3" nor 3.0 nor true."""
Number = Annotated[float, Field(strict=True)]


class _Part(BaseModel):
    """A part of the file: no key too many, no key too few, and no number that is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SavedTask(_Part):
    """What is known of a task: what it reads, and its labels, in the one form of all kinds."""

    kind: str
    """Its kind, for readers: `run.yaml` says which it is."""
    features: Annotated[Whole, Field(le=_MOST_FEATURES)]
    """Extra dense numbers that its head sees."""
    parts: tuple[Annotated[int, Field(strict=True, ge=1, le=2)], ...]
    """Parts that the texts of its data sets had; see `count_parts`."""
    trained: tuple[str, ...]
    """Names that the model can predict, in the order of the head's outputs."""
    unseen: tuple[str, ...]
    """Names beyond those, which only dev or test had; a saved model has none."""
    counts: tuple[Whole, ...]
    """How often each trained name stood in train; of numbers how many there were."""
    mean: Number
    deviation: Annotated[Number, Field(ge=0)]
    """Moments of the numbers of a regression, in the unit of the data."""

    @model_validator(mode="after")
    def _check_parts(self) -> "SavedTask":
        if sorted(set(self.parts)) != list(self.parts) or not self.parts:
            raise ValueError(f"parts: expected [1], [2] or [1, 2], found {list(self.parts)[:9]}")
        return self

    @model_validator(mode="after")
    def _check_names(self) -> "SavedTask":
        names = self.trained + self.unseen
        if len(set(names)) < len(names):
            raise ValueError("trained: a label stands twice")
        # Names may be without counts, and numbers have one count without a name.
        allowed = (0, len(self.trained) or 1)
        if len(self.counts) not in allowed:
            raise ValueError(
                f"counts: expected {len(self.trained)}, one for each label, "
                f"found {len(self.counts)}"
            )
        return self


class SavedJoins(_Part):
    """What stays together where every mark would cut; see `Joins`."""

    parting: str
    before: str
    after: str
    spaces: str
    whole: tuple[str, ...]


class SavedCut(_Part):
    """How the texts of a data set are cut into words; see `Cut`."""

    words: Words
    joins: SavedJoins | None


class SavedMeta(_Part):
    """The file: all that a model needs beside its run and its weights."""

    format: Whole
    """Version of the folder, `FORMAT`."""
    max_length: Annotated[Whole, Field(ge=8, le=_MOST_SUBWORDS)]
    """Longest row, in sub-words, special tokens included."""
    precision: Precision
    """What the run computed in."""
    tasks: dict[Name, SavedTask]
    """Task name -> what is known of it."""
    cuts: dict[Name, SavedCut]
    """Data set name -> how its texts are cut into words."""
    base: str | None = None
    """Hash of the weights that adapters belong to; None = the model has weights of its own."""


def read_meta(folder: Path, config: RunConfig) -> SavedMeta:
    """Returns what `mtl.json` says.

    Args:
        folder: Folder of the model.
        config: Its run.

    Raises:
        ConfigError: The file cannot be read, holds something else, or belongs to another run.
    """
    path = folder / META
    try:
        meta = validate_data(read_settings(path), SavedMeta, where=str(path))
    except ConfigError as error:
        # Nobody writes it by hand, to mend one mistake after the other.
        first, *more = str(error).split("\n")
        raise ConfigError(f"{first} (and {len(more)} more)" if more else first) from error
    _check_names(meta.tasks, config.tasks, f"{path}: tasks")
    _check_names(meta.cuts, config.datasets, f"{path}: cuts")
    return meta


def _check_names(found: Mapping[str, object], expected: Iterable[str], where: str) -> None:
    if found.keys() != set(expected):
        raise ConfigError(
            f"{where}: expected {', '.join(expected)} as in {RUN}; "
            f"found {', '.join(found) or 'none'}"
        )
