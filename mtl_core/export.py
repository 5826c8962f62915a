"""Saving a trained model as a folder that `Predictor.load` and the Hugging Face tools read."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import save_file

from mtl_core.assets import Assets, build_tasks, count_features, count_parts
from mtl_core.config import RunConfig
from mtl_core.files import whole_folder
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model_card import render_card
from mtl_core.scores import ScoreTree
from mtl_core.study_file import dump
from mtl_core.training.checkpoint import load_best
from mtl_core.training.precision import Precision

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FORMAT = 4
"""Version of the folder; any other is refused."""


def export_best(
    checkpoint: Path,
    folder: Path,
    *,
    config: RunConfig,
    assets: Assets,
    dev: ScoreTree,
    test: ScoreTree | None,
) -> None:
    """Saves the best epoch of a run.

    Args:
        checkpoint: The run's checkpoint folder.
        folder: Where the model goes; a model that stands there is replaced as a whole.
        config: The run.
        assets: Its data and encoder.
        dev: Dev scores of that epoch, for the card.
        test: Test scores, for the card.
    """
    tasks = build_tasks(config, assets.data.datasets)
    model = assets.new_model(config, tasks)
    precision = load_best(checkpoint, model)
    assets.merge_adapters()
    save_model(folder, model, config=config, assets=assets, precision=precision, dev=dev, test=test)


def save_model(
    folder: Path,
    model: MultiTaskModel,
    *,
    config: RunConfig,
    assets: Assets,
    precision: Precision,
    dev: ScoreTree,
    test: ScoreTree | None,
) -> None:
    """Saves a model: weights, tokenizer, configuration, labels and card; see `export_best`."""
    tasks = build_tasks(config, assets.data.datasets)
    features = count_features(config, assets.data.datasets)
    parts = count_parts(config, assets.data.datasets)
    labels = {name: task.labels.trained for name, task in tasks.items()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder) as scratch:
        weights = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
        save_file(weights, scratch / "model.safetensors", metadata={"format": "pt"})
        model.encoder.config.save_pretrained(scratch)
        _change(scratch / "config.json", auto_map=None)
        _save_tokenizer(scratch, assets.data.tokenizer)
        meta = {
            "format": FORMAT,
            "max_length": assets.data.max_length,
            "precision": precision,
            "tasks": {
                name: {
                    "kind": section.kind,
                    "features": features[name],
                    "parts": parts[name],
                    # Labels that only dev or test hold mean nothing to a user of the model.
                    **(tasks[name].labels.to_json() | {"unseen": ()}),
                }
                for name, section in config.tasks.items()
            },
        }
        (scratch / "mtl.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
        (scratch / "run.yaml").write_text(dump(config), encoding="utf-8")
        card = render_card(config, labels, precision=precision, dev=dev, test=test)
        (scratch / "README.md").write_text(card, encoding="utf-8")


def _save_tokenizer(folder: Path, tokenizer: "PreTrainedTokenizerFast") -> None:
    """Saves a tokenizer as one of the general class, which reads as `tokenizer.json` says."""
    tokenizer.save_pretrained(folder)
    general = "PreTrainedTokenizerFast"
    _change(folder / "tokenizer_config.json", tokenizer_class=general, auto_map=None)


def _change(path: Path, **changes: str | None) -> None:
    """Changes settings that Transformers has written; None takes one out.

    `auto_map` is taken out as the class that was trained is always one of Transformers' own.
    """
    settings = json.loads(path.read_text(encoding="utf-8")) | changes
    kept = {key: value for key, value in settings.items() if key not in changes or value}
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
