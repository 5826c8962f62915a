"""The hash of weights, by which what was made of them is known again."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """Returns a hash of weights and their names."""
    digest = hashlib.sha256()
    # As bytes: numpy has no bf16.
    for name, value in weights.items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()
