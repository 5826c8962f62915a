"""Causal language modelling: running text without labels, each token foreseen from those before."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.columns.target import TargetColumn
from mtl_core.data.layouts.running_text import RunningText
from mtl_core.data.source import Source
from mtl_core.errors import ConfigError
from mtl_core.task_errors import TaskErrors
from mtl_core.tasks.base import Head, Task, TaskSection
from mtl_core.tasks.hidden import HiddenSize
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.tasks.outputs import Output, TextView
from mtl_core.tasks.rescoring import Rescore, ratio
from mtl_core.tasks.row_texts import RowTexts
from mtl_core.tasks.text_scores import score_tokens
from mtl_core.tasks.token_losses import token_errors
from mtl_core.tasks.writer_head import WriterHead


class CausalLm(TaskSection):
    """Foresees each sub-word of running text; scored by their accuracy and perplexity."""

    pipeline: ClassVar[str | None] = "text-generation"
    writes: ClassVar[bool] = True
    has_layers: ClassVar[bool] = False
    kind: Literal["causal_lm"] = "causal_lm"
    column: Literal[""] = ""
    """The text is its own label; there is no column."""
    auxiliary: bool = True
    """It helps the others and does not count in the objective; false = its accuracy does."""
    chunk: int = Field(default=128, ge=8)
    """Sub-words of a row that running text is cut into; no more than the model takes."""

    def make_column(self, name: str, column: str) -> TargetColumn:
        """Returns the column of the text itself."""
        return TargetColumn(name, column)

    def layout(self, *, reads_targets: bool) -> RunningText:
        """Returns the text in rows of one length."""
        return RunningText(self.chunk, reads_targets)

    def build(self, name: str, labels: NoLabels) -> "CausalLmTask":
        """Builds the task."""
        return CausalLmTask(name)


class CausalLmTask(Task):
    """Accuracy and perplexity of sub-words, bits per byte; see `Task`."""

    main_score = "accuracy"
    speaks = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.labels = NoLabels()

    def make_head(self, size: HiddenSize) -> Head:
        """Returns a head that asks the model's writer.

        Raises:
            ConfigError: The model has none.
        """
        if size.writer is None:
            raise ConfigError(f"run.tasks.{self.name}.kind: causal_lm needs a model that writes")
        return WriterHead(size.writer, self.name)

    def finish(self, head: Head, outcome: Outcome) -> Outcome:
        """Returns (summed loss, right, count, bytes of text) of each row, (4,), float64."""
        assert isinstance(head, WriterHead)
        texts = head.tokenizer.batch_decode(list(outcome.gold))
        pairs = zip(outcome.predicted, texts, strict=True)
        rows = [np.append(row, len(text.encode())) for row, text in pairs]
        return replace(outcome, predicted=rows)

    def score(self, outcome: Outcome) -> dict[str, float]:
        """Returns accuracy and perplexity (exp of the mean loss) of sub-words, and bits per byte.

        The last one compares models whatever their sub-words are (Gao et al. 2020,
        https://arxiv.org/abs/2101.00027, section 3.1): what is foreseen of a text of so many bytes.
        """
        # Over sub-words, unlike the loss, in which every row weighs the same.
        scores = score_tokens([row[:3] for row in outcome.predicted])
        loss, _, _, size = np.sum(outcome.predicted, axis=0)  # (rows, 4) -> (4,)
        return {
            "accuracy": scores["token_accuracy"],
            "perplexity": scores["perplexity"],
            "bits_per_byte": float(loss / (np.log(2) * size)) if size else float("nan"),
        }

    def rescore(self, outcome: Outcome) -> Rescore:
        """Returns what computes the accuracy of rows that are drawn anew."""
        return ratio([row[1:3] for row in outcome.predicted])

    def is_right(self, outcome: Outcome) -> npt.NDArray[np.bool_] | None:
        """Returns None: a piece of a text is nothing to get right."""
        return None

    def errors(self, head: Head, outcome: Outcome, texts: RowTexts) -> TaskErrors:
        """Returns the pieces of text whose sub-words are foreseen worst."""
        assert isinstance(head, WriterHead)
        if head.reads_targets:
            return token_errors(outcome.predicted, texts, texts.row)
        # The rows of an encoder-decoder are empty.
        gold = outcome.gold
        return token_errors(outcome.predicted, texts, lambda row: texts.of_ids(gold[row]))

    def says(
        self, head: Head, rows: Sequence[Decoded], texts: Sequence[TextView], source: Source | None
    ) -> list[Output]:
        """Returns nothing: a text to predict stands there already."""
        return [None] * len(texts)
