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
from mtl_core.model.dropout import FastDropout
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model.word_rows import RowEmbedding, use_row_embedding
from mtl_core.training.lazy_rows import LazyRows
from mtl_core.training.loop import train
from mtl_core.training.objective import Mean
from mtl_core.training.report import EpochReport
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
    embedding = use_row_embedding(encoder, encoder.get_input_embeddings())
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
    tiny(family, vocab_size=size, **settings).save_pretrained(tmp_path)
    config = run_config({"encoder.name": str(tmp_path), "optimizer.encoder_lr": 1e-3})
    ours, our_weights = outcome_of(config)
    monkeypatch.setattr(MultiTaskModel, "row_embedding", None)
    theirs, their_weights = outcome_of(config)
    assert ours[-1].losses == pytest.approx(theirs[-1].losses, rel=1e-4)
    for name, value in our_weights.items():
        torch.testing.assert_close(value, their_weights[name], rtol=1e-3, atol=1e-5)


def outcome_of(config: RunConfig) -> tuple[list[EpochReport], dict[str, Tensor]]:
    run = Run(config, Mean())
    reports = [run.run_epoch(epoch) for epoch in range(1, config.training.epochs + 1)]
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


@pytest.mark.parametrize("weighting", ["fixed", "pcgrad"])
@pytest.mark.parametrize("is_tied", [True, False])
def test_a_tied_head_trains_all_rows(
    run_config: RunConfigFactory, tmp_path: Path, is_tied: bool, weighting: str
) -> None:
    """Without decay a row moves by its gradient alone, and as an output weight each has one."""
    changes = with_masked_words(tmp_path) if is_tied else {}
    one_step = {"training.epochs": 1, "training.batch_size": 1000, "mixing.kind": "joint"}
    no_decay = {"optimizer.weight_decay": 0, "optimizer.encoder_lr": 1e-2}
    run = Run(run_config(changes | one_step | no_decay | {"weighting.kind": weighting}), Mean())
    weight = run.state.model.encoder.get_input_embeddings().weight
    before = weight.detach().clone()
    run.run_epoch(1)
    has_moved = (weight != before).any(dim=1)
    assert has_moved.any()
    assert has_moved.all() == is_tied


@pytest.mark.parametrize("weighting", ["fixed", "pcgrad"])
def test_a_head_that_uses_the_embeddings_without_tying_them_is_refused(
    run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch, weighting: str
) -> None:
    run = Run(run_config({"weighting.kind": weighting}), Mean())
    weight = run.state.model.encoder.get_input_embeddings().weight
    head = type(run.state.model.head("intent"))
    loss_sum = head.loss_sum
    monkeypatch.setattr(head, "loss_sum", lambda *args: loss_sum(*args) + weight.square().sum())
    with pytest.raises(TrainingError, match=r"HiddenSize\.vocabulary\.tie"):
        run.run_epoch(1)


def with_masked_words(folder: Path) -> dict[str, object]:
    (folder / "text.txt").write_text("play a song by the band tomorrow\n" * 40)
    splits = {"train": str(folder / "text.txt"), "dev": 0.2}
    return {
        "datasets.text": {"kind": "lines", "splits": splits},
        "tasks.words": {"kind": "masked_lm", "dataset": "text", "chunk": 16},
    }


def test_masked_lm_picks_no_rows(
    run_config: RunConfigFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config(with_masked_words(tmp_path))
    monkeypatch.setattr(LazyRows, "__init__", lambda *args: pytest.fail("rows were picked"))
    assert list(train(config))


class TestDropout:
    """Against the definition: a share of p is 0, the others are scaled, gradients alike."""

    @pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
    @pytest.mark.parametrize("shape", [(1000, 33), (7,), (64, 3, 5, 11)])
    def test_drops_its_share(self, p: float, shape: tuple[int, ...]) -> None:
        torch.manual_seed(0)
        values = torch.ones(shape, requires_grad=True)
        found = FastDropout(p)(values)
        found.sum().backward()
        kept = found != 0
        scaled = torch.full_like(found[kept], 1 / (1 - p))
        torch.testing.assert_close(found[kept], scaled, rtol=1e-4, atol=0)
        assert values.grad is not None
        assert torch.equal(values.grad, found.detach())
        count = values.numel()
        assert (~kept).sum() / count == pytest.approx(p, abs=5 * (p * (1 - p) / count) ** 0.5)

    @pytest.mark.parametrize("p", [0.99999, 0.999999])
    def test_nearly_all_can_be_dropped(self, p: float) -> None:
        """65535 of 65536 at most: what 16 bits can tell."""
        torch.manual_seed(0)
        found = FastDropout(p)(torch.ones(100_000))
        assert (found == 0).float().mean() > 0.9998
        assert found.max() <= 65536

    def test_neighbours_are_dropped_independently(self) -> None:
        """Four numbers come out of one draw: none must tell of another."""
        torch.manual_seed(0)
        kept = (FastDropout(0.3)(torch.ones(40000, 4)) != 0).double()
        correlation = torch.corrcoef(kept.T) - torch.eye(4)
        assert correlation.abs().max() < 5 / 40000**0.5

    def test_evaluation_and_the_ends_are_torchs(self) -> None:
        values = torch.randn(5, 3)
        assert torch.equal(FastDropout(0.5).eval()(values), values)
        assert torch.equal(FastDropout(0.0)(values), values)
        assert not FastDropout(1.0)(values).any()

    def test_the_seed_decides(self) -> None:
        masks = []
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            masks.append(FastDropout(0.5)(torch.ones(100)))
        assert torch.equal(masks[0], masks[1])
        assert not torch.equal(masks[0], masks[2])


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
