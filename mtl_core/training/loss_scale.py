"""The loss scale of fp16: small gradients keep their bits, and a step that overflows is skipped.

fp16 rounds what is below 6e-8 to 0 and ends at 65,504. So the loss is multiplied by a factor before
the backward pass, and the gradients, which are fp32 again, are divided by it (Micikevicius et al.
2018, https://arxiv.org/abs/1710.03740, section 3.2).
"""

from dataclasses import dataclass

from mtl_core.errors import TrainingError

# Growth, back-off, first factor and interval are the defaults of `torch.amp.GradScaler`.
_GROWTH, _BACKOFF = 2.0, 0.5
_LARGEST = 2.0**127  # The largest power of 2 that fp32 holds.
_SMALLEST = 2.0**-14
"""What has no finite gradient at this scale has none at any."""


@dataclass(slots=True)
class LossScale:
    """The factor, moved as `torch.amp.GradScaler` does, which knows nothing of picked rows.

    Call `update` once per step, after the backward pass and before the optimiser.

    Attributes:
        factor: What the loss is multiplied by; a power of 2, so that dividing is exact.
        clean_steps: Steps without overflow since the factor last changed.
        growth_interval: Such steps after which it doubles.
    """

    factor: float = 2.0**16
    clean_steps: int = 0
    growth_interval: int = 2000

    def update(self, *, is_finite: bool) -> None:
        """Moves the factor after a step.

        Args:
            is_finite: Whether all gradients of the step were finite; the same on all workers, as
                gradients are summed over them.

        Raises:
            TrainingError: No factor keeps the gradients finite.
        """
        if not is_finite:
            self.factor *= _BACKOFF
            self.clean_steps = 0
            if self.factor < _SMALLEST:
                raise TrainingError(
                    "training.precision: the gradients are beyond the range of fp16 (65504), or "
                    f"not finite, at any loss scale down to {_SMALLEST:.0e}; use bf16 or fp32"
                )
            return
        # Doubled until it overflows now and then: as large as it can be, so that the smallest
        # gradients keep their bits.
        self.clean_steps += 1
        if self.clean_steps == self.growth_interval:
            self.factor = min(self.factor * _GROWTH, _LARGEST)
            self.clean_steps = 0
