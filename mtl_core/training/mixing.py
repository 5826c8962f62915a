"""Mixing: which data sets each step of an epoch draws from.

An epoch means the same for all kinds: as many steps as it takes to show every training row once,
so kinds are compared at equal compute. Where a data set is drawn more often than its size asks
for, its rows come again; where less often, some rows are left out of that epoch.

A kind says how many rows a step takes of a data set (`batch_sizes`), and from which data sets each
step takes them (`steps`); `mtl_core.training.plan` deals the rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mtl_core.data.arrays import Int64Array
from mtl_core.section import Section

Shares = npt.NDArray[np.float64]
"""Share of the steps that each data set gets, (data sets,); they add up to 1."""


@dataclass(frozen=True, slots=True)
class EpochToMix:
    """What a kind of mixing knows of an epoch.

    Attributes:
        number: The epoch, from 1.
        epochs: Epochs of the whole run.
        sizes: Data set -> rows that train.
        tasks: Data set -> names of its tasks that train.
        batch_size: Rows of a step.
        main_scores: Task -> main dev score, of each epoch so far.
    """

    number: int
    epochs: int
    sizes: Mapping[str, int]
    tasks: Mapping[str, Sequence[str]]
    batch_size: int
    main_scores: Sequence[Mapping[str, float]]

    @property
    def batches(self) -> Int64Array:
        """Batches that show every row of a data set once, (data sets,)."""
        # Rounded up: the last batch may be smaller.
        return np.array([-(-size // self.batch_size) for size in self.sizes.values()])

    @property
    def steps(self) -> int:
        """Steps of the epoch."""
        return int(self.batches.sum())


class Mixing(Section, ABC):
    """Base of all kinds."""

    def batch_sizes(self, epoch: EpochToMix) -> Int64Array:
        """Returns how many rows a step takes of each data set that it draws from, (data sets,)."""
        return np.full(len(epoch.sizes), epoch.batch_size)

    @abstractmethod
    def steps(self, epoch: EpochToMix, generator: np.random.Generator) -> Iterable[Sequence[int]]:
        """Returns for each of the `epoch.steps` steps the numbers of the data sets it draws from.

        Args:
            epoch: The epoch.
            generator: Source of the order; the rows themselves are drawn from it afterwards.
        """


class Shuffled(Mixing):
    """Base of kinds that give each data set a number of steps, and shuffle these."""

    @abstractmethod
    def counts(self, epoch: EpochToMix) -> Int64Array:
        """Returns the steps of each data set, (data sets,)."""

    def steps(self, epoch: EpochToMix, generator: np.random.Generator) -> Iterable[Sequence[int]]:
        """Returns one data set for each step, in random order."""
        counts = self.counts(epoch)
        # Exact counts in random order, not draws with the counts as probabilities.
        return [[n] for n in generator.permutation(np.repeat(np.arange(len(counts)), counts))]


class Shared(Shuffled):
    """Base of kinds that give each data set a share of the steps."""

    @abstractmethod
    def shares(self, epoch: EpochToMix) -> Shares:
        """Returns the share of the steps of each data set."""

    def counts(self, epoch: EpochToMix) -> Int64Array:
        """Returns the steps of each data set, (data sets,)."""
        return quotas(self.shares(epoch), epoch.steps)


class Proportional(Shuffled):
    """Every row once per epoch; the batches of all data sets are shuffled together."""

    kind: Literal["proportional"] = "proportional"

    def counts(self, epoch: EpochToMix) -> Int64Array:
        """Returns the batches that show every row once, (data sets,)."""
        return epoch.batches


class Uniform(Shared):
    """The same number of steps for every data set, however small."""

    kind: Literal["uniform"] = "uniform"

    def shares(self, epoch: EpochToMix) -> Shares:
        """Returns the share of the steps of each data set."""
        return np.full(len(epoch.sizes), 1 / len(epoch.sizes))


class Temperature(Shared):
    """Shares in proportion to size^(1 / temperature).

    Raffel et al. 2020, https://arxiv.org/abs/1910.10683, section 3.5.2: 1 is proportional, a high
    temperature nearly uniform.
    """

    kind: Literal["temperature"] = "temperature"
    temperature: float = Field(default=2.0, ge=1)
    """How far from proportional; 1 = proportional."""

    def shares(self, epoch: EpochToMix) -> Shares:
        """Returns the share of the steps of each data set."""
        return powers(epoch.sizes, 1 / self.temperature)


class Annealed(Shared):
    """Shares in proportion to size^a, with a falling from 1 towards uniform over the epochs.

    Stickland and Murray 2019, https://arxiv.org/abs/1902.02671: a = 1 - fall (e - 1) / (E - 1).
    """

    kind: Literal["annealed"] = "annealed"
    fall: float = Field(default=0.8, ge=0, le=1)
    """How much lower the exponent is in the last epoch; 1 = uniform there."""

    def shares(self, epoch: EpochToMix) -> Shares:
        """Returns the share of the steps of each data set."""
        # `max` is for a run of one epoch: a is 1 there, instead of 0 / 0.
        return powers(epoch.sizes, 1 - self.fall * (epoch.number - 1) / max(1, epoch.epochs - 1))


class RoundRobin(Mixing):
    """One data set after the other, in turn, one per step."""

    kind: Literal["round_robin"] = "round_robin"

    def steps(self, epoch: EpochToMix, generator: np.random.Generator) -> Iterable[Sequence[int]]:
        """Returns the data sets in turn; nothing is drawn."""
        return [[number % len(epoch.sizes)] for number in range(epoch.steps)]


class Joint(Mixing):
    """Every data set in each step, for one update; together `batch_size` rows."""

    kind: Literal["joint"] = "joint"

    def batch_sizes(self, epoch: EpochToMix) -> Int64Array:
        """Returns equal shares of the batch; the largest data sets get what is left over."""
        # Stable, so that all workers deal alike where two data sets are of the same size.
        order = np.argsort([-size for size in epoch.sizes.values()], kind="stable")
        share, more = divmod(epoch.batch_size, len(order))
        sizes = np.full(len(order), share)
        sizes[order[:more]] += 1
        # With more data sets than rows in a batch, a step has more rows than `batch_size`.
        return np.asarray(np.maximum(sizes, 1), dtype=np.int64)

    def steps(self, epoch: EpochToMix, generator: np.random.Generator) -> Iterable[Sequence[int]]:
        """Returns all data sets for every step; nothing is drawn."""
        return [range(len(epoch.sizes))] * epoch.steps


class Progress(Shared):
    """More of the data sets whose dev scores still move.

    Learning progress as the signal of a curriculum (Graves et al. 2017,
    https://arxiv.org/abs/1704.03003), measured as the change of main dev scores between the last
    two epochs. Proportional until there are two.
    """

    kind: Literal["progress"] = "progress"
    floor: float = Field(default=0.3, ge=0, le=1)
    """Part of the steps that stays proportional to size, so that no data set is dropped."""

    def shares(self, epoch: EpochToMix) -> Shares:
        """Returns the share of the steps of each data set."""
        # share_d = floor size_d / sum_j size_j + (1 - floor) moved_d / sum_j moved_j
        by_size, moved = powers(epoch.sizes, 1.0), movement(epoch.tasks, epoch.main_scores)
        if moved is None or moved.sum() == 0:
            return by_size
        return np.asarray(self.floor * by_size + (1 - self.floor) * moved / moved.sum())


MixingSection = Annotated[
    Proportional | Uniform | Temperature | Annealed | RoundRobin | Joint | Progress,
    Field(discriminator="kind"),
]


def powers(sizes: Mapping[str, int], exponent: float) -> Shares:
    """Returns shares in proportion to sizes^exponent."""
    scaled = np.power(np.array(list(sizes.values()), dtype=np.float64), exponent)
    return np.asarray(scaled / scaled.sum())


def quotas(shares: Shares, total: int) -> npt.NDArray[np.int64]:
    """Returns whole numbers in the ratio of the shares that add up to `total`.

    By largest remainder: less noise than a draw for every step. Every data set gets at least one
    step when there are enough.
    """
    exact = shares * total  # (data sets,)
    counts = np.floor(exact).astype(np.int64)
    # A data set without a step would not train at all, and have no dev score that moves.
    least = 1 if total >= len(shares) else 0
    counts = np.maximum(counts, least)
    # Only after raising to `least`: steps go back where a count is most above its exact share.
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
    # Tasks without a score in one of the epochs, or with NaN for one, count as if nothing moved.
    changes = [
        [abs(now[task] - before[task]) for task in tasks if task in now and task in before]
        for tasks in datasets.values()
    ]
    return np.array([float(np.nan_to_num(np.mean(c))) if c else 0.0 for c in changes])
