"""Attention against torch's own, and dropout of its weights against the definition."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory
from encoders import FAMILIES, tiny
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from mtl_core.assets import Assets, build_tasks
from mtl_core.model import attention
from mtl_core.model._transformers import chosen_attention
from mtl_core.model.attention import fast_attention, use_fast_attention
from mtl_core.model.dropout import draw_bits

SHORT_AND_LONG = [5, 15, 16, 33]
CALLING = [
    "bert", "roberta", "camembert", "xlm-roberta", "distilbert", "electra", "albert", "modernbert",
    "gpt2", "gpt_neox",
]  # fmt: skip
"""Families whose layers call attention through Transformers; the others have their own."""


def inputs(length: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Returns queries, keys and values, (3, 2, length, 8) each."""
    generator = torch.Generator().manual_seed(length)
    query, key, value = torch.randn(3, 3, 2, length, 8, generator=generator).to(dtype).unbind()
    return query.requires_grad_(), key.requires_grad_(), value.requires_grad_()


def padding(length: int) -> Tensor:
    """Returns the mask of three rows, the first of full length, (3, 1, 1, length)."""
    lengths = torch.tensor([length, length - 1, 2])
    return (torch.arange(length) < lengths.unsqueeze(1))[:, None, None]


def gradients(found: Tensor, wanted: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Returns the gradients of a sum in which every number has another factor."""
    factors = torch.linspace(-1, 1, found.numel()).view(found.shape).to(found.dtype)
    return torch.autograd.grad((found * factors).sum(), wanted)


@pytest.fixture
def layer() -> nn.Module:
    """An attention layer that looks in both directions."""
    module = nn.Module()
    module.is_causal = False  # type: ignore[assignment]
    return module


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The length of the rows of every call that is not left to torch."""
    found: list[int] = []
    original = attention.attend

    def attend(query: Tensor, *others: Tensor, **more: float) -> Tensor:
        found.append(query.shape[2])
        return original(query, *others, **more)

    monkeypatch.setattr(attention, "attend", attend)
    return found


@pytest.mark.parametrize("length", SHORT_AND_LONG)
@pytest.mark.parametrize("mask", ["none", "padding", "each_head"])
@pytest.mark.parametrize("scaling", [None, 0.2])
def test_without_dropout_is_torchs(
    layer: nn.Module, calls: list[int], length: int, mask: str, scaling: float | None
) -> None:
    given = None if mask == "none" else padding(length)
    if mask == "each_head":
        given = torch.rand(3, 2, length, length, generator=torch.Generator().manual_seed(1)) < 0.7
        given[..., 0] = True
    parts = inputs(length)
    found, weights = fast_attention(layer, *parts, given, scaling=scaling)
    expected, _ = sdpa_attention_forward(layer, *parts, given, scaling=scaling)
    assert weights is None
    assert calls == [length]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    pairs = zip(gradients(found, parts), gradients(expected, parts), strict=True)
    for own, torchs in pairs:
        torch.testing.assert_close(own, torchs, rtol=1e-5, atol=1e-6)


def test_evaluates_short_rows(layer: nn.Module, calls: list[int]) -> None:
    parts = inputs(15)
    with torch.no_grad():
        found, _ = fast_attention(layer, *parts, padding(15))
    assert calls == [15]
    expected, _ = sdpa_attention_forward(layer, *parts, padding(15))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("length", [5, 33])
def test_a_query_that_may_look_nowhere_gets_the_mean(layer: nn.Module, length: int) -> None:
    mask = torch.ones(3, 1, length, length, dtype=torch.bool)
    mask[0, 0, 2] = False
    query, key, value = inputs(length)
    found, _ = fast_attention(layer, query, key, value, mask)
    torch.testing.assert_close(found[0, 2], value[0].mean(dim=1))


@pytest.mark.parametrize("length", [*SHORT_AND_LONG, 130])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_is_that_of_its_definition(
    layer: nn.Module, calls: list[int], length: int, dtype: torch.dtype
) -> None:
    """softmax(q k^T) with a share of p set to 0 and the others scaled, in double precision."""
    p, parts = 0.3, inputs(length, dtype)
    torch.manual_seed(3)
    found, _ = fast_attention(layer, *parts, padding(length), dropout=p)
    assert calls == [length]

    torch.manual_seed(3)
    bits, limit, factor = draw_bits((3, 2, length, length), p)
    kept = (bits >= limit).double() * factor
    if length < 16:  # drawn for keys by queries
        kept = kept.transpose(2, 3)
    exact = tuple(part.detach().double().requires_grad_() for part in parts)
    query, key, value = exact
    scores = query @ key.transpose(2, 3) / 8**0.5
    weights = scores.masked_fill(~padding(length), float("-inf")).softmax(-1) * kept
    expected = (weights @ value).transpose(1, 2)

    close = {"rtol": 1e-5, "atol": 1e-6} if dtype == torch.float32 else {"rtol": 0.05, "atol": 0.05}
    torch.testing.assert_close(found.double(), expected, **close)
    pairs = zip(gradients(found, parts), gradients(expected, exact), strict=True)
    for own, wanted in pairs:
        torch.testing.assert_close(own.double(), wanted, **close)


@pytest.mark.parametrize("length", [15, 33])
def test_dropout_drops_its_share(layer: nn.Module, length: int) -> None:
    """Queries of 0 look at all keys alike: every weight is 0 or 1 / 0.8 / length."""
    value = torch.eye(length).expand(40, 2, length, length)
    query = torch.zeros_like(value).requires_grad_()
    torch.manual_seed(0)
    found, _ = fast_attention(layer, query, query, value, None, dropout=0.2)
    kept = found > 0
    torch.testing.assert_close(
        found[kept], torch.full_like(found[kept], 1 / 0.8 / length), rtol=1e-4, atol=0
    )
    error = (0.2 * 0.8 / kept.numel()) ** 0.5
    assert (~kept).float().mean().item() == pytest.approx(0.2, abs=5 * error)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("length", [9, 20])
def test_families_compute_the_same(family: str, length: int, calls: list[int]) -> None:
    """Hidden states and gradients of an encoder as before, also with padding."""
    off = {
        "attention_dropout": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "hidden_dropout_prob": 0.0,
        "hidden_dropout": 0.0,
        **dict.fromkeys(("attn_pdrop", "resid_pdrop", "embd_pdrop"), 0.0),
    }
    encoder = tiny(family, **off, dropout=0.0).train()
    ids = torch.randint(4, 90, (3, length), generator=torch.Generator().manual_seed(0))
    mask = padding(length)[:, 0, 0].long()
    fast = copy.deepcopy(encoder)
    use_fast_attention(fast)
    states = []
    for each in (encoder, fast):
        found = each(input_ids=ids, attention_mask=mask).last_hidden_state
        (found * mask.unsqueeze(2)).pow(2).sum().backward()
        states.append(found[mask.bool()])
    torch.testing.assert_close(states[0], states[1], rtol=1e-4, atol=1e-5)
    for (name, own), other in zip(fast.named_parameters(), encoder.parameters(), strict=True):
        if other.grad is not None:
            torch.testing.assert_close(
                own.grad, other.grad, rtol=1e-3, atol=1e-4,
                msg=lambda text, name=name: f"{name}: {text}",
            )  # fmt: skip
    assert calls == ([length] * 3 if family in CALLING else [])


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(
    ("family", "sizes", "served"),
    [
        ("gpt2", {"n_embd": 32, "n_head": 4, "n_layer": 2}, True),
        # Two heads of keys for four of queries.
        (
            "qwen2",
            {
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
            },
            False,
        ),
    ],
)
def test_decoders_still_look_back_only(
    family: str, sizes: dict[str, int], served: bool, padded: bool, calls: list[int]
) -> None:
    off = {"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, vocab_size=99, **off, **sizes)
    encoder = AutoModel.from_config(config).train()
    ids = torch.randint(4, 90, (3, 9))
    mask = padding(9)[:, 0, 0].long() if padded else torch.ones_like(ids)
    fast = copy.deepcopy(encoder)
    use_fast_attention(fast)
    states = [
        each(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]
        for each in (encoder, fast)
    ]
    torch.testing.assert_close(states[0], states[1], rtol=1e-4, atol=1e-5)
    # Without padding there is no mask, and only `sdpa` knows how to look back.
    assert calls == ([9, 9] if served and padded else [])


@pytest.mark.parametrize("implementation", ["eager", "flex_attention"])
def test_another_attention_that_was_asked_for_stays(implementation: str) -> None:
    encoder = tiny("bert")
    encoder = AutoModel.from_config(encoder.config, attn_implementation=implementation)
    use_fast_attention(encoder)
    assert chosen_attention(encoder) == implementation


def test_a_pickled_model_runs_where_none_was_built(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    config = run_config({})
    assets = Assets.load(config, device=torch.device("cpu"))
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    (tmp_path / "model").write_bytes(pickle.dumps(model))
    code = (
        "import pickle, sys, torch;"
        "encoder = pickle.load(open(sys.argv[1], 'rb')).encoder;"
        "ids = torch.tensor([[2, 5, 3]]);"
        "print(*encoder(input_ids=ids).last_hidden_state.shape[:2])"
    )
    run = [sys.executable, "-c", code, str(tmp_path / "model")]
    found = subprocess.run(run, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1", "3"]


def test_leaves_the_rest_to_torch(layer: nn.Module, calls: list[int]) -> None:
    """Long rows, those without gradients sooner; looking back; what only `sdpa` knows; GPUs."""
    query, key, value = inputs(9)
    fixed = tuple(part.detach() for part in inputs(16))
    elsewhere = tuple(part.to("meta") for part in inputs(9))
    cases = [
        fast_attention(layer, *fixed, None),
        fast_attention(layer, query, key, value, None, is_causal=True),
        fast_attention(layer, query, key, value, torch.zeros(3, 1, 9, 9)),
        fast_attention(layer, query, key, value, None, position_bias=torch.zeros(1, 2, 9, 9)),
        fast_attention(layer, *inputs(128), None),
        fast_attention(layer, *elsewhere, None, dropout=0.3),
    ]
    with pytest.raises(ValueError, match="softcap"):  # what sdpa says of it
        fast_attention(layer, query, key, value, None, softcap=30.0)
    assert calls == []
    torch.testing.assert_close(cases[0][0], sdpa_attention_forward(layer, *fixed, None)[0])
    back, _ = sdpa_attention_forward(layer, query, key, value, None, is_causal=True)
    torch.testing.assert_close(cases[1][0], back)


def test_a_saved_encoder_does_not_name_it(tmp_path: Path) -> None:
    """Others must be able to load it."""
    encoder = tiny("bert")
    use_fast_attention(encoder)
    assert chosen_attention(encoder) == "mtl_fast"
    encoder.save_pretrained(tmp_path)
    assert "mtl_fast" not in (tmp_path / "config.json").read_text()
    assert AutoConfig.from_pretrained(tmp_path).hidden_size == 32
