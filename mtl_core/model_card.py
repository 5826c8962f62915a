"""The model card: README.md of a saved model, as the Hugging Face hub shows it."""

import datetime
import importlib.metadata
import json
import re
from collections.abc import Mapping

from mtl_core.config import RunConfig
from mtl_core.markdown import code, plain
from mtl_core.scores import ScoreTree, flatten, show_score

_USE = """## Use

```
mtl predict FOLDER "some text"
```

```python
from mtl_core import Predictor

predictor = Predictor.load("FOLDER")
for prediction in predictor(["some text"]):
    print(prediction.to_json())
```

Where a model takes pairs of texts, or questions with their contexts, a tab parts them on the
command line, and in Python they are tuples: `predictor([("question", "context")])`.
"""
_LIMITS = """## Limits

Words are cut at white space, as in training. Text longer than the encoder takes is cut, and the
words beyond get no span. Only labels of the training data can be predicted.
"""


def render_card(
    config: RunConfig,
    labels: Mapping[str, tuple[str, ...]],
    *,
    precision: str,
    dev: ScoreTree,
    test: ScoreTree | None,
) -> str:
    """Returns the card as Markdown.

    Args:
        config: The run that trained the model.
        labels: Task name -> labels the model predicts.
        precision: What the run computed in.
        dev: Dev scores of the saved epoch, as `result.json` holds them; may be empty.
        test: Test scores, when they were computed.
    """
    return f"""---
library_name: mtl
tags: {_tags(config)}
---

# Multi-task model: {", ".join(map(plain, config.tasks))}

One encoder ({code(_encoder_name(config))}) with one head per task:

{_tasks(config, labels)}

{_USE}
## Scores

{_scores(dev, test)}

## Recipe

`run.yaml` holds every setting of the run. Data sets: {", ".join(map(plain, config.datasets))}.
Trained in {precision}. Saved {datetime.date.today().isoformat()} with {_versions()}.

{_LIMITS}"""


def _tasks(config: RunConfig, labels: Mapping[str, tuple[str, ...]]) -> str:
    return "\n".join(
        f"- {code(name)} ({plain(_kind(section.kind))}){_describe(labels[name])}"
        for name, section in config.tasks.items()
    )


def _tags(config: RunConfig) -> str:
    kinds = sorted({_kind(task.kind) for task in config.tasks.values()})
    # Words in quotes: YAML would read a kind that is called `no` as something else.
    return json.dumps(["multi-task", *(re.sub(r"[^\w-]", "-", kind) for kind in kinds)])


def _versions() -> str:
    packages = ("torch", "transformers")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


def _scores(dev: ScoreTree, test: ScoreTree | None) -> str:
    if test is None:
        chosen = "The epoch was chosen on dev; the model was not scored on test."
    else:
        chosen = "Epoch and recipe were chosen on dev; test was opened for the final scores only."
    return f"{_score_table(dev, test)}\n\n{chosen}"


def _encoder_name(config: RunConfig) -> str:
    # Of a local folder only its own name: the path says something about one machine alone.
    return config.encoder.name.rstrip("/").rpartition("/")[2]


def _describe(labels: tuple[str, ...], most: int = 12) -> str:
    if not labels:
        return ""
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f": {len(labels)} labels: {', '.join(map(code, labels[:most]))}{more}"


def _score_table(dev: ScoreTree, test: ScoreTree | None) -> str:
    # Rows are the scores of dev: a task without labels in test shows a dash there.
    flat_dev, flat_test = flatten(dev), flatten(test)
    rows = [
        f"| {plain(name)} | {show_score(name, value)} | {show_score(name, flat_test.get(name))} |"
        for name, value in flat_dev.items()
    ]
    return "\n".join(["| score, shares in % | dev | test |", "|---|---|---|", *rows])


def _kind(kind: str) -> str:
    # Of a kind in a file only its class: the path says something about one machine alone.
    return kind.rpartition(":")[2]
