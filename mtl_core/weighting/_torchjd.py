"""Private state of torchjd 0.18.0 that a checkpoint has to save and restore."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torchjd.aggregation import GradVacWeighting
    from torchjd.scalarization import FAMO


def give_running_cosines(
    solver: "GradVacWeighting", cosines: Tensor, *, dtype: torch.dtype
) -> None:
    """Sets the running cosines of a solver; its next call changes them in place.

    Args:
        solver: The solver.
        cosines: Cosine of each pair of gradients, (tasks, tasks), on the CPU.
        dtype: The dtype of the inner products that the solver will be called with.
    """
    solver._phi_t = cosines  # type: ignore[assignment]
    # The solver compares this key with (tasks, dtype) of each call and starts from zeros where they
    # differ.
    solver._state_key = (len(cosines), dtype)


def famo_adam(famo: "FAMO") -> dict[str, Any] | None:
    """Returns the state of the optimiser of FAMO's logits; None before its first step."""
    # `state_dict` of the module has the logits, not the optimiser that moves them.
    return None if famo._optimizer is None else famo._optimizer.state_dict()


def restore_famo_adam(famo: "FAMO", state: dict[str, Any]) -> None:
    """Makes FAMO go on from a state that `famo_adam` returned."""
    # Built as torchjd builds it in its first step, which it leaves out when there is one already.
    famo._optimizer = torch.optim.Adam([famo._w], lr=famo.lr, weight_decay=famo.weight_decay)
    famo._optimizer.load_state_dict(state)
