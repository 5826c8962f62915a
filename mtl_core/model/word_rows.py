"""Word embeddings of which a step reads and trains only the rows of its own sub-words."""

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from mtl_core.errors import TrainingError


class RowEmbedding(nn.Embedding):
    """An embedding that can look up in picked rows, so that only these get a gradient.

    The order of calls in a step: `pick`, the forward and backward pass, the update of `rows`; the
    next `pick` or `drop` ends it.

    A batch holds a few hundred of an encoder's tens of thousands of word pieces; a gradient of
    the whole matrix would be nearly all zeros, and as large as half of a small encoder.
    """

    def __init__(self, base: nn.Embedding) -> None:
        """Takes over the weights of another embedding."""
        size = (base.num_embeddings, base.embedding_dim)
        super().__init__(*size, padding_idx=base.padding_idx, _weight=base.weight)
        # The parameter itself: an output layer may be tied to it.
        self.weight = base.weight
        self._ids: Tensor | None = None
        self._rows: Tensor | None = None
        self._slots: Tensor | None = None

    @property
    def rows(self) -> Tensor | None:
        """The picked rows, (ids, size), a leaf of the gradient; None when none are picked."""
        return self._rows

    def pick(self, ids: Tensor, rows: Tensor) -> None:
        """Looks up in these rows until `drop`; ids that were not picked must not come.

        Args:
            ids: Different ids, (ids,), int64; the padding id last, when there is one.
            rows: Their vectors, (ids, size).
        """
        self.drop()
        # id -> its place among the picked rows, (vocabulary,), int64. -1 marks ids that were not
        # picked: looking one up is an error, instead of the vector of another word.
        if self._slots is None or self._slots.device != ids.device:
            self._slots = torch.full((self.num_embeddings,), -1, device=ids.device)
        self._slots[ids] = torch.arange(len(ids), device=ids.device)
        # A new leaf in every step, a copy: the update is written back to the matrix.
        self._ids, self._rows = ids, rows.detach().requires_grad_()

    def drop(self) -> None:
        """Looks up in the whole matrix again."""
        if self._slots is not None and self._ids is not None:
            # Only the picked ones: all others are -1 already, and the vocabulary is large.
            self._slots[self._ids] = -1
        self._ids = self._rows = None

    def check_unused(self, gradient: Tensor | None) -> None:
        """Refuses a gradient of the whole matrix in a step that trains the picked rows.

        Raises:
            TrainingError: The gradient is not None: a head has used the matrix directly, instead of
                through `HiddenSize.vocabulary`.
        """
        if gradient is not None:
            raise TrainingError(
                "a head uses the encoder's word embeddings as they are; take them from "
                "`HiddenSize.vocabulary.tie()`, so that all of them train"
            )

    def forward(self, input: Tensor) -> Tensor:
        """Returns the vectors of ids, (...) -> (..., size)."""
        if self._rows is None or self._slots is None:
            return super().forward(input)
        # `embedding` gives the row of this index no gradient; `pick` has it last.
        padding = None if self.padding_idx is None else len(self._rows) - 1
        return embedding(self._slots[input], self._rows, padding)


def use_row_embedding(encoder: nn.Module, embeddings: nn.Module) -> nn.Module:
    """Puts a `RowEmbedding` in the place of an encoder's word embeddings, and returns it.

    Word embeddings that are more than a table stay as they are.
    """
    # Of the exact type: a subclass may compute something else, and a `RowEmbedding` is one already.
    if not isinstance(embeddings, nn.Embedding) or type(embeddings) is not nn.Embedding:
        return embeddings
    # These change weights or gradients in the look-up itself, over the whole matrix.
    if embeddings.max_norm is not None or embeddings.scale_grad_by_freq or embeddings.sparse:
        return embeddings
    changed = RowEmbedding(embeddings)
    # Under each of its names, where it has several.
    names = [n for n, m in encoder.named_modules(remove_duplicate=False) if m is embeddings]
    for path, _, last in (name.rpartition(".") for name in names):
        setattr(encoder.get_submodule(path), last, changed)
    return changed
