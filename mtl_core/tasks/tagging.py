"""Tagging: one tag per word; BIO spans (slots, entities) or plain tags (parts of speech)."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mtl_core.data.arrays import NO_LABEL
from mtl_core.data.batching import Batch
from mtl_core.data.columns.base import Gold
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.source import Source
from mtl_core.task_errors import TaskErrors
from mtl_core.tasks.base import Head, Task, TaskSection
from mtl_core.tasks.hidden import Hidden, HiddenSize, gather_positions
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.tasks.outputs import Output, Span, TextView
from mtl_core.tasks.rescoring import Rescore, micro_f1, ratio, where_labelled
from mtl_core.tasks.row_texts import RowTexts
from mtl_core.tasks.spans import bio_spans, scores_by_type, span_scores, without_strays
from mtl_core.tasks.subword_tags import inside_tags, subword_labels, word_of_position
from mtl_core.tasks.tag_errors import span_errors, word_errors
from mtl_core.tasks.viterbi import bio_penalties, viterbi

LOST = -1
"""Predicted id of a word that was cut off: never right."""


class Tagging(TaskSection):
    """One tag per word; BIO tags are scored as whole spans, plain tags by accuracy."""

    pipeline: ClassVar[str | None] = "token-classification"
    at_decoding: ClassVar = ("decoding",)
    kind: Literal["tagging"] = "tagging"
    scheme: Literal["bio", "plain"] = "bio"
    """`bio` = spans in IOB2; `plain` = any tags, such as parts of speech."""
    subwords: Literal["first", "all"] = "first"
    """Which sub-words of a word train; with `all`, in equal parts, and B- becomes I- inside it."""
    decoding: Literal["argmax", "viterbi"] = "argmax"
    """`viterbi` = the best sequence without a step that BIO forbids, such as O to I-."""
    crf: bool = False
    """A conditional random field over the tags of a sentence (Lafferty et al. 2001)."""
    scores_by_type: bool = False
    """Reports precision, recall and F1 of every type as well."""

    @model_validator(mode="after")
    def _check_subwords(self) -> "Tagging":
        if self.crf and self.subwords == "all":
            raise ValueError("crf: a CRF runs over words; it needs subwords: first")
        if self.scheme == "plain" and self.decoding == "viterbi" and not self.crf:
            raise ValueError("decoding: plain tags have no forbidden steps; use argmax")
        return self

    def make_column(self, name: str, column: str) -> TagsColumn:
        """Returns its column."""
        return TagsColumn(name, column, is_bio=self.scheme == "bio")

    def build(self, name: str, labels: LabelNames) -> "TaggingTask":
        """Builds the task for its tags."""
        return TaggingTask(name, labels, self)


class TaggingTask(Task):
    """The tags and scores of words; see `Task`."""

    labels: LabelNames

    def __init__(self, name: str, labels: LabelNames, section: Tagging) -> None:
        self.name = name
        self.labels = labels
        self.is_bio = section.scheme == "bio"
        self.main_score = "f1" if self.is_bio else "accuracy"
        self._section = section

    def make_head(self, size: HiddenSize) -> Head:
        """Returns a new head."""
        tags = self.labels.trained
        body = self._section.head.build(size.hidden, len(tags))
        must_follow = self.is_bio and (self._section.decoding == "viterbi" or self._section.crf)
        penalties = bio_penalties(tags) if must_follow else None
        if self._section.crf:
            return CrfHead(body, len(tags), penalties)
        inside = inside_tags(tags) if self._section.subwords == "all" else None
        return TaggingHead(body, penalties, inside)

    def score(self, outcome: Outcome) -> dict[str, float]:
        """Returns span precision, recall and F1 (seqeval, strict IOB2) and the accuracy of words.

        A span counts when type and both ends are right; one that no words express is missed. In
        strict mode an I- tag that continues nothing (after O, or after another type) is no span,
        and reads as O. So does a word that was cut off: all scores are those of the spans that a
        predictor gives. Plain tags have accuracy and macro F1.
        """
        predicted, gold = outcome.labelled()
        if not gold:
            names = ("f1", "precision", "recall") if self.is_bio else ("macro_f1",)
            return dict.fromkeys((*names, "accuracy"), float("nan"))
        if not self.is_bio:
            return _plain_scores(np.concatenate(gold), np.concatenate(predicted))
        tags = self._span_tags(gold), self._span_tags(predicted)
        precision, recall, f1 = span_scores(*tags)
        # A word in which a span ends has no tag; the span is there, and missed, behind the words.
        is_tagged = np.concatenate(gold) != NO_LABEL
        is_right = np.concatenate(tags[0]) == np.concatenate(tags[1])
        accuracy = float(is_right[is_tagged].mean())
        scores = {"f1": f1, "precision": precision, "recall": recall, "accuracy": accuracy}
        return scores | (scores_by_type(*tags) if self._section.scores_by_type else {})

    def rescore(self, outcome: Outcome) -> Rescore:
        """Returns what computes the main score of rows that are drawn anew."""
        if not self.is_bio:
            pairs = zip(outcome.predicted, outcome.gold, strict=True)
            return ratio(
                [((guess == gold).sum() if len(gold) else 0, len(gold)) for guess, gold in pairs]
            )
        rows = zip(self._span_tags(outcome.predicted), self._span_tags(outcome.gold), strict=True)
        # Of a row without tags nothing counts, what was found there neither.
        spans = [
            (set(bio_spans(guess if gold else ())), set(bio_spans(gold))) for guess, gold in rows
        ]
        parts = [(len(guess & gold), len(guess), len(gold)) for guess, gold in spans]
        return where_labelled(micro_f1(parts), outcome.is_labelled())

    def is_right(self, outcome: Outcome) -> npt.NDArray[np.bool_]:
        """Returns whether each row has all its spans and no other, or all its plain tags."""
        if not self.is_bio:
            return outcome.is_right()
        pairs = zip(self._span_tags(outcome.gold), self._span_tags(outcome.predicted), strict=True)
        return np.array([not gold or guess == gold for gold, guess in pairs], dtype=np.bool_)

    def errors(self, head: Head, outcome: Outcome, texts: RowTexts) -> TaskErrors:
        """Returns which types of spans are missed or taken for which, or which tags of words."""
        rows = [row for row, gold in enumerate(outcome.gold) if len(gold)]
        predicted, gold = outcome.labelled()
        if self.is_bio:
            tags = zip(self._span_tags(gold), self._span_tags(predicted), strict=True)
            return span_errors(dict(zip(rows, tags, strict=True)), texts)
        words = zip(self._word_tags(gold), self._word_tags(predicted), strict=True)
        return word_errors(dict(zip(rows, words, strict=True)), texts)

    def _word_tags(self, rows: Sequence[Decoded]) -> list[list[str | None]]:
        """Returns the tags of rows of ids, None where there is none."""
        names = self.labels.all
        return [[names[tag] if tag >= 0 else None for tag in row.tolist()] for row in rows]

    def _span_tags(self, rows: Sequence[Decoded]) -> list[list[str]]:
        """Returns the tags of rows of ids, O where there is none."""
        names = np.array([*self.labels.all, "O"])  # LOST = -1
        return [without_strays(names[np.maximum(row, LOST)].tolist()) for row in rows]

    def says(
        self, head: Head, rows: Sequence[Decoded], texts: Sequence[TextView], source: Source | None
    ) -> list[Output]:
        """Returns the spans of each text; of plain tags, one per word that was not cut off."""
        return [tuple(self._spans(*pair)) for pair in zip(rows, texts, strict=True)]

    def _spans(self, tags: Decoded, view: TextView) -> Iterator[Span]:
        names = (*self.labels.trained, "O")  # LOST = -1: nothing is predicted there
        plain = ((names[tag], place, place) for place, tag in enumerate(tags) if tag != LOST)
        for type_, first, last in bio_spans([names[tag] for tag in tags]) if self.is_bio else plain:
            start, end = view.words[first][0], view.words[last][1]
            yield Span(type_, start, end, view.text[start:end])


class TaggingHead(Head):
    """Cross entropy over the tags of the train split."""

    def __init__(
        self, body: nn.Module, penalties: Tensor | None, inside: Sequence[int] | None = None
    ) -> None:
        """Makes the head.

        Args:
            body: (..., hidden) -> (..., tags).
            penalties: What `viterbi` adds to every step, see `bio_penalties`; None = argmax.
            inside: Tag id -> tag id of the further sub-words of its word; None = the first
                sub-word alone stands for the word.
        """
        super().__init__()
        self.body = body
        # Neither is saved: both come from the tags, which a saved model has beside it.
        self.register_buffer("penalties", penalties, persistent=False)
        ids = None if inside is None else torch.tensor(inside)
        self.register_buffer("inside", ids, persistent=False)

    def forward(self, hidden: Hidden) -> Tensor:
        """Returns logits, (batch, words, tags); (batch, seq, tags) when all sub-words train."""
        trains_all = self._buffers["inside"] is not None
        return self.body(hidden.tokens if trains_all else hidden.words)  # type: ignore[no-any-return]

    def loss_sum(self, logits: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        """Returns the cross entropy of the logits and tags (batch, words), summed over words.

        When all sub-words train, a word counts as one label, too: its loss is their mean.
        """
        inside = self._buffers["inside"]
        pieces: Tensor | int = 1
        if inside is not None:
            # Each sub-word weighs one over those of its word.
            sizes = (batch.words.ends - batch.words.starts).clamp(min=1)
            pieces = sizes.gather(1, word_of_position(batch)).flatten()  # (batch * seq,)
            labels = subword_labels(labels, batch, inside)  # (batch, words) -> (batch, seq)
        losses = cross_entropy(
            logits.float().flatten(0, -2), labels.flatten(), ignore_index=NO_LABEL, reduction="none"
        )
        return (losses / pieces).sum()

    def decode(self, logits: Tensor, batch: Batch) -> list[Decoded]:
        """Returns the tag ids of each row, (words,); `LOST` for words that were cut off."""
        if self._buffers["inside"] is not None:
            # (batch, seq, tags) -> (batch, words, tags): the first sub-word speaks for the word.
            logits = gather_positions(logits, batch.words.starts)
        penalties = self._buffers["penalties"]
        if penalties is None:
            best = logits.argmax(dim=-1)  # (batch, words)
        else:
            # Viterbi adds scores along a sentence, so they have to be log-probabilities.
            scores = torch.log_softmax(logits.float(), dim=-1)
            best = viterbi(scores, batch.words.is_there, penalties)
        return tag_rows(best, batch)


class CrfHead(Head):
    """The negative log-likelihood of a linear-chain CRF (pytorch-crf), decoded by Viterbi."""

    def __init__(self, body: nn.Module, num_tags: int, penalties: Tensor | None) -> None:
        super().__init__()
        from torchcrf import CRF

        self.body = body
        self.crf = CRF(num_tags, batch_first=True)
        # Added in decoding only: the loss learns its own transitions, these merely forbid some.
        free = torch.zeros(num_tags + 1, num_tags)
        self.register_buffer("penalties", free if penalties is None else penalties, False)

    def forward(self, hidden: Hidden) -> Tensor:
        """Returns the scores of single tags, (batch, words, tags)."""
        return self.body(hidden.words)  # type: ignore[no-any-return]

    def loss_sum(self, logits: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        """Returns the negative log-likelihood of the tags (batch, words), summed over rows."""
        mask = labels != NO_LABEL  # (batch, words)
        rows = mask.any(dim=1)
        # Words without a tag are stepped over: tagged ones come first, in their order.
        order = (~mask).int().argsort(dim=1, stable=True)
        mask, labels = mask.gather(1, order), labels.gather(1, order)
        logits = logits.gather(1, order[..., None].expand_as(logits))
        # Without a labelled row every parameter still takes part, with a gradient of 0.
        own: list[Tensor] = [p.sum() for p in self.crf.parameters()]
        nothing = torch.stack([logits.float().sum(), *own]).sum() * 0
        if not rows.any():
            return nothing
        # Only labelled rows: pytorch-crf refuses one whose first word is masked. Masked words need
        # a valid tag id all the same.
        scores, tags = logits.float()[rows], labels[rows].clamp(min=0)
        likelihood: Tensor = self.crf(scores, tags, mask=mask[rows], reduction="sum")
        return nothing - likelihood

    def decode(self, logits: Tensor, batch: Batch) -> list[Decoded]:
        """Returns the tag ids of each row, (words,); `LOST` for words that were cut off."""
        # (tags + 1, tags): row 0 is the step from the start, as `viterbi` reads it.
        steps = torch.cat([self.crf.start_transitions[None], self.crf.transitions])
        best = viterbi(logits.float(), batch.words.is_there, steps + self.get_buffer("penalties"),
                       self.crf.end_transitions)  # fmt: skip
        return tag_rows(best, batch)


def _plain_scores(gold: Gold, predicted: Decoded) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, f1_score

    # `LOST` is no tag: it makes words wrong, and has no F1 of its own in the mean.
    known = np.union1d(gold, predicted[predicted != LOST])
    macro = f1_score(gold, predicted, labels=known, average="macro", zero_division=0.0)
    return {"accuracy": float(accuracy_score(gold, predicted)), "macro_f1": float(macro)}


def tag_rows(best: Tensor, batch: Batch) -> list[Decoded]:
    """Cuts the padding off tag ids (batch, words) and marks the words that were cut off."""
    # Words that are cut off count as words of their row: they are there in the gold tags, too.
    tags = torch.where(batch.words.is_there, best, LOST).cpu().numpy()
    return [row[:count] for row, count in zip(tags, batch.words.counts.tolist(), strict=True)]
