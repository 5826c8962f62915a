"""Word embeddings that are trained by the rows a step reads: the numbers of AdamW over all rows."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RunConfigFactory, save_tokenizer
from encoders import FAMILIES, tiny
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.data.example import Example
from mtl_core.errors import TrainingError
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model.word_rows import RowEmbedding, use_row_embedding
from mtl_core.training.lazy_rows import LazyRows
from mtl_core.training.loop import train
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.report import Report
from mtl_core.training.row_adamw import RowAdamW
from mtl_core.training.run import Run

VOCABULARY = 50


def train_all_rows(
    embedding: nn.Embedding, optimizer: AdamW, schedule: LambdaLR, batches: list[Tensor]
) -> list[float]:
    """Trains with torch's own AdamW over the whole matrix; returns the loss of each step."""
    losses = []
    for ids in batches:
        optimizer.zero_grad()
        loss = loss_of(embedding, ids)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        schedule.step()
    return losses


def train_rows(
    embedding: RowEmbedding,
    optimizer: AdamW,
    schedule: LambdaLR,
    batches: list[Tensor],
    *,
    settle_every: int = 10**9,
) -> list[float]:
    """Trains the rows of each step; returns the loss of each step."""
    rows = RowAdamW(optimizer, embedding)
    losses = []
    for number, ids in enumerate(batches, start=1):
        rows.begin(ids.numpy)
        loss = loss_of(embedding, ids)
        losses.append(loss.item())
        loss.backward()
        assert embedding.weight.grad is None
        assert rows.step()
        schedule.step()
        if number % settle_every == 0:
            rows.settle()
    rows.settle()
    return losses


def make_optimizer(weight: nn.Parameter) -> tuple[AdamW, LambdaLR]:
    optimizer = AdamW([{"params": [weight], "lr": 0.02, "weight_decay": 0.1}])
    # The rate rises and falls, so that rows which catch up late have to know each step's rate.
    return optimizer, LambdaLR(optimizer, lambda step: min(step + 1, 10) / 10 * 0.98**step)


def loss_of(embedding: nn.Embedding, ids: Tensor) -> Tensor:
    weights = torch.arange(1.0, 5.0)
    return (embedding(ids) * weights).tanh().sum() + (embedding(ids) ** 2).sum() / 7


def random_batches(steps: int) -> list[Tensor]:
    """Returns ids of steps; the first are common and come often, the last never come."""
    torch.manual_seed(3)
    odds = 1.0 / torch.arange(1, VOCABULARY + 1) ** 1.5
    odds[-10:] = 0
    return [torch.multinomial(odds, 6, replacement=True).view(2, 3) for _ in range(steps)]


def embeddings(padding: int | None = None) -> tuple[nn.Embedding, RowEmbedding]:
    torch.manual_seed(1)
    dense = nn.Embedding(VOCABULARY, 4, padding_idx=padding)
    return dense, RowEmbedding(copy.deepcopy(dense))


@pytest.mark.parametrize("settle_every", [1, 7, 300])
@pytest.mark.parametrize("padding", [None, 2])
def test_rows_are_those_of_adamw_over_all_rows(settle_every: int, padding: int | None) -> None:
    dense, ours = embeddings(padding)
    batches = random_batches(300)
    theirs, schedule = make_optimizer(dense.weight)
    expected = train_all_rows(dense, theirs, schedule, batches)
    optimizer, schedule = make_optimizer(ours.weight)
    found = train_rows(ours, optimizer, schedule, batches, settle_every=settle_every)
    assert found == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(ours.weight, dense.weight, rtol=1e-5, atol=1e-6)
    for name in ("exp_avg", "exp_avg_sq", "step"):
        torch.testing.assert_close(
            optimizer.state[ours.weight][name],
            theirs.state[dense.weight][name],
            rtol=1e-4,
            atol=1e-7,
        )


def test_goes_on_from_the_state_that_adamw_left() -> None:
    dense, ours = embeddings()
    batches = random_batches(60)
    theirs, schedule = make_optimizer(dense.weight)
    train_all_rows(dense, theirs, schedule, batches[:25])
    optimizer, own_schedule = make_optimizer(ours.weight)
    optimizer.load_state_dict(copy.deepcopy(theirs.state_dict()))
    own_schedule.load_state_dict(schedule.state_dict())
    with torch.no_grad():
        ours.weight.copy_(dense.weight)
    expected = train_all_rows(dense, theirs, schedule, batches[25:])
    assert train_rows(ours, optimizer, own_schedule, batches[25:]) == pytest.approx(
        expected, rel=1e-5
    )
    torch.testing.assert_close(ours.weight, dense.weight, rtol=1e-5, atol=1e-6)


def test_an_id_that_was_not_picked_is_an_error() -> None:
    _, ours = embeddings()
    rows = RowAdamW(make_optimizer(ours.weight)[0], ours)
    rows.begin(lambda: np.array([3, 5]))
    rows.begin(lambda: np.array([4, 5]))
    with pytest.raises(IndexError):
        ours(torch.tensor([3]))


def test_a_gradient_of_the_whole_matrix_is_refused() -> None:
    _, ours = embeddings()
    rows = RowAdamW(make_optimizer(ours.weight)[0], ours)
    rows.begin(lambda: np.array([3, 5]))
    (ours(torch.tensor([3])).sum() + ours.weight.sum()).backward()
    with pytest.raises(TrainingError, match=r"HiddenSize\.vocabulary\.tie"):
        rows.step()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_looks_up_alike(family: str) -> None:
    encoder = tiny(family).eval()
    ids = torch.tensor([[5, 9, 7, 1], [8, 5, 1, 1]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    expected = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    names = list(encoder.state_dict())
    table = encoder.get_input_embeddings()
    embedding = use_row_embedding(encoder, table)
    if type(table) is not nn.Embedding:  # Gemma scales what it looks up, by code of its own.
        assert embedding is table
        return
    assert isinstance(embedding, RowEmbedding)
    assert encoder.get_input_embeddings() is embedding
    assert list(encoder.state_dict()) == names
    RowAdamW(make_optimizer(embedding.weight)[0], embedding).begin(ids.numpy)
    found = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"training.accumulation": 3},
        {"weighting": {"kind": "pcgrad"}},
        {"weighting": {"kind": "famo"}},
        {"freezing": {"kind": "gradual", "every": 1}, "training.epochs": 4},
    ],
    ids=["fixed", "accumulation", "pcgrad", "famo", "gradual"],
)
def test_a_run_is_the_run_over_all_rows(
    run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch, overrides: dict[str, object]
) -> None:
    config = run_config({"training.precision": "fp32"} | overrides)
    picked = []
    pick = LazyRows.pick
    monkeypatch.setattr(LazyRows, "pick", lambda *args: (picked.append(1), pick(*args)))
    ours, our_weights = outcome_of(config)
    assert picked
    picked.clear()
    monkeypatch.setattr(MultiTaskModel, "row_embedding", None)
    theirs, their_weights = outcome_of(config)
    assert not picked
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.losses == pytest.approx(other.losses, rel=1e-4)
    for name, value in our_weights.items():
        torch.testing.assert_close(value, their_weights[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        *((family, {}) for family in FAMILIES),
        ("bert", {"pad_token_id": 3}),
        ("gpt2", {"bos_token_id": 2, "eos_token_id": 3}),
        ("qwen3", {"head_dim": 16, "num_key_value_heads": 1}),
    ],
)
def test_the_tokenizer_need_not_pad_with_what_the_encoder_takes_for_padding(
    family: str,
    settings: dict[str, object],
    run_config: RunConfigFactory,
    sample: dict[str, list[Example]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    size = save_tokenizer(tmp_path, sample["train"])  # which pads with 0
    # The tokenizer class of Qwen adds a token of its own.
    tiny(family, vocab_size=size + (family == "qwen2"), **settings).save_pretrained(tmp_path)
    config = run_config({"encoder.name": str(tmp_path), "optimizer.encoder_lr": 1e-3})
    ours, our_weights = outcome_of(config)
    monkeypatch.setattr(MultiTaskModel, "row_embedding", None)
    theirs, their_weights = outcome_of(config)
    assert ours[-1].losses == pytest.approx(theirs[-1].losses, rel=1e-4)
    for name, value in our_weights.items():
        torch.testing.assert_close(value, their_weights[name], rtol=1e-3, atol=1e-5)


def outcome_of(config: RunConfig) -> tuple[list[Report], dict[str, Tensor]]:
    run = Run(config, Mean())
    epochs = range(1, config.training.epochs + 1)
    reports = [report for epoch in epochs for report in run.run_epoch(epoch)]
    return reports, {n: v.clone() for n, v in run.state.model.encoder.state_dict().items()}


def test_a_broken_run_leaves_nothing_behind(
    run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config({"training.precision": "fp32"})
    assets = Assets.load(config, device=torch.device("cpu"))
    expected = [report.losses for report in train(config, assets=assets)]
    with monkeypatch.context() as patch:
        patch.setattr(LazyRows, "step", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            list(train(config, assets=assets))
    assert [report.losses for report in train(config, assets=assets)] == expected


@pytest.mark.parametrize("picks_rows", [True, False])
@pytest.mark.parametrize("clip_norm", [0.05, 1000.0])
def test_clipping_is_that_of_torch(
    run_config: RunConfigFactory,
    monkeypatch: pytest.MonkeyPatch,
    picks_rows: bool,
    clip_norm: float,
) -> None:
    """Against `clip_grad_norm_`, which scales the gradients before the optimiser reads them."""
    config = run_config({"optimizer.clip_norm": clip_norm})
    if not picks_rows:
        monkeypatch.setattr(MultiTaskModel, "row_embedding", None)
    _, ours = outcome_of(config)
    unclipped = outcome_of(run_config({"optimizer.clip_norm": None}))[1]

    step = RowAdamW.step

    def clip_first(optimizer: RowAdamW) -> bool:
        nn.utils.clip_grad_norm_(optimizer.trained(), clip_norm)
        optimizer.clip_norm = None
        return step(optimizer)

    monkeypatch.setattr(RowAdamW, "step", clip_first)
    _, theirs = outcome_of(config)
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-3, atol=1e-5)
    moved = max(float((value - unclipped[name]).abs().max()) for name, value in ours.items())
    assert (moved > 1e-4) == (clip_norm < 1)
