"""Causal language modelling: running text without labels, each token foreseen from those before."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from torch import Tensor

from mtl_core.data.batching import Batch
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.columns.target import TargetColumn
from mtl_core.data.layouts.running_text import RunningText
from mtl_core.data.source import Source
from mtl_core.errors import ConfigError
from mtl_core.tasks.base import Decoded, Head, Outcome, Task, TaskSection
from mtl_core.tasks.hidden import Hidden, HiddenSize
from mtl_core.tasks.outputs import Output, TextView
from mtl_core.tasks.text_scores import score_tokens
from mtl_core.tasks.token_losses import row_means_summed, row_totals
from mtl_core.tasks.writer import Writer


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
    """Accuracy and perplexity of sub-words; see `Task`."""

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
        return CausalLmHead(size.writer, self.name)

    def score(self, outcome: Outcome) -> dict[str, float]:
        """Returns the accuracy of sub-words, and perplexity: exp of their mean loss."""
        # Over sub-words, unlike the loss, in which every row weighs the same.
        scores = score_tokens(outcome.predicted)
        return {"accuracy": scores["token_accuracy"], "perplexity": scores["perplexity"]}

    def is_right(self, outcome: Outcome) -> npt.NDArray[np.bool_] | None:
        """Returns None: a piece of a text is nothing to get right."""
        return None

    def says(
        self, head: Head, rows: Sequence[Decoded], texts: Sequence[TextView], source: Source | None
    ) -> list[Output]:
        """Returns nothing: a text to predict stands there already."""
        return [None] * len(texts)


class CausalLmHead(Head):
    """No layers of its own: the model's writer says which token comes next."""

    def __init__(self, writer: Writer, task_name: str) -> None:
        super().__init__()
        # In a tuple, so that it is not registered: its parameters are the model's.
        self._writer = (writer,)
        self._task_name = task_name

    def forward(self, hidden: Hidden) -> Tensor:
        """Returns logits of the sub-words to foresee, (sub-words, vocabulary)."""
        [writer] = self._writer
        return writer.logits(hidden, hidden.batch.labels[self._task_name])

    def loss_sum(self, logits: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        """Returns the mean loss of each row's sub-words, summed over rows."""
        return row_means_summed(logits, labels)

    def decode(self, logits: Tensor, batch: Batch) -> list[Decoded]:
        """Returns (summed loss, right, count) of each row's sub-words, (3,), float64."""
        return row_totals(logits, batch.labels[self._task_name])
