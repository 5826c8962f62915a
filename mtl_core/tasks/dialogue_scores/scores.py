"""Scores of the replies of dialogues by what their users want, over a whole split."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from mtl_core.data.dialogue_facts import DialogueFacts
from mtl_core.data.source import Source
from mtl_core.errors import DataError
from mtl_core.tasks.dialogue_scores.goals import reached
from mtl_core.tasks.dialogue_scores.richness import richness
from mtl_core.tasks.text_scores import score_texts

GoalScore = Literal["inform", "success", "combined", "richness"]
"""Scores that hold the replies of whole dialogues against the goals of their users."""


def judged(
    source: Source, written: Mapping[int, Sequence[str]], task: str
) -> npt.NDArray[np.float64]:
    """Returns (1, inform, success) at the first row of each dialogue that is judged, else 0.

    A dialogue is judged when its facts are known and all its replies were written; (rows, 3).

    Args:
        source: The dialogues that the rows are pieces of, with their facts.
        written: Row -> the replies that were written.
        task: The task, for errors.

    Raises:
        DataError: A column of facts holds something else.
    """
    found = np.zeros((len(source.of_row), 3))
    pieces: dict[int, list[int]] = {}
    for row, number in enumerate(source.of_row.tolist()):
        pieces.setdefault(number, []).append(row)
    for number, rows in pieces.items():
        if source.facts[number] and all(row in written for row in rows):
            replies = [reply for row in rows for reply in written[row]]
            found[rows[0]] = (1, *reached(_facts(source.facts[number], task), replies))
    return found


def score_goals(
    names: Sequence[GoalScore],
    judgements: Sequence[npt.NDArray[np.generic]],
    written: Sequence[str],
    gold: Sequence[str],
) -> dict[str, float]:
    """Returns score name -> value; NaN where no dialogue is judged.

    `combined` is (inform + success) / 4 + BLEU / 2, in [0, 1]: what papers write as 0.5 (inform +
    success) + BLEU, of 200 at most, is 200 times that. `richness` stands for all scores of
    `richness`.

    Args:
        names: The scores to compute.
        judgements: What `judged` returned of each row.
        written: All replies that were written.
        gold: The right one for each of them.
    """
    sums = np.sum(judgements, axis=0) if len(judgements) else np.zeros(3)
    inform, success = _shares(sums)
    found: dict[str, float] = {}
    for name in names:
        match name:
            case "inform":
                found[name] = inform
            case "success":
                found[name] = success
            case "combined":
                bleu = score_texts(["bleu"], written, gold)["bleu"]
                found[name] = combined_score(sums, bleu)
            case "richness":
                found |= richness(written)
    return found


def combined_score(sums: npt.NDArray[np.float64], bleu: float) -> float:
    """Returns `combined` of summed judgements, (3,); NaN where no dialogue is judged."""
    return sum(_shares(sums)) / 4 + bleu / 2


def _shares(sums: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Returns the shares of dialogues that inform and that succeed."""
    count, informed, succeeded = sums.tolist()
    return (informed / count, succeeded / count) if count else (float("nan"), float("nan"))


def _facts(text: str, task: str) -> DialogueFacts:
    try:
        return DialogueFacts.from_json(text)
    except ValueError as error:
        raise DataError(
            f"run.tasks.{task}.scores: expected facts of a dialogue in the column 'facts', as "
            f"`kind: multiwoz` with `databases` makes them; found {text[:40]}"
        ) from error
