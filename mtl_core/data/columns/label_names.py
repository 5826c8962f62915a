"""What is known of a column's labels before any row is encoded: names, moments, or nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class Labels(Protocol):
    """The labels of a task over all splits of its data sets."""

    @property
    def trained(self) -> tuple[str, ...]:
        """Names that the model can predict; none where labels have no names."""

    @property
    def unseen(self) -> tuple[str, ...]:
        """Names that only dev or test hold; they count as wrong."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every name; the position is the label id."""

    @property
    def frequencies(self) -> Mapping[str, int]:
        """Name -> how often it stands in the train split."""

    def to_json(self) -> dict[str, Any]:
        """Returns plain values, which `Column.labels_from` reads."""


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
        unseen: Labels that only dev or test hold; they follow in the numbering, count as wrong.
        counts: How often each trained label stands in the train split.
    """

    trained: tuple[str, ...]
    unseen: tuple[str, ...]
    counts: tuple[int, ...] = ()

    @classmethod
    def collect(
        cls, splits: Mapping[str, Iterable[str]], always: frozenset[str] = frozenset()
    ) -> "LabelNames":
        """Counts the labels of all splits; those of `always` can be predicted in any case."""
        found = {split: Counter(labels) for split, labels in splits.items()}
        every = set().union(*found.values())
        trained = sorted(set(found["train"]) | always)
        counts = tuple(found["train"][label] for label in trained)
        return cls(tuple(trained), tuple(sorted(every - set(trained))), counts)

    @classmethod
    def merge(cls, parts: Sequence["LabelNames"]) -> "LabelNames":
        """Joins those of several data sets: what one trains is trained in all."""
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

    @property
    def all(self) -> tuple[str, ...]:
        """Every label; the position is the label id."""
        return self.trained + self.unseen

    @property
    def frequencies(self) -> Mapping[str, int]:
        """Label -> how often it stands in the train split."""
        return dict(zip(self.trained, self.counts, strict=bool(self.counts)))

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return _plain(self.trained, self.unseen, self.counts)


class _Nameless:
    """What labels without names have in common."""

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
    """Numbers, by what standardises them.

    Attributes:
        rows: Rows of the train split that have one.
        mean: Their mean.
        deviation: Their standard deviation.
    """

    rows: int
    mean: float
    deviation: float

    @classmethod
    def merge(cls, parts: Sequence["Moments"]) -> "Moments":
        """Returns the moments of the rows of several data sets together."""
        if len(parts) == 1:
            return parts[0]
        sizes = np.array([part.rows for part in parts], dtype=np.float64)
        means = np.array([part.mean for part in parts])
        mean = float(np.average(means, weights=sizes))
        # The variance of the whole is the mean variance of the parts plus that of their means.
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
    """Nothing to know: places in a text, or the text itself."""

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return _plain()
