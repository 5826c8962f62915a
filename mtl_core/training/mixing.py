"""Mixing: which data set each step of an epoch draws from.

An epoch means the same for all kinds: as many steps as it takes to show every training row once,
so kinds are compared at equal compute. Where a data set is drawn more often than its size asks
for, its rows come round again; where less, some rows are left out of that epoch.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mtl_core.section import Section

Shares = npt.NDArray[np.float64]
"""Share of the steps that each data set gets, (data sets,); they add up to 1."""


class Proportional(Section):
    """Every row once an epoch; the batches of all data sets are shuffled together."""

    kind: Literal["proportional"] = "proportional"


class Uniform(Section):
    """As many steps for every data set, however small."""

    kind: Literal["uniform"] = "uniform"

    def shares(self, sizes: Shares, epoch: int, epochs: int, moved: Shares | None) -> Shares:
        """Returns the share of the steps of each data set."""
        return np.full(len(sizes), 1 / len(sizes))


class Temperature(Section):
    """Shares in proportion to size^(1 / temperature).

    Raffel et al. 2020, https://arxiv.org/abs/1910.10683, section 3.5.2: 1 is proportional, a high
    temperature nearly uniform.
    """

    kind: Literal["temperature"] = "temperature"
    temperature: float = Field(default=2.0, ge=1)
    """How far from proportional; 1 = proportional."""

    def shares(self, sizes: Shares, epoch: int, epochs: int, moved: Shares | None) -> Shares:
        """Returns the share of the steps of each data set."""
        return powers(sizes, 1 / self.temperature)


class Annealed(Section):
    """Shares in proportion to size^a, with a falling from 1 towards uniform over the epochs.

    Stickland and Murray 2019, https://arxiv.org/abs/1902.02671: a = 1 - fall (e - 1) / (E - 1).
    """

    kind: Literal["annealed"] = "annealed"
    fall: float = Field(default=0.8, ge=0, le=1)
    """How much lower the exponent is in the last epoch; 1 = uniform there."""

    def shares(self, sizes: Shares, epoch: int, epochs: int, moved: Shares | None) -> Shares:
        """Returns the share of the steps of each data set."""
        return powers(sizes, 1 - self.fall * (epoch - 1) / max(1, epochs - 1))


class RoundRobin(Section):
    """The data sets in turn, step by step."""

    kind: Literal["round_robin"] = "round_robin"


class Joint(Section):
    """A micro-batch of every data set in each step and one update; together `batch_size` rows."""

    kind: Literal["joint"] = "joint"


class Progress(Section):
    """More of the data sets whose dev scores still move.

    Learning progress as the signal of a curriculum (Graves et al. 2017,
    https://arxiv.org/abs/1704.03003), measured as the change of main dev scores between the last
    two epochs. Proportional until there are two.
    """

    kind: Literal["progress"] = "progress"
    floor: float = Field(default=0.3, ge=0, le=1)
    """Part of the steps that stays proportional to size, so that no data set is dropped."""

    def shares(self, sizes: Shares, epoch: int, epochs: int, moved: Shares | None) -> Shares:
        """Returns the share of the steps of each data set."""
        by_size = powers(sizes, 1.0)
        if moved is None or moved.sum() == 0:
            return by_size
        return np.asarray(self.floor * by_size + (1 - self.floor) * moved / moved.sum())


MixingSection = Annotated[
    Proportional | Uniform | Temperature | Annealed | RoundRobin | Joint | Progress,
    Field(discriminator="kind"),
]


def powers(sizes: Shares, exponent: float) -> Shares:
    """Returns shares in proportion to sizes^exponent."""
    scaled = np.power(sizes, exponent)
    return np.asarray(scaled / scaled.sum())


def quotas(shares: Shares, total: int) -> npt.NDArray[np.int64]:
    """Returns whole numbers in the ratio of the shares that add up to `total`.

    By largest remainder: less noise than a draw for every step. Every data set gets at least one
    step when there are enough.
    """
    exact = shares * total
    counts = np.floor(exact).astype(np.int64)
    least = 1 if total >= len(shares) else 0
    counts = np.maximum(counts, least)
    while counts.sum() > total:
        counts[int(np.argmax(np.where(counts > least, counts - exact, -np.inf)))] -= 1
    while counts.sum() < total:
        counts[int(np.argmax(exact - counts))] += 1
    return counts


def movement(
    datasets: Mapping[str, Sequence[str]], main_scores: Sequence[Mapping[str, float]]
) -> Shares | None:
    """Returns how much the dev scores of each data set moved between the last two epochs.

    Args:
        datasets: Data set -> its tasks.
        main_scores: Task -> main dev score, of each epoch so far.

    Returns:
        Mean absolute change over the tasks of each data set, (data sets,); None before there are
        two epochs.
    """
    if len(main_scores) < 2:
        return None
    before, now = main_scores[-2], main_scores[-1]
    changes = [
        [abs(now[task] - before[task]) for task in tasks if task in now and task in before]
        for tasks in datasets.values()
    ]
    return np.array([float(np.nan_to_num(np.mean(c))) if c else 0.0 for c in changes])
