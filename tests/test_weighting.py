"""Weightings: the fixed sum by hand, uncertainty against torchjd."""

import pytest
import torch
from torch import Tensor
from torchjd.scalarization import UW

from mtl_core.weighting.fixed import Fixed
from mtl_core.weighting.uncertainty import Uncertainty

LOG_VARIANCES = torch.tensor([0.7, -0.4])


def losses(*names: str) -> dict[str, Tensor]:
    values = {"intent": 2.0, "slots": 3.0}
    return {name: torch.tensor(values[name], requires_grad=True) for name in names}


def test_fixed_weighting_is_the_weighted_sum() -> None:
    weighting = Fixed().build({"intent": 0.5, "slots": 4.0})
    assert weighting(losses("intent", "slots")).item() == 13.0
    assert weighting(losses("slots")).item() == 12.0
    assert weighting.current_weights() == {"intent": 0.5, "slots": 4.0}


def test_uncertainty_equals_torchjd_with_its_gradients() -> None:
    ours = Uncertainty().build({"intent": 1.0, "slots": 1.0})
    theirs = UW(2)
    with torch.no_grad():
        ours.log_variances.copy_(LOG_VARIANCES)
        next(theirs.parameters()).copy_(LOG_VARIANCES)
    total = ours(losses("intent", "slots"))
    reference = theirs(torch.tensor([2.0, 3.0]))
    total.backward()
    reference.backward()
    torch.testing.assert_close(total, reference)
    torch.testing.assert_close(ours.log_variances.grad, next(theirs.parameters()).grad)


@pytest.mark.parametrize("section", [Fixed(), Uncertainty()])
def test_parts_of_a_step_add_up_to_its_loss(section: Fixed | Uncertainty) -> None:
    weighting = section.build({"intent": 2.0, "slots": 1.0})
    for parameter in weighting.parameters():
        parameter.data.copy_(LOG_VARIANCES)
    whole = weighting(losses("intent", "slots"))
    part = {name: loss / 4 for name, loss in losses("intent", "slots").items()}
    assert 4 * weighting(part, 1 / 4).item() == pytest.approx(whole.item())


def test_task_weights_scale_the_losses_before_uncertainty() -> None:
    weighting = Uncertainty().build({"intent": 3.0, "slots": 1.0})
    # Log-variances start at 0: half of each weighted loss.
    assert weighting(losses("intent", "slots")).item() == pytest.approx(0.5 * (3 * 2 + 3))
    assert weighting.current_weights() == {"intent": 1.5, "slots": 0.5}


@pytest.mark.parametrize("present", [("slots",), ("intent", "slots")])
def test_absent_and_unweighted_tasks_leave_their_log_variance(present: tuple[str, ...]) -> None:
    weighting = Uncertainty().build({"intent": 0.0, "slots": 1.0})
    weighting(losses(*present)).backward()
    assert weighting.log_variances.grad is not None
    assert weighting.log_variances.grad[0] == 0.0
    assert weighting.log_variances.grad[1] != 0.0
