"""The model card: README.md of a saved model, as the Hugging Face hub shows it."""

import datetime
import importlib.metadata
from collections.abc import Mapping

from mtl_core.config import RunConfig

Scores = Mapping[str, float | Mapping[str, float]]


def render_card(
    config: RunConfig, labels: Mapping[str, tuple[str, ...]], *, dev: Scores, test: Scores | None
) -> str:
    """Returns the card as markdown.

    Args:
        config: The run that trained the model.
        labels: Task name -> labels the model predicts.
        dev: Dev scores of the saved epoch, as `result.json` holds them; may be empty.
        test: Test scores, when they were computed.
    """
    tasks = "\n".join(
        f"- `{name}` ({section.kind}): {len(labels[name])} labels: {_shorten(labels[name])}"
        for name, section in config.tasks.items()
    )
    versions = ", ".join(
        f"{package} {importlib.metadata.version(package)}" for package in ("torch", "transformers")
    )
    return f"""---
library_name: mtl
pipeline_tag: token-classification
tags: [multi-task, {", ".join(sorted({task.kind for task in config.tasks.values()}))}]
---

# Multi-task model: {", ".join(config.tasks)}

One encoder (`{_encoder_name(config)}`) with one head a task:

{tasks}

## Use

```
mtl predict FOLDER "some text"
```

```python
from mtl_core import Predictor

predictor = Predictor.load("FOLDER")
for prediction in predictor(["some text"]):
    print(prediction.to_json())
```

## Scores

{_score_table(dev, test)}

Epoch and recipe were chosen on dev; test was opened for the final scores only.

## Recipe

`run.yaml` holds every setting of the run. Data sets: {", ".join(config.datasets)}.
Saved {datetime.date.today().isoformat()} with {versions}.

## Limits

Words are cut at white space, as in training. Text longer than the encoder takes is cut, and the
words beyond get no span. Only labels of the training data can be predicted.
"""


def _encoder_name(config: RunConfig) -> str:
    # Of a local folder only its own name: the path says something about one machine alone.
    return config.encoder.name.rstrip("/").rpartition("/")[2]


def _shorten(labels: tuple[str, ...], most: int = 12) -> str:
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return ", ".join(labels[:most]) + more


def _score_table(dev: Scores, test: Scores | None) -> str:
    flat_dev, flat_test = _flatten(dev), _flatten(test or {})
    rows = [
        f"| {name} | {100 * value:.2f} | "
        + (f"{100 * flat_test[name]:.2f} |" if name in flat_test else "- |")
        for name, value in flat_dev.items()
    ]
    return "\n".join(["| score, % | dev | test |", "|---|---|---|", *rows])


def _flatten(scores: Scores) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in scores.items():
        if isinstance(value, Mapping):
            flat |= {f"{name} {score}": number for score, number in value.items()}
        else:
            flat[name] = value
    return flat
