"""Reads the final scores that services are told from the result of a study."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mtl_core.scores import ScoreTree, flatten
from tuning.watch.loggers.final_table import FinalRow, FinalTable

if TYPE_CHECKING:
    from tuning.study.finals import FinalRecipe, Finals
    from tuning.study.gains import Baselines
    from tuning.study.result import Result


def final_table(result: "Result") -> FinalTable:
    """Returns the final scores: those of the final stage where there is one, and of baselines."""
    finals = result.finals
    rows = _of_search(result) if finals is None else _of_finals(finals)
    return FinalTable(result.status, (*rows, *_of_baselines(result.baselines or {})))


def _of_search(result: "Result") -> Iterator[FinalRow]:
    for role, one in (("best", result.best), ("default", result.default)):
        if one is not None:
            yield from _rows(one.trial, role, "dev", one.dev)
            yield from _rows(one.trial, role, "test", one.test)


def _rows(recipe: str, role: str, split: str, scores: ScoreTree | None) -> Iterator[FinalRow]:
    for name, value in flatten(scores, "/").items():
        yield FinalRow(recipe, role, split, name, value)


def _of_finals(finals: "Finals") -> Iterator[FinalRow]:
    for recipe in finals.recipes:
        for split, scores in (("dev", recipe.dev), ("test", recipe.test or {})):
            for name, one in scores.items():
                yield FinalRow(
                    recipe.id, _role(recipe, finals), split, name, one.mean, one.low, one.high,
                    one.count,
                )  # fmt: skip


def _of_baselines(baselines: "Baselines") -> Iterator[FinalRow]:
    for one in baselines.values():
        for split, sides in (("dev", one.dev), ("test", one.test)):
            if sides is not None and one.score is not None:
                alone = sides.alone
                yield FinalRow(
                    one.folder, "alone", split, one.score, alone.mean, alone.low, alone.high,
                    alone.count,
                )  # fmt: skip


def _role(recipe: "FinalRecipe", finals: "Finals") -> str:
    # The default may be the best or the second as well; it is that first.
    roles = (("best", finals.best), ("default", finals.default), ("second", finals.second))
    return next((role for role, one in roles if one is recipe), "")
