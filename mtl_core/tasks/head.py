"""Heads: the layers between the shared encoder and one task."""

from torch import Tensor, nn


class LinearHead(nn.Module):
    """Dropout and one linear layer."""

    def __init__(self, hidden_size: int, num_labels: int, *, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden_size, num_labels)

    def forward(self, hidden: Tensor) -> Tensor:
        """Maps (..., hidden) to logits (..., num_labels)."""
        return self.linear(self.dropout(hidden))  # type: ignore[no-any-return]
