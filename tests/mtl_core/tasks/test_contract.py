"""Every kind of everything, from YAML: trains, checkpoints, resumes, is saved, predicts, scores."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from contract_files import FORMATS, write_formats
from lives import EPOCHS, INTENT, SLOTS, kinds_of, live
from pydantic import TypeAdapter
from torch import Tensor

from mtl_core.data.formats.kinds import DatasetSection
from mtl_core.errors import ConfigError
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.model.kinds import FreezingSection
from mtl_core.prediction import Text
from mtl_core.predictor import Predictor
from mtl_core.tasks.kinds import AnyTaskSection
from mtl_core.training.mixing import MixingSection
from mtl_core.weighting.kinds import WeightingSection

TASKS: dict[str, dict[str, Any]] = {
    "classification": {**INTENT, "class_weights": "balanced", "label_smoothing": 0.1},
    "multilabel": {"kind": "multilabel", "dataset": "rows", "column": "topics"},
    "regression": {"kind": "regression", "dataset": "rows", "column": "rating"},
    "tagging": {**SLOTS, "subwords": "all", "decoding": "viterbi", "scores_by_type": True},
    "tagging crf": {**SLOTS, "crf": True},
    "tagging plain": {**SLOTS, "scheme": "plain", "column": "pos"},
    "question_answering": {"kind": "question_answering", "dataset": "questions", "overlap": 2},
    "masked_lm": {"kind": "masked_lm", "dataset": "lines", "chunk": 16, "auxiliary": False},
    "head mlp": {**INTENT, "head": {"kind": "mlp", "hidden_size": 16, "dropout": 0.1}},
    "head linear": {**INTENT, "head": {"kind": "linear", "dropout": 0.2}},
}
WRITING: dict[str, dict[str, Any]] = {
    "causal_lm": {"kind": "causal_lm", "dataset": "lines", "chunk": 16, "auxiliary": False},
    "generation": {"kind": "generation", "dataset": "lines", "column": "intent"},
}
"""Those that a model has to write for; see `test_writing_contract.py`."""
FORMAT_TASKS: dict[str, dict[str, Any]] = {
    "conll": SLOTS,
    "conllu": {**SLOTS, "scheme": "plain", "column": "upos"},
    "squad": {"kind": "question_answering", "dataset": "rows", "overlap": 2},
    "spans_json": {**SLOTS, "column": "spans"},
    "lines": {"kind": "masked_lm", "dataset": "rows", "auxiliary": False},
    "multiwoz": {"kind": "multilabel", "dataset": "rows", "column": "acts"},
}
MIXING = [
    {"kind": "proportional"},
    {"kind": "uniform"},
    {"kind": "temperature", "temperature": 3},
    {"kind": "annealed", "fall": 0.5},
    {"kind": "round_robin"},
    {"kind": "joint"},
    {"kind": "progress", "floor": 0.2},
]
FREEZING = [
    {"kind": "none"},
    {"kind": "embeddings"},
    {"kind": "lower_layers", "layers": 2},
    {"kind": "upper_layers", "layers": 1},
    {"kind": "encoder"},
    {"kind": "gradual", "every": 1},
    {"kind": "bias_only"},
    {"kind": "lora", "rank": 2, "dropout": 0.1},
    {"kind": "lora", "rank": 2, "targets": "ffn", "from_layer": 1, "dora": True, "bits": 16},
]
WEIGHTING: list[dict[str, Any]] = [
    {"kind": "fixed"},
    {"kind": "uncertainty"},
    {"kind": "dwa", "temperature": 1.5},
    {"kind": "random"},
    {"kind": "geometric_mean"},
    {"kind": "imtl_l"},
    {"kind": "stch", "mu": 0.3},
    {"kind": "famo", "lr": 0.1},
    {"kind": "gradnorm", "alpha": 0.5},
    {"kind": "pcgrad"},
    {"kind": "cagrad", "c": 0.3},
    {"kind": "upgrad"},
    {"kind": "mgda"},
    {"kind": "gradvac", "beta": 0.2},
    {"kind": "graddrop"},
    {"kind": "aligned_mtl", "scale": "rmse"},
    {"kind": "fairgrad", "alpha": 2},
    {"kind": "imtl_g"},
    {"kind": "nash", "update_every": 2},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same rows in every format."""
    folder = tmp_path_factory.mktemp("formats")
    write_formats(folder)
    return folder


Life = Callable[..., Predictor]


@pytest.fixture
def life(folder: Path, tiny_encoder: Path, tmp_path: Path) -> Life:
    def run(changes: Mapping[str, Any], **options: Any) -> Predictor:
        return live(folder, tiny_encoder, tmp_path, changes, **options)

    return run


@pytest.fixture(scope="module")
def plain(
    folder: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Tensor]:
    """The weights after a run in which nothing was changed."""
    path = tmp_path_factory.mktemp("plain")
    live(folder, tiny_encoder, path, {})
    return weights_of(path / "run")


def weights_of(run: Path) -> dict[str, Tensor]:
    """Returns the weights after the last epoch."""
    weights: dict[str, Tensor] = torch.load(run / "state.pt", weights_only=True)["model"]
    return weights


def test_every_kind_is_here() -> None:
    assert {section["kind"] for section in MIXING} == kinds_of(MixingSection)
    assert {section["kind"] for section in FREEZING} == kinds_of(FreezingSection)
    assert {section["kind"] for section in WEIGHTING} == kinds_of(WeightingSection)
    tasks = [*TASKS.values(), *WRITING.values()]
    assert {section["kind"] for section in tasks} == kinds_of(AnyTaskSection)
    assert FORMATS.keys() == kinds_of(DatasetSection)


@pytest.mark.parametrize("name", TASKS)
def test_task(name: str, life: Life) -> None:
    sources = {
        "rows": {"kind": "jsonl", **FORMATS["jsonl"]},
        "questions": {"kind": "squad", **FORMATS["squad"]},
        "lines": {"kind": "lines", **FORMATS["lines"]},
    }
    task = TASKS[name]
    used = {name: sources[name] for name in {task["dataset"], "rows"}}
    text: Text = "play some jazz"
    if name == "question_answering":
        text = ("where is it", "in paris now")
    predictor = life({"datasets": used, "tasks": {"one": task, "slots": SLOTS}}, text=text)
    assert predictor.outputs_of() == (["slots"] if name == "masked_lm" else ["one", "slots"])


def test_questions_of_two_data_sets(life: Life) -> None:
    source = {"kind": "squad", **FORMATS["squad"]}
    task = {**TASKS["question_answering"], "dataset": ["questions", "more"]}
    changes = {"datasets": {"questions": source, "more": source}, "tasks": {"one": task}}
    predictor = life(changes, text=("where is it", "in paris now"))
    assert predictor.outputs_of() == ["one"]


@pytest.mark.parametrize("name", WRITING)
def test_an_encoder_alone_writes_nothing(name: str, life: Life) -> None:
    with pytest.raises(
        ConfigError, match=rf"tasks\.one\.kind: {WRITING[name]['kind']} writes text"
    ):
        life(
            {
                "tasks": {"one": WRITING[name]},
                "datasets": {"lines": {"kind": "lines", **FORMATS["lines"]}},
            }
        )


@pytest.mark.parametrize("kind", FORMATS)
def test_format(kind: str, life: Life) -> None:
    source = {"kind": kind, **FORMATS[kind]}
    task = FORMAT_TASKS.get(kind, INTENT)
    rows = {"kind": "jsonl", **FORMATS["jsonl"]}
    tasks = {"one": task, "slots": {**SLOTS, "dataset": "more"}}
    text: Text = ("where is it", "in paris now") if kind == "squad" else "play some jazz"
    predictor = life({"datasets": {"rows": source, "more": rows}, "tasks": tasks}, text=text)
    assert predictor.outputs_of() == (["slots"] if kind == "lines" else ["one", "slots"])


@pytest.mark.parametrize("mixing", MIXING, ids=lambda section: section["kind"])
def test_mixing(mixing: dict[str, Any], life: Life) -> None:
    sources = {
        "rows": {"kind": "jsonl", **FORMATS["jsonl"]},
        "more": {"kind": "seq_in_out", **FORMATS["seq_in_out"]},
    }
    tasks = {
        "intent": INTENT,
        "slots": {**SLOTS, "dataset": ["rows", "more"]},
        "again": {**INTENT, "dataset": "more"},
    }
    predictor = life({"datasets": sources, "tasks": tasks, "mixing": mixing})
    assert sorted(predictor.outputs_of()) == ["again", "intent", "slots"]


@pytest.mark.parametrize("freezing", FREEZING, ids=lambda section: section["kind"])
def test_freezing(freezing: dict[str, Any], life: Life, tiny_encoder: Path) -> None:
    encoder = life({"freezing": freezing}).model.encoder
    pretrained = Encoder(name=str(tiny_encoder)).load().state_dict()
    trained = {n for n, p in encoder.named_parameters() if not torch.equal(p, pretrained[n])}
    assert bool(trained) == (freezing["kind"] != "encoder")
    if freezing["kind"] == "lora":  # The adapters are part of the matrices now.
        assert all(name.endswith("weight") and "LayerNorm" not in name for name in trained)
    else:
        section = TypeAdapter(FreezingSection).validate_python(freezing)
        frozen = section.frozen_parameters(encoder, epoch=EPOCHS)
        assert not frozen.intersection(encoder.get_parameter(name) for name in trained)


@pytest.mark.parametrize("weighting", WEIGHTING, ids=lambda section: section["kind"])
def test_weighting(
    weighting: dict[str, Any], life: Life, plain: dict[str, Tensor], tmp_path: Path
) -> None:
    life({"weighting": weighting})
    weights = weights_of(tmp_path / "run")
    is_the_same = all(torch.equal(value, plain[name]) for name, value in weights.items())
    assert is_the_same == (weighting["kind"] == "fixed")


@pytest.mark.parametrize("normalize", ["none", "l1", "l2"])
@pytest.mark.parametrize("pooling", ["cls", "mean", "max", "attention"])
def test_pooling(pooling: str, normalize: str, life: Life, tiny_encoder: Path) -> None:
    encoder = {"name": str(tiny_encoder), "pooling": pooling, "normalize": normalize}
    model = life({"encoder": encoder}).model
    hidden = torch.randn(2, 5, model.encoder.config.hidden_size)
    vectors = model.pooler(hidden, torch.ones(2, 5))
    for order in (1, 2):
        has_norm = vectors.norm(p=order, dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)
        assert has_norm == (normalize == f"l{order}")


def test_pairs_and_features(life: Life) -> None:
    source = {"kind": "jsonl", **FORMATS["jsonl"], "text_pair": "second", "features": "vector"}
    tasks = {"intent": INTENT}
    predictor = life({"datasets": {"rows": source}, "tasks": tasks}, text=("play jazz", "now"))
    width = predictor.model.num_features["intent"]
    assert width > 0
    # A task on pairs says nothing of a single text.
    [pair, single] = predictor([("play jazz", "now"), "play jazz"], features=[[1.0] * width] * 2)
    assert pair["intent"] is not None
    assert single["intent"] is None


def test_gradients_with_a_frozen_encoder_and_tasks_of_two_data_sets(
    life: Life, tiny_encoder: Path
) -> None:
    sources = {
        "rows": {"kind": "jsonl", **FORMATS["jsonl"]},
        "more": {"kind": "seq_in_out", **FORMATS["seq_in_out"]},
    }
    tasks = {"intent": INTENT, "slots": {**SLOTS, "dataset": "more"}}
    predictor = life(
        {
            "datasets": sources,
            "tasks": tasks,
            "weighting": {"kind": "upgrad"},
            "freezing": {"kind": "encoder"},
            "mixing": {"kind": "joint"},
        }
    )
    pristine = Encoder(name=str(tiny_encoder)).load().state_dict()
    kept = predictor.model.encoder.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in pristine.items())
