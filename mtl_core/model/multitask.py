"""The multi-task model: one shared encoder, one head a task."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from mtl_core.data.batching import Batch
from mtl_core.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Pooling = Literal["cls", "mean"]


class MultiTaskModel(nn.Module):
    """Runs the encoder once and every head that has labels in the batch.

    Frozen modules stay in evaluation mode also while training: without dropout their output for a
    sentence never changes.
    """

    def __init__(
        self,
        encoder: "PreTrainedModel",
        tasks: Mapping[str, Task],
        *,
        pooling: Pooling,
        frozen: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__()
        hidden_size = int(encoder.config.hidden_size)
        self.encoder = encoder
        self.heads = nn.ModuleDict(
            {_module_name(name): task.make_head(hidden_size) for name, task in tasks.items()}
        )
        self._is_per_word = {name: task.is_per_word for name, task in tasks.items()}
        self._pooling = pooling
        self._frozen = list(frozen)
        for module in self._frozen:
            module.requires_grad_(False)

    def head(self, task_name: str) -> nn.Module:
        """Returns the head of a task."""
        return self.heads[_module_name(task_name)]

    def train(self, mode: bool = True) -> "MultiTaskModel":
        """Sets training mode; frozen modules keep evaluation mode."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def forward(self, batch: Batch, task_names: Sequence[str]) -> dict[str, Tensor]:
        """Returns task name -> logits, (batch, num_labels) or (batch, words, num_labels)."""
        output = self.encoder(input_ids=batch.token_ids, attention_mask=batch.attention_mask)
        hidden = output.last_hidden_state  # (batch, seq, hidden)
        is_per_word = [self._is_per_word[name] for name in task_names]
        words = gather_words(hidden, batch.word_starts) if any(is_per_word) else None
        sentence = None if all(is_per_word) else pool(hidden, batch.attention_mask, self._pooling)
        return {
            name: self.head(name)(words if self._is_per_word[name] else sentence)
            for name in task_names
        }


def pool(hidden: Tensor, attention_mask: Tensor, pooling: Pooling) -> Tensor:
    """Returns one vector a sentence, (batch, hidden), from (batch, seq, hidden)."""
    if pooling == "cls":
        return hidden[:, 0]
    mask = attention_mask.unsqueeze(-1).to(hidden.dtype)  # (batch, seq, 1)
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1)


def gather_words(hidden: Tensor, word_starts: Tensor) -> Tensor:
    """Returns the hidden state of each word's first sub-word, (batch, words, hidden)."""
    index = word_starts.unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
    return torch.gather(hidden, 1, index)


def _module_name(task_name: str) -> str:
    """Returns a name that a ModuleDict takes: it refuses dots and names of its own methods."""
    return f"head_{task_name}"
