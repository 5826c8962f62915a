"""The writer of decoder-only models: their output layer, behind what else stands there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from mtl_core.data.arrays import NO_LABEL, Int64Array
from mtl_core.data.batching import Batch
from mtl_core.model.forward_pass import beside
from mtl_core.model.writers.generating import write_texts
from mtl_core.tasks.decoding.base import Decoding
from mtl_core.tasks.states import Hidden
from mtl_core.tasks.writer import Stream, Writer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


class CausalWriter(Writer):
    """Predicts each target from the hidden state of the sub-word before it."""

    reads_targets: ClassVar[bool] = True

    def __init__(
        self,
        whole: "PreTrainedModel",
        encoder: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerFast",
    ) -> None:
        """Takes a model apart.

        Args:
            whole: The model with its output layer, such as `LlamaForCausalLM`.
            encoder: The part of it that makes the hidden states.
            tokenizer: Its tokenizer.
        """
        super().__init__(whole, tokenizer)
        # In a tuple, as the whole is.
        self._encoder = (encoder,)
        self.layers = nn.ModuleList(beside(whole, encoder))

    def logits(self, hidden: Hidden, labels: Tensor) -> Tensor:
        """Returns the logits of targets; see `Writer.logits`."""
        # The state at t - 1 predicts the token at t, so it is chosen by the label behind it.
        chosen = hidden.tokens[:, :-1][labels[:, 1:] != NO_LABEL]  # (targets, hidden)
        # The family's own code runs: some scale the logits, or bound them by a tanh.
        with _giving(self._encoder[0], chosen.unsqueeze(0)):
            ids = torch.zeros(1, len(chosen), dtype=torch.long, device=chosen.device)
            found: Tensor = self.whole(input_ids=ids, use_cache=False).logits
        return found.squeeze(0)  # (1, targets, vocabulary) -> (targets, vocabulary)

    def write(
        self,
        prompts: Batch,
        decoding: Decoding,
        *,
        seeds: Int64Array,
        stream: Stream | None = None,
    ) -> list[list[int]]:
        """Returns the token ids that follow each prompt; see `Writer.write`."""
        return write_texts(
            self.whole, self.tokenizer, prompts, decoding, seeds=seeds, stream=stream
        )


@contextmanager
def _giving(encoder: nn.Module, states: Tensor) -> Iterator[None]:
    """Within the block, an encoder computes nothing and gives these states, (batch, seq, width)."""
    from transformers.modeling_outputs import BaseModelOutputWithPast

    given = _Given(BaseModelOutputWithPast(last_hidden_state=states))

    def give(*args: Any, **kwargs: Any) -> _Given:
        return given

    encoder.forward = give
    try:
        yield
    finally:
        del encoder.forward


class _Given:
    """What an encoder returns; whatever else a family asks of it is None."""

    def __init__(self, output: Any) -> None:
        self._output = output

    def __getitem__(self, place: int) -> Any:
        return self._output[place]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name, None)
