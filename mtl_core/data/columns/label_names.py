"""What is known of a column's labels before any row is encoded: names, moments, or nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np


class Labels(Protocol):
    """The labels of a task over all splits of its data sets.

    Trained labels come first in the numbering: a head has one output for each of them, so that the
    ids of unseen labels lie beyond its outputs.
    """

    @property
    def trained(self) -> tuple[str, ...]:
        """Names that the model can predict; none where labels have no names."""

    @property
    def unseen(self) -> tuple[str, ...]:
        """Names that only dev or test hold; never predicted, so they count as wrong."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every name; the position is the label id."""

    @property
    def frequencies(self) -> Mapping[str, int]:
        """Name -> how often it stands in the train split."""

    @classmethod
    def merge(cls, parts: Sequence[Any]) -> Any:
        """Joins the labels of several data sets, each of this class."""

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Any:
        """Reads what `to_json` returned."""

    def with_found(self, found: Any) -> Any:
        """Returns these, with what stands only in `found`, of this class, as unseen."""

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""


def _plain(
    trained: Sequence[str] = (),
    unseen: Sequence[str] = (),
    counts: Sequence[int] = (),
    mean: float = 0.0,
    deviation: float = 0.0,
) -> dict[str, Any]:
    # One form for all kinds: it is hashed into the content of a data set, which runs remember, and
    # stands in every saved model.
    return {"trained": trained, "unseen": unseen, "counts": counts, "mean": mean,
            "deviation": deviation}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LabelNames:
    """Labels that have names.

    Attributes:
        trained: Labels of the train split, sorted; the model can predict these.
        unseen: Labels that only dev or test hold, sorted; their ids follow those of `trained`.
        counts: How often each trained label stands in the train split.
    """

    trained: tuple[str, ...]
    unseen: tuple[str, ...]
    counts: tuple[int, ...] = ()

    @classmethod
    def collect(
        cls, splits: Mapping[str, Iterable[str]], always: frozenset[str] = frozenset()
    ) -> "LabelNames":
        """Counts the labels of all splits.

        Args:
            splits: Split name -> the label of every row or word.
            always: Labels that count as trained even where the train split lacks them.
        """
        found = {split: Counter(labels) for split, labels in splits.items()}
        every = set().union(*found.values())
        # Sorted, so that the numbering does not depend on the order of the rows.
        trained = sorted(set(found["train"]) | always)
        counts = tuple(found["train"][label] for label in trained)
        return cls(tuple(trained), tuple(sorted(every - set(trained))), counts)

    @classmethod
    def merge(cls, parts: Sequence["LabelNames"]) -> "LabelNames":
        """Joins the names of several data sets: what one of them trains is trained in all."""
        counts: Counter[str] = Counter()
        for part in parts:
            counts.update(part.frequencies)
        trained = tuple(sorted({label for part in parts for label in part.trained}))
        unseen = {label for part in parts for label in part.unseen} - set(trained)
        return cls(trained, tuple(sorted(unseen)), tuple(counts[label] for label in trained))

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "LabelNames":
        """Reads what `to_json` returned."""
        trained, unseen = (tuple(map(str, plain[key])) for key in ("trained", "unseen"))
        return cls(trained, unseen, tuple(plain["counts"]))

    def with_found(self, found: "LabelNames") -> "LabelNames":
        """Returns these, with the labels that only `found` has as unseen."""
        return replace(self, unseen=tuple(sorted(set(found.all) - set(self.trained))))

    @property
    def all(self) -> tuple[str, ...]:
        """Every label; the position is the label id."""
        return self.trained + self.unseen

    @property
    def frequencies(self) -> Mapping[str, int]:
        """Label -> how often it stands in the train split."""
        # Names without counts, the default, have no frequencies; otherwise each has one.
        return dict(zip(self.trained, self.counts, strict=bool(self.counts)))

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return _plain(self.trained, self.unseen, self.counts)


class _Nameless:
    """What labels without names share: empty lists of names."""

    __slots__ = ()

    @property
    def trained(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    def unseen(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    def all(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    @property
    def frequencies(self) -> Mapping[str, int]:
        """Nothing."""
        return {}


@dataclass(frozen=True, slots=True)
class Moments(_Nameless):
    """The mean and standard deviation of a column of numbers, which standardise its targets.

    Attributes:
        rows: Rows of the train split that have a number.
        mean: Their mean, in the unit of the data.
        deviation: Their standard deviation, divided by n and not by n - 1; 0 when all are equal.
    """

    rows: int
    mean: float
    deviation: float

    def with_found(self, found: "Moments") -> "Moments":
        """Returns these: they are those of what the model was trained on."""
        return self

    @classmethod
    def merge(cls, parts: Sequence["Moments"]) -> "Moments":
        """Returns the moments of the rows of several data sets together."""
        if len(parts) == 1:
            return parts[0]  # as it is, without the rounding of a mean of one
        sizes = np.array([part.rows for part in parts], dtype=np.float64)
        means = np.array([part.mean for part in parts])
        mean = float(np.average(means, weights=sizes))
        # The variance of the whole is the mean variance of the parts plus that of their means, both
        # weighted by rows: s^2 = sum n_i (s_i^2 + (m_i - m)^2) / sum n_i.
        squares = np.array([part.deviation**2 for part in parts]) + (means - mean) ** 2
        deviation = float(np.sqrt(np.average(squares, weights=sizes)))
        return cls(int(sizes.sum()), mean, deviation)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Moments":
        """Reads what `to_json` returned."""
        return cls(sum(plain["counts"]), plain["mean"], plain["deviation"])

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return _plain(counts=(self.rows,), mean=self.mean, deviation=self.deviation)


@dataclass(frozen=True, slots=True)
class NoLabels(_Nameless):
    """For columns that have no labels to number: places in a text, or the text itself."""

    def with_found(self, found: "NoLabels") -> "NoLabels":
        """Returns no labels."""
        return self

    @classmethod
    def merge(cls, parts: Sequence["NoLabels"]) -> "NoLabels":
        """Returns no labels."""
        return cls()

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "NoLabels":
        """Returns no labels."""
        return cls()

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return _plain()
