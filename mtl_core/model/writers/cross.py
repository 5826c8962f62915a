"""The writer of an encoder-decoder: a decoder that looks at the encoder's states of the source."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import Tensor, nn

from mtl_core.data.arrays import NO_LABEL, Int64Array
from mtl_core.data.batching import Batch
from mtl_core.errors import ConfigError
from mtl_core.model.writers.beside import Beside
from mtl_core.model.writers.generating import write_texts
from mtl_core.tasks.decoding.base import Decoding
from mtl_core.tasks.states import Hidden
from mtl_core.tasks.writer import Stream, Writer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


class CrossWriter(Writer):
    """The decoder of a sequence-to-sequence model, with cross attention, and its output layer.

    The family's own code runs, so positions, masks and scales are its own.
    """

    reads_targets = False

    def __init__(
        self,
        whole: "PreTrainedModel",
        encoder: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerFast",
        *,
        new: Iterable[nn.Parameter] = (),
    ) -> None:
        """Takes a model apart.

        Args:
            whole: The sequence-to-sequence model, such as `T5ForConditionalGeneration`.
            encoder: The part of it that all tasks share.
            tokenizer: Its tokenizer.
            new: Weights that no pretrained model has.

        Raises:
            ConfigError: The model names no token that texts begin with.
        """
        super().__init__(whole, tokenizer)
        self.decoder = Beside(whole, encoder)
        self._start = start_of(whole)
        # In a tuple, as they are registered as the decoder's.
        self._new = tuple(new)

    def logits(self, hidden: Hidden, labels: Tensor) -> Tensor:
        """Returns logits of target tokens, (tokens, vocabulary); see `Writer`.

        Args:
            hidden: The encoder's states of the sources.
            labels: Token ids of the targets, (batch, target), padded with `NO_LABEL` on the right.
        """
        from transformers.modeling_outputs import BaseModelOutput

        if not labels.shape[1]:  # No row has a target; a decoder takes one token at least.
            labels = labels.new_full((len(labels), 1), NO_LABEL)
        is_target = labels != NO_LABEL
        with _output_only(self.whole, is_target):
            found: Tensor = self.whole(
                encoder_outputs=BaseModelOutput(last_hidden_state=hidden.tokens),
                attention_mask=hidden.batch.attention_mask,
                decoder_input_ids=shifted(labels, self._start),
                # Without a mask: it looks back only, and what is padded stands behind all targets.
                use_cache=False,
            ).logits
        return found

    def write(
        self,
        prompts: Batch,
        decoding: Decoding,
        *,
        seeds: Int64Array,
        stream: Stream | None = None,
    ) -> list[list[int]]:
        """Returns the token ids that are written for sources; see `Writer.write`."""
        return write_texts(
            self.whole, self.tokenizer, prompts, decoding, seeds=seeds, stream=stream
        )

    @property
    def is_loaded(self) -> bool:
        """Whether it was loaded with the encoder; see `Writer`."""
        return not self._new

    def new_parameters(self) -> Iterator[nn.Parameter]:
        """Yields what no pretrained model has; see `Writer`."""
        yield from self._new


def shifted(labels: Tensor, start: int) -> Tensor:
    """Returns what a decoder reads to predict targets: each one's token before, (batch, target).

    Args:
        labels: Token ids, (batch, target), padded with `NO_LABEL` on the right.
        start: The token that stands before the first one.
    """
    # Padding may be any token, as nothing that counts looks at it.
    before = labels.roll(1, dims=1)
    before[:, 0] = start
    return before.masked_fill(before == NO_LABEL, start)


def start_of(whole: "PreTrainedModel") -> int:
    """Returns the token that stands before every text that a model writes, as `generate` has it.

    Raises:
        ConfigError: The model names none.
    """
    for settings in (whole.generation_config, whole.config):
        for key in ("decoder_start_token_id", "bos_token_id"):
            found = getattr(settings, key, None)
            if isinstance(found, int):
                return found
    raise ConfigError(
        f"run.encoder.name: '{whole.config.name_or_path}' names no token that texts begin with; "
        "give it a decoder_start_token_id in its config.json"
    )


@contextmanager
def _output_only(whole: "PreTrainedModel", is_wanted: Tensor) -> Iterator[None]:
    """Within the block, the output layer computes wanted positions alone, (tokens, vocabulary).

    Each costs a product with the whole vocabulary, and of a padded batch half may be padding.

    Args:
        whole: A model with an output layer.
        is_wanted: The positions, (batch, target), bool.
    """

    def pick(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        states, *others = args  # (batch, target, width) -> (tokens, width)
        return (states[is_wanted], *others)

    output = whole.get_output_embeddings()
    assert isinstance(output, nn.Module), "every sequence-to-sequence model has an output layer"
    hook = output.register_forward_pre_hook(pick)
    try:
        yield
    finally:
        hook.remove()
