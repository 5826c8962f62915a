"""A run that writes: small random decoder, rows of which a reply is to be learnt."""

import json
from pathlib import Path

from small_decoders import save_decoder

from mtl_core.config import RunConfig
from mtl_core.data.example import Example
from mtl_core.study_file import override

NAMES, FOODS = ("anna", "bob", "carl", "dora"), ("rice", "soup", "fish", "cake")
ROWS = [{"text": f"{a} likes {b}", "reply": f"{b} for {a}"} for a in NAMES for b in FOODS]


def writing_run(folder: Path, overrides: dict[str, object] | None = None) -> RunConfig:
    """Saves the model and the rows in a folder; returns the run."""
    model = folder / "decoder"
    if not model.exists():
        model.mkdir(parents=True)
        texts = [" ".join(row.values()) for row in ROWS]
        save_decoder(model, "llama", [Example(tuple(text.split())) for text in texts])
        (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    splits = dict.fromkeys(("train", "dev", "test"), str(folder / "rows.jsonl"))
    raw: dict[str, object] = {
        "encoder": {"kind": "decoder", "name": str(model)},
        "datasets": {"rows": {"kind": "jsonl", "splits": splits}},
        "tasks": {
            "reply": {
                "kind": "generation",
                "dataset": "rows",
                "column": "reply",
                "target_length": 12,
                "scores": ["chrf"],
                "decoding": {"max_new_tokens": 8},
            }
        },
        "optimizer": {"encoder_lr": 1e-2, "head_lr": 1e-2},
        "training": {"epochs": 2, "batch_size": 8, "precision": "fp32"},
    }
    return RunConfig.model_validate(override(raw, overrides or {}))
