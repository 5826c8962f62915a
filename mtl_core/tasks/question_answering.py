"""Question answering: the piece of a context that answers a question, or none."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mtl_core.data.arrays import NO_LABEL
from mtl_core.data.batching import Batch
from mtl_core.data.columns.answers import AnswersColumn
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.layouts.windows import Windows
from mtl_core.data.source import Source
from mtl_core.task_errors import TaskErrors
from mtl_core.tasks.answer_errors import answer_errors
from mtl_core.tasks.answer_scores import answer_f1, exact_match
from mtl_core.tasks.base import Head, Task, TaskSection
from mtl_core.tasks.hidden import Hidden, HiddenSize, gather_positions
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.tasks.outputs import FoundAnswer, Output, TextView, named_cells
from mtl_core.tasks.rescoring import Rescore, ratio
from mtl_core.tasks.row_texts import RowTexts


class QuestionAnswering(TaskSection):
    """Extractive answers with "no answer", from contexts of any length; scored as SQuAD 2.0."""

    pipeline: ClassVar[str | None] = "question-answering"
    at_decoding: ClassVar = ("max_answer", "least_lead")
    kind: Literal["question_answering"] = "question_answering"
    column: str | dict[str, str] = "answers"
    """Column of the answers."""
    overlap: int = Field(default=64, ge=0)
    """Tokens that neighbouring windows of a long context share."""
    max_answer: int = Field(default=30, ge=1)
    """Longest answer, in sub-words."""
    least_lead: Literal["tuned"] | float = "tuned"
    """How far an answer has to be ahead of "no answer", in log-likelihood; `tuned` = that of the
    best F1 on dev."""

    def make_column(self, name: str, column: str) -> AnswersColumn:
        """Returns its column."""
        return AnswersColumn(name, column)

    def layout(self, *, reads_targets: bool) -> Windows:
        """Returns windows over the contexts."""
        return Windows(self.overlap)

    def build(self, name: str, labels: NoLabels) -> "QuestionAnsweringTask":
        """Builds the task."""
        return QuestionAnsweringTask(name, self)


class QuestionAnsweringTask(Task):
    """Exact match and F1 of answers over questions, of which rows are windows; see `Task`."""

    main_score = "f1"

    def __init__(self, name: str, section: QuestionAnswering) -> None:
        self.name = name
        self.labels = NoLabels()
        self._section = section

    def make_head(self, size: HiddenSize) -> Head:
        """Returns a new head."""
        body = self._section.head.build(size.hidden, 2)
        return QuestionAnsweringHead(body, self._section.max_answer)

    def collect(self, outcome: Outcome) -> Outcome:
        """Returns one entry per question whose answers are known, (5,), float64.

        Each is (lead of the likeliest answer over "no answer", its exact match, its F1, the score
        of predicting no answer, whether the question has an answer).
        """
        source = outcome.source
        assert source is not None
        found = zip(candidates(outcome.predicted, source), source.answers, strict=True)
        return Outcome(
            [_judge(answer.text, lead, gold) for (answer, lead), gold in found if gold is not None]
        )

    def calibrate(self, head: Head, outcome: Outcome) -> None:
        """Sets the lead over "no answer" that an answer needs: the one with the best F1 on dev."""
        # (questions, 5) -> five arrays (questions,)
        lead, _, answered, silent, _ = np.stack(outcome.predicted).T
        # Where nothing stands in a context there is nothing to weigh against "no answer".
        is_found = np.isfinite(lead)
        if is_found.any():
            least = best_threshold(lead[is_found], answered[is_found], silent[is_found])
            head.get_buffer("least_lead").fill_(least)

    def _least_lead(self, head: Head) -> float:
        """Returns how far an answer has to be ahead of "no answer"."""
        wanted = self._section.least_lead
        return least_lead(head) if isinstance(wanted, str) else wanted

    def finish(self, head: Head, outcome: Outcome) -> Outcome:
        """Returns one entry per question: (exact match, F1, whether it has an answer)."""
        least = self._least_lead(head)
        return Outcome(
            [
                np.array([exact, f1, has_answer] if lead > least else [silent, silent, has_answer])
                for lead, exact, f1, silent, has_answer in outcome.predicted
            ]
        )

    def score(self, outcome: Outcome) -> dict[str, float]:
        """Returns exact match and F1 over questions, as SQuAD 2.0 defines them.

        Rajpurkar et al. 2018, https://arxiv.org/abs/1806.03822: the best over all right answers,
        after lower-casing and without punctuation and articles; a question without an answer is
        right when nothing is predicted. Also the F1 of either sort of question.
        """
        if not outcome.predicted:
            return {"f1": float("nan"), "exact_match": float("nan")}
        exact, f1, has_answer = np.stack(outcome.predicted).T
        scores = {"f1": float(f1.mean()), "exact_match": float(exact.mean())}
        if has_answer.any():
            scores["has_answer_f1"] = float(f1[has_answer == 1].mean())
        if not has_answer.all():
            scores["no_answer_accuracy"] = float(f1[has_answer == 0].mean())
        return scores

    def rescore(self, outcome: Outcome) -> Rescore:
        """Returns what computes the mean F1 of questions that are drawn anew."""
        return ratio([(f1, 1) for _, f1, _ in outcome.predicted])

    def is_right(self, outcome: Outcome) -> npt.NDArray[np.bool_] | None:
        """Returns None: rows are windows, and only a question as a whole is right."""
        return None

    def errors(self, head: Head, outcome: Outcome, texts: RowTexts) -> TaskErrors:
        """Returns how often a question has no answer and gets one, and the like."""
        assert outcome.source is not None
        said = best_answers(outcome.predicted, outcome.source, self._least_lead(head))
        guesses = ["" if answer is None else answer.text for answer in said]
        return answer_errors(guesses, outcome.predicted, outcome.source, texts)

    def says(
        self, head: Head, rows: Sequence[Decoded], texts: Sequence[TextView], source: Source | None
    ) -> Sequence[Output]:
        """Returns the answer to each question over all its windows, None = it has none."""
        assert source is not None
        return best_answers(rows, source, self._least_lead(head))

    def cells(self, output: Output) -> dict[str, str]:
        """Returns the answer, and in columns of their own where it stands and its probability."""
        keys = ("start", "end", "probability")
        return named_cells({"": "text"} | {f"_{key}": key for key in keys}, output)


class QuestionAnsweringHead(Head):
    """The first and the last token of the answer, each by a softmax over the window."""

    def __init__(self, body: nn.Module, max_answer: int) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("least_lead", torch.zeros(()))
        self._max_answer = max_answer

    def forward(self, hidden: Hidden) -> Tensor:
        """Returns logits of first and last token, (batch, seq, 2); padding has the lowest."""
        logits: Tensor = self.body(hidden.tokens).float()
        # The lowest finite number: minus infinity becomes NaN where it is subtracted from itself.
        is_padding = hidden.batch.attention_mask.unsqueeze(-1) == 0
        return logits.masked_fill(is_padding, torch.finfo(logits.dtype).min)

    def loss_sum(self, logits: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        """Returns the mean cross entropy of both ends, summed over windows; labels (batch, 2)."""
        # (batch, seq, 2) -> (batch * 2, seq): a softmax over the positions, for each end by itself.
        return 0.5 * cross_entropy(
            logits.transpose(1, 2).flatten(0, 1),
            labels.flatten(),
            ignore_index=NO_LABEL,
            reduction="sum",
        )

    def decode(self, logits: Tensor, batch: Batch) -> list[Decoded]:
        """Returns (score of no answer, score of the best answer, first, last token), float64.

        The score of the best answer is -inf where the context has no token, as with one of
        zero-width characters alone.
        """
        scores = torch.log_softmax(logits.float(), dim=1)
        # The first special token stands for "no answer", as first and as last token.
        nothing = scores[:, 0].sum(dim=-1)  # (batch,)
        words = batch.words.is_there.shape[1]
        if not words:
            zero = torch.zeros_like(nothing)
            empty = torch.stack([nothing, zero - torch.inf, zero, zero], dim=1)
            return list(empty.double().cpu().numpy())
        # Words are the tokens of the context: neither question nor special tokens can answer.
        outside = ~batch.words.is_there.unsqueeze(-1)
        inside = gather_positions(scores, batch.words.starts).masked_fill(outside, -torch.inf)
        pairs = inside[:, :, None, 0] + inside[:, None, :, 1]  # (batch, first, last)
        # Only spans that end at or behind their first word, and are short enough.
        band = torch.ones(words, words, dtype=torch.bool, device=pairs.device).triu()
        pairs = pairs.masked_fill(~band.tril(self._max_answer - 1), -torch.inf)
        best, place = pairs.flatten(1).max(dim=1)  # place = first * words + last
        first, last = (
            batch.words.starts.gather(1, number.unsqueeze(1)).squeeze(1)
            for number in (place // words, place % words)
        )
        return list(torch.stack([nothing, best, first, last], dim=1).double().cpu().numpy())


def least_lead(head: nn.Module) -> float:
    """Returns the lead over "no answer" that was learnt from dev; see `best_answers`."""
    return float(head.get_buffer("least_lead"))


def best_answers(
    predicted: Sequence[Decoded], source: Source, least: float = 0.0
) -> list[FoundAnswer | None]:
    """Returns the answer to each question over all its windows, None = it has none.

    Args:
        predicted: What the head decoded, one row per window.
        source: The contexts that the windows are pieces of.
        least: Lead in log-likelihood that an answer needs over "no answer", the threshold of
            Devlin et al. 2019, section 4.3, which SQuAD 2.0 tunes on dev.
    """
    return [answer if lead > least else None for answer, lead in candidates(predicted, source)]


def candidates(predicted: Sequence[Decoded], source: Source) -> list[tuple[FoundAnswer, float]]:
    """Returns the likeliest answer to each question, and its lead over "no answer".

    The lead is that over "no answer" in the window where this is least likely.
    """
    table = np.stack(predicted)  # (windows, 4)
    found: list[tuple[FoundAnswer, float]] = []
    for number, context in enumerate(source.texts):
        rows = source.rows_of(number)
        # Scores of windows compare as they are: each is a log-likelihood of its own window. That of
        # "no answer" is the lowest of all, as with BERT: one window with an answer is enough.
        row = int(rows[int(np.argmax(table[rows, 1]))])
        nothing, best = float(table[rows, 0].min()), float(table[row, 1])
        start, end = source.span(row, int(table[row, 2]), int(table[row, 3]))
        # The softmax of the two scores: e^best / (e^best + e^nothing).
        share = 1 / (1 + np.exp(nothing - best))
        found.append((FoundAnswer(context[start:end], start, end, float(share)), best - nothing))
    return found


def best_threshold(
    leads: npt.NDArray[np.float64],
    answered: npt.NDArray[np.float64],
    silent: npt.NDArray[np.float64],
) -> float:
    """Returns the lead from which on answering gives the highest mean score.

    Args:
        leads: Lead of each question's answer, (questions,).
        answered: Score of each answer, (questions,).
        silent: Score of no answer, (questions,).
    """
    order = np.argsort(-leads, kind="stable")
    # gains[n]: what is won by answering the n questions with the highest leads, and no other.
    gains = np.concatenate([[0.0], np.cumsum((answered - silent)[order])])
    steps = leads[order]
    # Answers with the same lead are given all or none.
    is_cut = np.concatenate([[True], steps[1:] < steps[:-1], [True]])
    count = int(np.argmax(np.where(is_cut, gains, -np.inf)))
    if count == 0:
        return float(steps[0]) + 1.0  # above all leads: none is answered
    below = steps[count] if count < len(steps) else steps[-1] - 2.0  # all are given
    return float((steps[count - 1] + below) / 2)


def _judge(text: str, lead: float, gold: Sequence[str]) -> npt.NDArray[np.float64]:
    """Returns what `QuestionAnsweringTask.collect` says of a question."""
    scores = exact_match(text, gold), answer_f1(text, gold), exact_match("", gold)
    return np.array([lead, *scores, bool(gold)])
