"""The contract of writers: what makes text of the encoder's hidden states.

A writer is the second part of a pretrained model: the output layer of a decoder-only model, or the
decoder of an encoder-decoder. Implementations stand in `mtl_core/model/writers/`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Protocol

from torch import Tensor, nn

from mtl_core.data.arrays import Int64Array
from mtl_core.data.batching import Batch
from mtl_core.tasks.decoding.base import Decoding
from mtl_core.tasks.states import Hidden

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


class Stream(Protocol):
    """Takes the tokens of a text as they are written, as `generate` hands them out."""

    def put(self, value: Tensor) -> None:
        """Takes tokens: first those that the text stands behind, then one at a time."""

    def end(self) -> None:
        """Is called behind the last one."""


class Writer(nn.Module, ABC):
    """Says which token comes next, for all tasks that write; a model has one at most.

    It is registered in the model alone, which saves, trains and restores it once. What it shares
    with the encoder (tied word embeddings) counts as the encoder's.

    Attributes:
        reads_targets: Whether source and target stand in one row.

            True (decoders): labels are (batch, seq), int64, aligned with the token ids:
            `labels[b, t] == token_ids[b, t]` where a token is a target, else `NO_LABEL`. It is
            predicted from position t - 1: the writer shifts. A row may hold several targets, such
            as the turns of a dialogue: each run of labels is one, and its last token ends it. The
            prompt of a target is the row up to its first token, which is never the row's first:
            nothing stands before that.

            False (encoder-decoders): the token ids are the source. Labels are (batch, target),
            int64, end with the end token, and are padded with `NO_LABEL`.
        tokenizer: The tokenizer of the model.
    """

    reads_targets: ClassVar[bool]

    def __init__(self, whole: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast") -> None:
        """Takes a model apart.

        Args:
            whole: The model of Transformers that both encoder and writer are parts of.
            tokenizer: Its tokenizer.
        """
        super().__init__()
        # In a tuple, so that it is not registered: the encoder would be there twice.
        self._whole = (whole,)
        self.tokenizer = tokenizer

    @property
    def whole(self) -> "PreTrainedModel":
        """The model of Transformers that both encoder and writer are parts of, as it is saved."""
        return self._whole[0]

    @abstractmethod
    def logits(self, hidden: Hidden, labels: Tensor) -> Tensor:
        """Returns the logits of targets, (targets, vocabulary), float32 outside of autocast.

        Only those are computed: each costs a product with the whole vocabulary.

        Args:
            hidden: The encoder's output for the batch.
            labels: What is to be predicted; a row of logits for each entry that is not `NO_LABEL`,
                in row-major order.
        """

    @abstractmethod
    def write(
        self,
        prompts: Batch,
        decoding: Decoding,
        *,
        seeds: Int64Array,
        stream: Stream | None = None,
    ) -> list[list[int]]:
        """Returns the token ids that follow each prompt, the end token left out.

        They do not depend on the other rows of the batch.

        Args:
            prompts: Rows that end where the text is to begin.
            decoding: How the next token is chosen.
            seeds: Where it is drawn: the seed of each row, (batch,).
            stream: Takes the tokens of a single prompt; not where tokens are taken back, as in beam
                search.
        """

    @property
    def is_loaded(self) -> bool:
        """Whether it was loaded with the encoder, as one model; a new one is saved as heads are."""
        return True

    def new_parameters(self) -> Iterator[nn.Parameter]:
        """Yields what no pretrained model has, which trains at the rate of heads."""
        yield from ()
