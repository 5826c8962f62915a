"""Kinds that write, over every backbone: from YAML to a saved model that predicts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import save_tokenizer
from contract_files import FORMATS, make_rows, write_formats
from lives import INTENT, live
from seq2seq_models import tiny_seq2seq
from small_decoders import save_decoder
from weightings import ALL_KINDS

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.data.example import Example
from mtl_core.prediction import Text
from mtl_core.training.loop import train

TASKS: dict[str, dict[str, Any]] = {
    "generation": {
        "kind": "generation", "column": "topic", "prompt": "{words} in {place} {more}",
        "target_length": 8, "label_smoothing": 0.1, "scores": ["chrf", "bleu"],
        "generate": {"rows": None}, "decoding": {"max_new_tokens": 3},
    },
    "dialogues": {
        "kind": "generation", "column": "talk", "instruction": "be kind", "target_length": 8,
        "generate": {"rows": None}, "decoding": {"kind": "sample", "max_new_tokens": 3},
    },
    "causal_lm": {"kind": "causal_lm", "column": "", "chunk": 16, "auxiliary": False},
}  # fmt: skip
BACKBONES: dict[str, dict[str, Any]] = {
    "decoder": {"kind": "decoder"},
    "encoder_decoder": {"kind": "encoder_decoder"},
    "encoder": {"decoder": {"layers": 1}},
}


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, sample: dict[str, list[Example]]
) -> Path:
    """A folder with a small model for each backbone, and data for each task."""
    folder = tmp_path_factory.mktemp("writers")
    write_formats(folder)
    rows = [
        {
            "words": " ".join(row["text"]),
            "more": row["second"],
            "topic": row["intent"],
            "place": "paris",
            "talk": [
                {"role": role, "content": word}
                for word in row["text"][:2]
                for role in ("user", "assistant")
            ],
        }
        for row in make_rows()
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    (folder / "written.jsonl").write_text(lines, encoding="utf-8")
    save_decoder(folder / "decoder", "llama", sample["train"])
    size = save_tokenizer(folder / "encoder_decoder", sample["train"])
    tiny_seq2seq("t5", vocabulary=size).save_pretrained(folder / "encoder_decoder")
    (folder / "encoder").symlink_to(tiny_encoder)
    return folder


def settings_of(name: str, backbone: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Returns a run of a task that writes and of one that does not."""
    splits = {"train": "written.jsonl", "dev": 0.25, "test": 0.25}
    limit = {"train": 12, "dev": 4, "test": 1}
    return {
        "encoder": {"name": backbone, "max_length": 60, **BACKBONES[backbone]},
        "datasets": {
            "written": {"kind": "jsonl", **texts, "splits": splits, "limit": limit},
            "rows": {"kind": "jsonl", **FORMATS["jsonl"]},
        },
        "tasks": {"one": {**TASKS[name], "dataset": "written"}, "intent": INTENT},
        "training": {"epochs": 2, "batch_size": 6, "precision": "fp32"},
    }


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("name", TASKS)
def test_its_whole_life(name: str, backbone: str, folder: Path, tmp_path: Path) -> None:
    texts: dict[str, str] = {"text": "talk" if name == "dialogues" else "words"}
    text: Text = "play some jazz"
    if name == "generation":
        texts, text = {**texts, "text_pair": "more"}, (text, "now")
    changes = settings_of(name, backbone, texts)
    predictor = live(folder, folder / backbone, tmp_path, changes, text=text)
    [prediction] = predictor([text], columns=[{"place": "oslo"}])
    if name == "causal_lm":
        assert predictor.outputs_of() == ["intent"]
    else:
        assert isinstance(prediction["one"], str)


@pytest.fixture(scope="module")
def assets(folder: Path) -> tuple[dict[str, Any], Assets]:
    """A decoder that writes beside a label task, for one epoch."""
    plain = settings_of("dialogues", "decoder", {"text": "talk"})
    plain["training"] = {**plain["training"], "epochs": 1, "batch_size": 12}
    plain["tasks"]["one"]["generate"] = {"rows": 1}
    plain["encoder"]["name"] = str(folder / "decoder")
    for source in plain["datasets"].values():
        source["splits"] = {**source["splits"], "train": str(folder / source["splits"]["train"])}
    return plain, Assets.load(RunConfig.model_validate(plain), device=torch.device("cpu"))


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_weighting_weighs_a_task_that_writes(
    kind: str, assets: tuple[dict[str, Any], Assets]
) -> None:
    plain, loaded = assets
    config = RunConfig.model_validate({**plain, "weighting": {"kind": kind}})
    [report] = train(config, assets=loaded)
    assert np.isfinite(list(report.losses.values())).all()
    assert report.weights.keys() == {"one", "intent"}
