"""Kinds that write, over every backbone: from YAML to a saved model that predicts."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import save_tokenizer
from contract_files import FORMATS, make_rows, write_formats
from lives import INTENT, live
from seq2seq_models import tiny_seq2seq
from small_decoders import save_decoder

from mtl_core.data.example import Example
from mtl_core.prediction import Text

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


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("name", TASKS)
def test_its_whole_life(name: str, backbone: str, folder: Path, tmp_path: Path) -> None:
    texts: dict[str, str] = {"text": "talk" if name == "dialogues" else "words"}
    text: Text = "play some jazz"
    if name == "generation":
        texts, text = {**texts, "text_pair": "more"}, (text, "now")
    splits = {"train": "written.jsonl", "dev": 0.25, "test": 0.25}
    limit = {"train": 12, "dev": 4, "test": 1}
    changes = {
        "encoder": {"name": backbone, "max_length": 60, **BACKBONES[backbone]},
        "datasets": {
            "written": {"kind": "jsonl", **texts, "splits": splits, "limit": limit},
            "rows": {"kind": "jsonl", **FORMATS["jsonl"]},
        },
        "tasks": {"one": {**TASKS[name], "dataset": "written"}, "intent": INTENT},
        "training": {"epochs": 2, "batch_size": 6, "precision": "fp32"},
    }
    predictor = live(folder, folder / backbone, tmp_path, changes, text=text)
    [prediction] = predictor([text], columns=[{"place": "oslo"}])
    if name == "causal_lm":
        assert predictor.outputs_of() == ["intent"]
    else:
        assert isinstance(prediction["one"], str)
