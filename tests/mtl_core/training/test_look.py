"""Looks at the tasks: affinities by their formula, and that looking changes nothing."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RunConfigFactory
from short_runs import Settings, assert_same, run
from torch import Tensor, nn

from mtl_core.config import RunConfig
from mtl_core.training.diagnostics import Look
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.plan import GlobalBatch
from mtl_core.training.row_adamw import RowAdamW
from mtl_core.training.run import Run

TASKS = ["intent", "slots"]


def begun(config: RunConfig, steps: int) -> tuple[Run, GlobalBatch]:
    """A run that has made some steps, and the next step's rows."""
    made = Run(config, Mean())
    batches = made.begin(1)
    for batch in islice(batches, steps):
        made.step(batch, list(made.loader.micro_batches(batch, 1)))
    return made, next(batches)


def looked(made: Run, batch: GlobalBatch, number: int = 1) -> Look:
    found = made.look(batch, 1, number)
    assert found is not None
    return found


def mean_losses(made: Run, batch: GlobalBatch) -> dict[str, Tensor]:
    """The mean loss of each task on a step's rows, from the model's own heads."""
    [micro_batch] = made.loader.micro_batches(batch, 1)
    logits = made.state.model(micro_batch.batch, TASKS)
    return {
        name: made.state.model.head(name).loss_sum(
            logits[name], micro_batch.batch.labels[name], micro_batch.batch
        )
        / batch.counts[name]
        for name in TASKS
    }


def shared_by_tasks(made: Run) -> list[nn.Parameter]:
    """What both tasks meet, with the whole matrix of word embeddings."""
    model = made.state.model
    return [p for p in (*model.encoder.parameters(), *model.pooler.parameters()) if p.requires_grad]


# Plain matrices of word embeddings, so that torch's own optimiser can be asked about all that is
# shared; clipped far below the norm, or not at all; at the first step, or with a variance.
@pytest.mark.parametrize(("steps", "clip"), [(0, None), (2, 0.01)])
def test_affinities_are_those_of_the_formula(
    run_config: RunConfigFactory, steps: int, clip: float | None
) -> None:
    settings: Settings = {"optimizer.clip_norm": clip, "optimizer.encoder_lr": 1e-3}
    no_dropout: Settings = {f"tasks.{name}.head.dropout": 0 for name in TASKS}
    made, batch = begun(run_config(settings | no_dropout), steps)
    found = looked(made, batch)
    assert list(found.tasks) == TASKS
    stage = made.stage
    assert stage is not None
    stage.optimizer.settle()  # The whole matrix holds the rows again, and its state.
    shared = shared_by_tasks(made)
    before = mean_losses(made, batch)
    weights = [p.detach().clone() for p in shared]
    for row, name in enumerate(TASKS):
        loss = mean_losses(made, batch)[name]
        gradients = torch.autograd.grad(loss, shared, allow_unused=True, materialize_grads=True)
        step_by_hand(made, shared, gradients, clip)
        after = mean_losses(made, batch)
        for column, other in enumerate(TASKS):
            expected = 1 - after[other].item() / before[other].item()
            assert expected != 0
            assert found.affinities[row, column].item() == pytest.approx(expected, rel=2e-3)
        with torch.no_grad():
            for parameter, old in zip(shared, weights, strict=True):
                parameter.copy_(old)


@torch.no_grad()
def step_by_hand(
    made: Run, shared: Sequence[nn.Parameter], gradients: Sequence[Tensor], clip: float | None
) -> None:
    """AdamW's step in float64, with momentum and weight decay left out."""
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm().item()
    divisor = 1.0 if clip is None else max(1.0, (norm + 1e-6) / clip)
    optimizer = made.state.optimizer
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    for parameter, whole in zip(shared, gradients, strict=True):
        state, gradient = optimizer.state[parameter], whole.double() / divisor
        made_before = int(state["step"]) if state else 0
        square = state["exp_avg_sq"].double() if state else torch.zeros_like(gradient)
        mean = 0.1 * gradient / (1 - 0.9 ** (made_before + 1))
        corrected = (0.999 * square + 0.001 * gradient**2) / (1 - 0.999 ** (made_before + 1))
        parameter.sub_(rates[id(parameter)] * mean / (corrected.sqrt() + 1e-8))


HARD: Settings = {
    # All that a look could leave behind: dropout, a variance, picked rows, a second data set.
    "training.epochs": 1,
    "training.batch_size": 10,
    "training.accumulation": 2,
    "optimizer.encoder_lr": 1e-3,
    "weighting.kind": "uncertainty",
}


@pytest.mark.parametrize("more", [{}, {"freezing": {"kind": "gradual"}, "mixing.kind": "joint"}])
def test_a_run_that_looks_is_the_run_that_does_not(
    run_config: RunConfigFactory,
    corpus: Path,
    tiny_encoder_with_dropout: Path,
    tmp_path: Path,
    more: Settings,
) -> None:
    two = {
        "encoder.name": str(tiny_encoder_with_dropout),
        "datasets.other": {"kind": "seq_in_out", "path": str(corpus)},
        "tasks.slots.dataset": "other",
    }
    kept = []
    for every in (None, 1):
        config = run_config({**HARD, **two, **more, "training.gradients_every": every})
        reports, weights = run(config, tmp_path / str(every))
        kept.append(([(one.losses, one.dev, one.weights) for one in reports], weights, reports))
    assert kept[0][0] == kept[1][0]
    assert_same(kept[0][1], kept[1][1])
    # Of tasks that never share a step as well, each pair under one name.
    found = kept[1][2][0].gradients
    assert {"cosine/intent/slots", "affinity/intent/slots"} <= found.keys()
    assert "cosine/slots/intent" not in found


def test_tasks_that_share_nothing_that_trains_are_not_looked_at(
    run_config: RunConfigFactory,
) -> None:
    made, batch = begun(run_config({"freezing.kind": "encoder"}), steps=1)
    assert made.look(batch, 1, 1) is None


def test_a_step_keeps_its_rows_and_gets_some_of_the_other_data_sets(
    run_config: RunConfigFactory, corpus: Path
) -> None:
    other = {"datasets.other": {"kind": "seq_in_out", "path": str(corpus)}}
    made, batch = begun(run_config(other | {"tasks.slots.dataset": "other"}), steps=1)
    [own] = batch.pieces
    first, second = (made.loader.with_all_datasets(batch, 1, number) for number in (1, 2))
    for whole in (first, second):
        # In the order of the study file, whichever of them is the step's own.
        assert [name for name, _ in whole.pieces] == ["corpus", "other"]
        assert list(whole.counts) == TASKS
        assert dict(whole.pieces)[own[0]] is own[1]
    [drawn], [again] = (
        [rows for name, rows in whole.pieces if name != own[0]] for whole in (first, second)
    )
    assert len(set(drawn.tolist())) == 16
    assert not np.array_equal(drawn, again)
    # Where nothing is missing nothing is drawn.
    third = made.loader.with_all_datasets(first, 1, 3)
    assert all(rows is dict(first.pieces)[name] for name, rows in third.pieces)


def test_what_a_step_would_move_is_what_adamw_moves(run_config: RunConfigFactory) -> None:
    """In the first step there is no momentum: AdamW without weight decay makes the very step."""
    weights = [nn.Parameter(torch.linspace(-1, 1, 6).view(2, 3)), nn.Parameter(torch.ones(4))]
    groups = [
        {"params": [weights[0]], "lr": 0.1, "weight_decay": 0.0, "name": "first"},
        {"params": [weights[1]], "lr": 0.01, "weight_decay": 0.0, "name": "second"},
    ]
    optimizer = RowAdamW(torch.optim.AdamW(groups, fused=True), clip_norm=0.5)
    gradients = [torch.linspace(-2, 3, 6).view(2, 3), torch.tensor([0.0, 1e-9, -1.0, 5.0])]
    before = [weight.detach().clone() for weight in weights]
    moves = list(optimizer.moves(weights, gradients))
    assert all(torch.equal(w, old) for w, old in zip(weights, before, strict=True))
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient.clone()
    optimizer.step()
    for weight, old, move in zip(weights, before, moves, strict=True):
        torch.testing.assert_close(weight.detach(), old - move)
