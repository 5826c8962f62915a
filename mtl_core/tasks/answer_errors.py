"""Where answers to questions are wrong: given where there is none, missed, or others."""

from collections.abc import Sequence

from mtl_core.data.source import Source
from mtl_core.error_counts import Tally, worst_rows
from mtl_core.task_errors import TaskErrors, WrongRow
from mtl_core.tasks.answer_scores import answer_f1, exact_match
from mtl_core.tasks.outcome import Decoded
from mtl_core.tasks.row_texts import RowTexts

_ANSWER, _NONE = "an answer", "no answer"
_PART, _ELSEWHERE = "another, with words of it", "another"
"""What is said of an answer that is not the right one."""


def answer_errors(
    guesses: Sequence[str], windows: Sequence[Decoded], source: Source, texts: RowTexts
) -> TaskErrors:
    """Returns how often a question has no answer and gets one, and the like.

    Args:
        guesses: The answer to each question, "" = none was given.
        windows: (score of no answer, score of the best answer, ...) of each window.
        source: The questions that the windows are of.
        texts: The texts of the windows.
    """
    tally, wrong = Tally(), dict[int, float]()
    for number, (guess, gold) in enumerate(zip(guesses, source.answers, strict=True)):
        if gold is None:
            continue
        f1, is_exact = answer_f1(guess, gold), bool(exact_match(guess, gold))
        right, given = (_ANSWER if text else _NONE for text in (gold, guess))
        # Of an article alone nothing is left to compare: it is as good as no answer.
        is_other = not is_exact and right == given
        note = (_PART if f1 else _ELSEWHERE) if is_other else ""
        tally.count(right, right if is_exact else given, note)
        if not is_exact:
            wrong[number] = 1 - f1

    def show(number: int) -> WrongRow:
        # The window with the likeliest answer.
        row = max(source.rows_of(number).tolist(), key=lambda row: float(windows[row][1]))
        gold = " / ".join(dict.fromkeys(source.answers[number] or ()))
        shown = gold or f"({_NONE})", guesses[number] or f"({_NONE})"
        return WrongRow(texts.example(row), texts.row(row), *shown, 0.0)

    return TaskErrors(
        rows=sum(gold is not None for gold in source.answers), unit="questions", wrong=len(wrong),
        measure="1 - F1", worst=worst_rows(wrong, show), labels=tally.tables("answer"),
    )  # fmt: skip
