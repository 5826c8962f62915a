"""Every family of Transformers that reads texts: it trains, is saved and loaded, or is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import write_seq_in_out
from safetensors import safe_open
from saved_models import train_and_export
from token_encoders import FAMILIES, REFUSED, half, save_family
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, T5EncoderModel, T5Model

from mtl_core.assets import Assets, build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.batching import Batch, make_batch
from mtl_core.data.example import Example
from mtl_core.errors import ConfigError
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.model.layers import encoder_parts
from mtl_core.model.probe import facts_of
from mtl_core.predictor import Predictor
from mtl_core.study_file import override
from mtl_core.training.best import load_best
from mtl_core.training.loop import train

CPU = torch.device("cpu")
TAIL = {*[*FAMILIES][[*FAMILIES].index("yoso") :]} - {"gpt2", "llama", "bart", "t5"}
"""Decoders and encoder-decoders that are built much like the four that are left."""
NO_LAYERS = ("albert", "canine", "flaubert", "funnel", "squeezebert", "xlm")
"""Their layers share weights, stand in several lists, or are called past their modules."""
MakeConfig = Callable[..., RunConfig]


@pytest.fixture(scope="module")
def examples(sample: dict[str, list[Example]]) -> dict[str, list[Example]]:
    sizes = {"train": 16, "dev": 6, "test": 6}
    return {
        split: [example for example in sample[split] if len(example.labels) == 2][:size]
        for split, size in sizes.items()
    }


@pytest.fixture(scope="module")
def make_config(
    examples: dict[str, list[Example]], tmp_path_factory: pytest.TempPathFactory
) -> MakeConfig:
    """Makes a run of three tasks, on sentences and on pairs."""
    folder = tmp_path_factory.mktemp("corpus")
    splits = {split: str(folder / f"{split}.jsonl") for split in examples}
    for split, rows in examples.items():
        write_seq_in_out(folder / split, rows)
        pairs = [
            {"text": " ".join(one.words[:4]), "to": " ".join(one.words[4:]) or "so",
             "label": one.labels["intent"]}
            for one in rows
        ]  # fmt: skip
        Path(splits[split]).write_text("".join(f"{json.dumps(pair)}\n" for pair in pairs))
    raw = {
        "encoder": {"max_length": 32},
        "datasets": {
            "single": {"kind": "seq_in_out", "path": str(folder)},
            "pairs": {"kind": "jsonl", "text_pair": "to", "splits": splits},
        },
        "tasks": {
            "intent": {"kind": "classification", "dataset": "single", "column": "intent"},
            "slots": {"kind": "tagging", "dataset": "single", "column": "slots"},
            "label": {"kind": "classification", "dataset": "pairs", "column": "label"},
        },
        "training": {"epochs": 1, "batch_size": 8, "precision": "fp32"},
    }

    def make(encoder: Path, overrides: dict[str, object] | None = None) -> RunConfig:
        return RunConfig.model_validate(
            override(raw, {"encoder.name": str(encoder), **(overrides or {})})
        )

    return make


def hidden(encoder: nn.Module, batch: Batch) -> Tensor:
    with torch.no_grad():
        states: Tensor = encoder(
            input_ids=batch.token_ids, attention_mask=batch.attention_mask
        ).last_hidden_state
    return states


@pytest.mark.parametrize("family", FAMILIES)
def test_family_trains_and_is_the_same_after_saving(
    family: str, make_config: MakeConfig, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    save_family(tmp_path / "encoder", family, sample["train"])
    config = make_config(tmp_path / "encoder")
    report = train_and_export(config, tmp_path)
    assert all(torch.tensor(loss).isfinite() for loss in report.losses.values())
    assets = Assets.load(config, device=CPU)
    splits = {name: assets.data.datasets[name].splits["dev"] for name in ("single", "pairs")}
    batches = {n: make_batch(split, [0, 1, 2], pad_token_id=0) for n, split in splits.items()}
    single = batches["single"]
    # What is trained is what Transformers itself makes of the folder.
    pretrained = half(AutoModel.from_pretrained(tmp_path / "encoder"))
    untrained = assets.new_model(config, build_tasks(config, assets.data.datasets)).eval()
    torch.testing.assert_close(hidden(untrained.encoder, single), hidden(pretrained, single))
    # The model of the checkpoint, which was never written as a folder.
    load_best(tmp_path / "checkpoint", untrained)
    loaded = Predictor.load(tmp_path / "model").model
    for name, tasks in {"single": ["intent", "slots"], "pairs": ["label"]}.items():
        with torch.no_grad():
            before, after = untrained(batches[name], tasks), loaded(batches[name], tasks)
        for task in tasks:
            torch.testing.assert_close(before[task], after[task])
    # And what others read.
    saved = half(AutoModel.from_pretrained(tmp_path / "model"))
    torch.testing.assert_close(hidden(saved, single), hidden(loaded.encoder, single))
    assert not torch.allclose(hidden(saved, single), hidden(pretrained, single))


@pytest.mark.parametrize(
    "family",
    [pytest.param(name, marks=pytest.mark.slow) if name in TAIL else name for name in FAMILIES],
)
def test_lower_layers_stay_as_they_are_and_upper_ones_train(
    family: str, make_config: MakeConfig, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    save_family(tmp_path, family, sample["train"])
    freezing = {"kind": "lower_layers", "layers": 1}
    config = make_config(tmp_path, {"freezing": freezing, "optimizer.layer_decay": 0.5})
    if family in NO_LAYERS:
        with pytest.raises(ConfigError, match=r"no single list of layers|share their weights"):
            next(train(config))
        return
    assets = Assets.load(config, device=CPU)
    batch = make_batch(assets.data.datasets["single"].splits["dev"], [0, 1], pad_token_id=0)

    def states(encoder: nn.Module) -> tuple[Tensor, Tensor]:
        seen: list[Tensor] = []
        hook = (
            encoder_parts(encoder)
            .layers[1]
            .register_forward_pre_hook(
                lambda _, args, named: seen.append(args[0] if args else named["hidden_states"]),
                with_kwargs=True,
            )
        )
        last = hidden(encoder.eval(), batch)
        hook.remove()
        return seen[0], last

    before = states(assets.new_model(config, build_tasks(config, assets.data.datasets)).encoder)
    weights = Encoder(name=str(tmp_path)).load().state_dict()
    [report] = train(config, assets=assets, checkpoint=tmp_path / "run")
    counts = {name: n for name, n in report.trained.items() if name.startswith("encoder.")}
    assert set(counts) <= {"encoder.layer_1", "encoder.norm"}
    trained = assets.new_model(config, build_tasks(config, assets.data.datasets))
    load_best(tmp_path / "run", trained)
    after = states(trained.encoder)
    torch.testing.assert_close(after[0], before[0])
    assert not torch.allclose(after[1], before[1])
    moved = [p for n, p in trained.encoder.named_parameters() if not torch.equal(p, weights[n])]
    assert 0 < sum(parameter.numel() for parameter in moved) <= sum(counts.values())


@pytest.mark.parametrize("family", REFUSED)
def test_what_cannot_run_is_refused_in_one_line(
    family: str, make_config: MakeConfig, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    save_family(tmp_path, family, sample["train"])
    with pytest.raises(ConfigError) as refusal:
        next(train(make_config(tmp_path)))
    assert str(refusal.value).startswith("run.encoder.name: ")
    assert REFUSED[family][1] in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_could_not_be_loaded_again_is_refused_before_it_trains(
    make_config: MakeConfig,
    sample: dict[str, list[Example]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def encoder_that_says_it_is_whole(model: T5Model) -> PreTrainedModel:
        model.encoder.config.is_encoder_decoder = False
        return model.encoder

    monkeypatch.setattr(T5Model, "get_encoder", encoder_that_says_it_is_whole)
    save_family(tmp_path, "t5", sample["train"])
    expected = r"could not be loaded again .* gives a T5Model in place of a T5Stack"
    with pytest.raises(ConfigError, match=expected):
        next(train(make_config(tmp_path)))


@pytest.mark.parametrize(
    ("family", "takes_segments"),
    [
        ("bert", True),
        ("roberta", True),
        ("xlnet", True),
        ("distilbert", False),
        ("bart", False),
        # They look segments up among the words.
        ("gpt2", False),
        ("xlm", False),
        ("flaubert", False),
        # Seven kinds of segments, of which a tokenizer of texts knows none.
        ("tapas", False),
    ],
)
def test_segments_go_to_encoders_that_have_weights_for_them(
    family: str,
    takes_segments: bool,
    make_config: MakeConfig,
    sample: dict[str, list[Example]],
    tmp_path: Path,
) -> None:
    save_family(tmp_path, family, sample["train"])
    config = make_config(tmp_path)
    assets = Assets.load(config, device=CPU)
    model = assets.new_model(config, build_tasks(config, assets.data.datasets)).eval()
    assert facts_of(model.encoder).takes_segments == takes_segments
    batch = make_batch(assets.data.datasets["pairs"].splits["dev"], [0, 1, 2], pad_token_id=0)
    assert batch.token_types is not None
    assert batch.token_types.any()
    seen: list[Tensor] = []
    model.encoder.register_forward_hook(lambda _, __, out: seen.append(out.last_hidden_state))
    with torch.no_grad():
        model(batch, ["label"])
        expected = half(AutoModel.from_pretrained(tmp_path))(
            input_ids=batch.token_ids,
            attention_mask=batch.attention_mask,
            **({"token_type_ids": batch.token_types} if takes_segments else {}),
        ).last_hidden_state
    torch.testing.assert_close(seen[0], expected)


@pytest.mark.parametrize(("family", "has_segments"), [("bert", True), ("gpt2", False)])
def test_other_libraries_give_a_pair_the_segments_that_it_was_trained_with(
    family: str,
    has_segments: bool,
    make_config: MakeConfig,
    sample: dict[str, list[Example]],
    tmp_path: Path,
) -> None:
    save_family(tmp_path / "encoder", family, sample["train"])
    train_and_export(make_config(tmp_path / "encoder"), tmp_path)
    inputs = AutoTokenizer.from_pretrained(tmp_path / "model")("play jazz", "in paris")
    assert ("token_type_ids" in inputs) == has_segments
    assert not has_segments or any(inputs["token_type_ids"])


@pytest.mark.parametrize("family", ["ibert", "squeezebert"])
def test_adapters_need_linear_layers(
    family: str, make_config: MakeConfig, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    save_family(tmp_path, family, sample["train"])
    lora = {"freezing": {"kind": "lora", "rank": 2}}
    with pytest.raises(ConfigError, match=r"freezing\.kind: this encoder has no linear layers"):
        next(train(make_config(tmp_path, lora)))


@pytest.mark.parametrize("family", ["bart", "t5", "led"])
def test_half_is_saved_once_and_without_the_decoder(
    family: str, make_config: MakeConfig, sample: dict[str, list[Example]], tmp_path: Path
) -> None:
    save_family(tmp_path / "encoder", family, sample["train"])
    train_and_export(make_config(tmp_path / "encoder"), tmp_path)
    with safe_open(tmp_path / "model" / "model.safetensors", framework="pt") as file:
        sizes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
        assert not [name for name in file.keys() if "decoder" in name]  # noqa: SIM118
    # sentence-transformers would read a decoder's output.
    assert not (tmp_path / "model" / "modules.json").exists()
    encoder = Encoder(name=str(tmp_path / "encoder")).load()
    assert sum(torch.Size(size).numel() for size in sizes) == sum(
        parameter.numel() for parameter in encoder.parameters()
    )
    if family == "t5":
        own = T5EncoderModel.from_pretrained(tmp_path / "model").encoder.state_dict()
        loaded = Predictor.load(tmp_path / "model").model.encoder.state_dict()
        assert {
            name: torch.equal(own[name], value) for name, value in loaded.items()
        } == dict.fromkeys(loaded, True)
