"""The update of a step: the gradients that stand are checked, clipped and applied."""

from torch.nn.utils import get_total_norm
from torch.optim import AdamW

from mtl_core.training.lazy_rows import LazyRows
from mtl_core.training.loss_scale import LossScale


def update(
    optimizer: AdamW,
    words: LazyRows | None,
    scale: LossScale | None,
    *,
    clip_norm: float | None,
) -> bool:
    """Makes the update from the gradients; returns whether it was made.

    In fp16 a step whose gradients overflow is skipped: nothing that trains changes.

    The fused optimiser divides by `grad_scale` while it reads the gradients: no pass of its own
    over all of them, as `clip_grad_norm_` makes.

    Args:
        optimizer: The optimiser.
        words: The word embeddings that it leaves out.
        scale: The loss scale of fp16; the gradients are divided by it already.
        clip_norm: Largest norm of the whole gradient; None = no clipping.

    Raises:
        TrainingError: The gradients overflow whatever the scale.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    rows = [] if words is None else [words.rows]
    found = [p.grad for p in [*parameters, *rows] if p.grad is not None]
    if scale is not None or clip_norm is not None:
        norm = get_total_norm(found)
        if scale is not None:
            is_finite = bool(norm.isfinite())
            scale.update(is_finite=is_finite)
            if not is_finite:
                return False
        if clip_norm is not None:
            divisor = ((norm + 1e-6) / clip_norm).clamp(min=1.0)
            optimizer.grad_scale = divisor  # type: ignore[attr-defined]
            for gradient in (row.grad for row in rows):
                if gradient is not None:
                    gradient.div_(divisor)
    optimizer.step()
    if words is not None:
        words.step()
    return True
