"""Main scores of rows that are drawn anew, by which it is known how sure a score is.

A draw takes as many rows as there are, some of them several times and others not at all (Efron
1979, https://doi.org/10.1214/aos/1176344552). A thousand draws are scored, so most kinds do not go
through the rows again: their scores come from numbers that are summed over rows.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy import sparse

Draws = npt.NDArray[np.float64]
"""How often each row stands in each draw, (draws, rows)."""
Rescore = Callable[[Draws], npt.NDArray[np.float64]]
"""Takes draws, and returns the main score of each, (draws,); NaN where a draw has none."""
Sums = npt.NDArray[np.float64]


def each_draw(score: Callable[[npt.NDArray[np.int64]], float]) -> Rescore:
    """Returns what scores one draw after the other.

    Args:
        score: Takes how often each row stands in a draw, (rows,).
    """
    return lambda draws: np.array([score(one) for one in draws.astype(np.int64)])


def of_sums(parts: npt.ArrayLike, score: Callable[[Sums], float]) -> Rescore:
    """Returns what scores draws by the sums of numbers of their rows.

    Args:
        parts: The numbers of each row, (rows, numbers).
        score: Takes their sums, (numbers,).
    """
    table = np.asarray(parts, dtype=np.float64)
    return lambda draws: np.array([score(sums) for sums in draws @ table])


def where_labelled(rescore: Rescore, is_labelled: npt.NDArray[np.bool_]) -> Rescore:
    """Returns the same, NaN for draws without a row that has labels, (rows,)."""

    def score(draws: Draws) -> npt.NDArray[np.float64]:
        return np.where(draws @ is_labelled > 0, rescore(draws), np.nan)

    return score


def ratio(parts: npt.ArrayLike) -> Rescore:
    """Returns what divides the sum of the first number of each row by that of the second.

    Args:
        parts: (rows, 2).
    """
    table = np.asarray(parts, dtype=np.float64)

    def score(draws: Draws) -> npt.NDArray[np.float64]:
        over, under = (draws @ table).T  # (draws, 2) -> (draws,) each
        return quotient(over, under, otherwise=np.nan)

    return score


def micro_f1(parts: npt.ArrayLike) -> Rescore:
    """Returns what computes F1 over all that was found or is there; 0 where that is nothing.

    Args:
        parts: Of each row how many were found rightly, were found, and are there, (rows, 3).
    """
    table = np.asarray(parts, dtype=np.float64)
    # 2PR / (P + R) with P = right / found and R = right / there.
    found = ratio(np.stack([2 * table[:, 0], table[:, 1] + table[:, 2]], axis=1))
    return lambda draws: np.nan_to_num(found(draws))


def macro_f1(
    predicted: "sparse.csr_array", gold: "sparse.csr_array", *, of_found_alone: bool
) -> Rescore:
    """Returns what computes the mean over labels of F1; that of a label without any is 0.

    Args:
        predicted: How often each label was predicted for each row, 0 or 1, (rows, labels).
        gold: Likewise which labels are right.
        of_found_alone: Whether labels count that stand in the draw, in either; else all do.
    """
    # By products with sparse matrices: there may be many labels, and a row has few of them.
    right = predicted * gold

    def score(draws: Draws) -> npt.NDArray[np.float64]:
        both, either = draws @ right, draws @ predicted + draws @ gold  # (draws, labels) each
        f1 = quotient(2 * both, either, otherwise=0.0)
        count = (either > 0).sum(axis=1) if of_found_alone else np.full(len(f1), f1.shape[1])
        return quotient(f1.sum(axis=1), count, otherwise=np.nan)

    return score


def matthews(predicted: "sparse.csr_array", gold: "sparse.csr_array") -> Rescore:
    """Returns what computes the Matthews correlation; 0 where all rows have one label.

    That of several labels (Gorodkin 2004, https://doi.org/10.1016/j.compbiolchem.2004.09.006), as
    scikit-learn has it.

    Args:
        predicted: Which label was predicted for each row, 1 at one label or none, (rows, labels).
        gold: Likewise which is right.
    """
    right = (predicted * gold).sum(axis=1)

    def score(draws: Draws) -> npt.NDArray[np.float64]:
        guesses, golds = draws @ predicted, draws @ gold  # (draws, labels) each
        count = golds.sum(axis=1)
        over = (draws @ right) * count - (guesses * golds).sum(axis=1)
        spread = [count**2 - (one**2).sum(axis=1) for one in (guesses, golds)]
        found = quotient(over, np.sqrt(spread[0] * spread[1]), otherwise=0.0)
        return np.where(count > 0, found, np.nan)

    return score


def quotient(over: Sums, under: npt.NDArray[np.generic], *, otherwise: float) -> Sums:
    """Returns a quotient number by number, and something else where it would be divided by 0."""
    return np.where(under != 0, over / np.where(under != 0, under, 1), otherwise)


def one_label(ids: npt.NDArray[np.int64], *, labels: int) -> "sparse.csr_array":
    """Returns 1 at the label of each row, (rows, labels); -1 = the row has none."""
    from scipy import sparse

    rows = np.flatnonzero(ids >= 0)
    return sparse.csr_array((np.ones(len(rows)), (rows, ids[rows])), shape=(len(ids), labels))
