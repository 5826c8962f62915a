"""What a head is made for and what it sees: sizes, word embeddings, the writer, hidden states."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import linear

# Here, too: heads import all that they see from one place.
from mtl_core.tasks.states import Hidden as Hidden
from mtl_core.tasks.states import gather_positions as gather_positions
from mtl_core.tasks.writer import Writer


class TiedProjection:
    """The word embeddings as the weights of a layer: vectors -> a score for each sub-word."""

    def __init__(self, table: nn.Embedding) -> None:
        # Not a module: the encoder's parameter must not be saved and optimised twice.
        self._table = table

    def __call__(self, vectors: Tensor, bias: Tensor) -> Tensor:
        """Returns logits, (..., vocabulary).

        Args:
            vectors: What a head computed, (..., width of the word embeddings).
            bias: The head's own bias, (vocabulary,).
        """
        return linear(vectors, self._table.weight, bias)


class Vocabulary:
    """The encoder's word embeddings, offered to heads as output weights.

    As long as no head takes them, a step trains only the embeddings of the words that it reads.

    Attributes:
        table: The embeddings; heads take them by `tie`.
        size: Number of sub-words.
        width: Numbers per sub-word.
        is_tied: Whether a head has taken them.
    """

    def __init__(self, table: nn.Embedding) -> None:
        self.table = table
        self.size, self.width = table.num_embeddings, table.embedding_dim
        self.is_tied = False

    def tie(self) -> TiedProjection:
        """Returns them as a layer; from now on every step trains the embeddings of all words.

        Input and output weights are then the same (Press and Wolf 2017,
        https://arxiv.org/abs/1608.05859).
        """
        self.is_tied = True
        return TiedProjection(self.table)


@dataclass(frozen=True, slots=True)
class HiddenSize:
    """Sizes that a head is made for.

    Attributes:
        hidden: Width of the encoder's output.
        features: Extra dense numbers that follow a sentence's vector.
        vocabulary: The encoder's word embeddings; None where they are more than a table.
        writer: What makes text of hidden states; None where the backbone has nothing that does. It
            belongs to the model: a head keeps it unregistered, in a tuple for instance.
    """

    hidden: int
    features: int = 0
    vocabulary: Vocabulary | None = None
    writer: Writer | None = None
