"""The layers between encoder and logits that a head can have: `linear` or `mlp`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag
from torch import nn

from mtl_core.section import Section


class Linear(Section):
    """Dropout and one linear layer."""

    kind: Literal["linear"] = "linear"
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Probability of dropout before the layer."""

    def build(self, size: int, num_outputs: int) -> nn.Module:
        """Returns new layers: (..., size) -> (..., num_outputs)."""
        return nn.Sequential(nn.Dropout(self.dropout), nn.Linear(size, num_outputs))


class Mlp(Section):
    """Dropout, a hidden layer with GELU and layer norm, dropout, and a linear layer."""

    kind: Literal["mlp"] = "mlp"
    hidden_size: int | None = Field(default=None, ge=1)
    """Width of the hidden layer; null = that of its input."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Probability of dropout before both layers."""
    layer_norm: bool = True
    """Layer norm behind the hidden layer."""

    def build(self, size: int, num_outputs: int) -> nn.Module:
        """Returns new layers: (..., size) -> (..., num_outputs)."""
        width = self.hidden_size or size
        norm = [nn.LayerNorm(width)] if self.layer_norm else []
        return nn.Sequential(
            nn.Dropout(self.dropout),
            nn.Linear(size, width),
            nn.GELU(),
            *norm,
            nn.Dropout(self.dropout),
            nn.Linear(width, num_outputs),
        )


def _kind_of(value: Any) -> str | None:
    """Returns the kind of a head; linear without one, so that `head.dropout` can stand alone."""
    if isinstance(value, Mapping):
        return str(value.get("kind", "linear"))
    return getattr(value, "kind", None)


HeadSection = Annotated[
    Annotated[Linear, Tag("linear")] | Annotated[Mlp, Tag("mlp")], Discriminator(_kind_of)
]
