"""The head of tasks that write, which has no layers: the model's writer does its work."""

from typing import TYPE_CHECKING

from torch import Tensor

from mtl_core.data.batching import Batch
from mtl_core.tasks.base import Head
from mtl_core.tasks.hidden import Hidden
from mtl_core.tasks.outcome import Decoded
from mtl_core.tasks.token_losses import row_means_summed, row_totals
from mtl_core.tasks.writer import Writer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class WriterHead(Head):
    """No layers of its own: the model's writer says which token comes next."""

    def __init__(self, writer: Writer, task_name: str, label_smoothing: float = 0.0) -> None:
        super().__init__()
        # In a tuple, so that it is not registered: its parameters are the model's.
        self._writer = (writer,)
        self._task_name = task_name
        self._label_smoothing = label_smoothing

    @property
    def reads_targets(self) -> bool:
        """Whether source and target stand in one row, as the model's writer has it."""
        return self._writer[0].reads_targets

    @property
    def tokenizer(self) -> "PreTrainedTokenizerFast":
        """The tokenizer of the model."""
        return self._writer[0].tokenizer

    def forward(self, hidden: Hidden) -> Tensor:
        """Returns logits of what is to be written, (targets, vocabulary)."""
        [writer] = self._writer
        return writer.logits(hidden, hidden.batch.labels[self._task_name])

    def loss_sum(self, logits: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        """Returns the mean loss of each row's targets, summed over rows."""
        return row_means_summed(logits, labels, label_smoothing=self._label_smoothing)

    def decode(self, logits: Tensor, batch: Batch) -> list[Decoded]:
        """Returns (summed loss, right, count) of each row's targets, (3,), float64."""
        return row_totals(logits, batch.labels[self._task_name])
