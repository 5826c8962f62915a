"""The step: gradients of single tasks, and what weightings and diagnostics see of them."""

import math

import pytest
import torch
from conftest import RunConfigFactory
from short_runs import Settings
from torch import Tensor

from mtl_core.assets import Assets, build_tasks
from mtl_core.data.batching import make_batch
from mtl_core.training.diagnostics import GradientDiagnostics, Look
from mtl_core.training.distributed import Place
from mtl_core.training.forward import ForwardPass, MicroBatch, TaskLosses
from mtl_core.training.loop import train
from mtl_core.training.step import build_step
from mtl_core.training.task_gradients import TaskGradients
from mtl_core.weighting.gramian import GramianWeighting


def test_famo_passes_over_steps_in_which_nothing_trains(run_config: RunConfigFactory) -> None:
    config = run_config({"weighting.kind": "famo"})
    assets = Assets.load(config, device=torch.device("cpu"))
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    model.requires_grad_(False)
    model.head("slots").requires_grad_(True)
    weighting = config.weighting.build({"intent": 1.0, "slots": 1.0}, seed=0)
    forward = ForwardPass(TaskLosses(model), Place.current(), "fp32")
    step = build_step(
        weighting,
        TaskGradients(forward),
        task_weights={"intent": 1.0, "slots": 1.0},
        has_unused_parameters=True,
    )
    batch = make_batch(assets.data.datasets["corpus"].splits["train"], range(4), pad_token_id=0)
    seen = []
    for name in ("intent", "slots", "intent"):
        step.backward([MicroBatch(batch, [name])], {name: 4})
        step.after_update([MicroBatch(batch, [name])], {name: 4})
        seen.append(weighting.current_weights())
    assert seen[0] == {"intent": 1.0, "slots": 1.0}
    assert seen[1] == seen[2] != seen[0]


@pytest.mark.parametrize("micro_batches", [1, 3])
def test_gradients_of_tasks_are_those_of_autograd(
    run_config: RunConfigFactory, micro_batches: int
) -> None:
    config = run_config({"encoder.pooling": "attention"})
    assets = Assets.load(config, device=torch.device("cpu"))
    model = assets.new_model(config, build_tasks(config, assets.data.datasets)).eval()
    split = assets.data.datasets["corpus"].splits["train"]
    counts = {"intent": 9, "slots": int(sum(len(split.word_starts.row(n)) for n in range(9)))}
    names, losses = list(counts), TaskLosses(model)
    whole = make_batch(split, range(9), pad_token_id=0)
    shared = [*model.encoder.parameters(), *model.pooler.parameters()]
    expected = []
    for name in names:
        loss = losses(whole, [name])[name] / counts[name]
        found = torch.autograd.grad(loss, shared, allow_unused=True, materialize_grads=True)
        expected.append(torch.cat([gradient.flatten() for gradient in found]))
    shares = [range(start, 9, micro_batches) for start in range(micro_batches)]
    batches = [MicroBatch(make_batch(split, rows, pad_token_id=0), names) for rows in shares]
    gradients, _ = TaskGradients(ForwardPass(losses, Place.current(), "fp32")).look(batches, counts)
    torch.testing.assert_close(gradients, torch.stack(expected), rtol=1e-4, atol=1e-6)


def test_gradient_weightings_see_gradients_and_losses_by_the_weights_of_the_tasks(
    run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def combine(self: object, gradients: Tensor, losses: Tensor, names: object) -> Tensor:
        seen.append((gradients.clone(), losses.clone()))
        return gradients.sum(0)

    monkeypatch.setattr(GramianWeighting, "forward", combine)
    for weight in (1, 5):
        one_step: Settings = {"training.epochs": 1, "training.batch_size": 1000}
        weights: Settings = {"weighting.kind": "pcgrad", "tasks.intent.weight": weight}
        list(train(run_config(one_step | weights)))
    (gradients, losses), (scaled_gradients, scaled_losses) = seen
    factors = torch.tensor([5.0, 1.0])
    torch.testing.assert_close(scaled_losses, losses * factors)
    torch.testing.assert_close(scaled_gradients, gradients * factors.unsqueeze(1))


def test_diagnostics_are_means_over_looks() -> None:
    diagnostics, both = GradientDiagnostics(), ["intent", "slots"]
    first = torch.tensor([[3.0, 4.0], [4.0, 3.0]])
    diagnostics.add(Look(both, first, torch.tensor([[0.5, 0.25], [-0.5, 0.125]])))
    second = torch.tensor([[0.0, 1.0], [0.0, -2.0]])
    # A loss of 0 has no share that a step takes off it.
    diagnostics.add(Look(both, second, torch.tensor([[0.25, math.nan], [0.0, -math.inf]])))
    diagnostics.add(Look(["slots"], torch.tensor([[2.0, 0.0]]), torch.tensor([[0.375]])))
    assert diagnostics.means() == pytest.approx(
        {
            "norm/intent": 3.0,
            "norm/slots": 3.0,
            "cosine/intent/slots": (0.96 - 1) / 2,
            "affinity/intent/intent": 0.375,
            "affinity/intent/slots": 0.25,
            "affinity/slots/intent": -0.25,
            "affinity/slots/slots": 0.25,
        }
    )


def test_reports_carry_gradients_when_asked(run_config: RunConfigFactory) -> None:
    plain, watched = (
        list(train(run_config({"training.gradients_every": every}))) for every in (None, 2)
    )
    assert plain[0].gradients == {}
    assert watched[0].gradients.keys() == {
        *("norm/intent", "norm/slots", "cosine/intent/slots"),
        *(f"affinity/{i}/{j}" for i in ("intent", "slots") for j in ("intent", "slots")),
    }
    # Looking changes nothing.
    assert [report.losses for report in watched] == [report.losses for report in plain]
