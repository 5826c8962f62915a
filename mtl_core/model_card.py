"""The model card: README.md of a saved model, as the Hugging Face hub shows it."""

import datetime
import importlib.metadata
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev

from mtl_core.card_data import CardFacts, RunSaid, card_data, kind_name
from mtl_core.config import RunConfig
from mtl_core.markdown import code, plain
from mtl_core.samples import NO_SAMPLES, Samples, samples_table
from mtl_core.scores import ScoreTree, flatten, show_score
from mtl_core.study_file import dump

_USE = """## Use

MODEL is the folder of this card, or the name that it has on the hub.

```
mtl predict MODEL "some text"
```

```python
from mtl_core import Predictor

predictor = Predictor.load("MODEL")
for prediction in predictor(["some text"]):
    print(prediction.to_json())
```

Where a model takes pairs of texts, or questions with their contexts, a tab parts them on the
command line, and in Python they are tuples: `predictor([("question", "context")])`.

Transformers finds the trained encoder without its heads:
`AutoModel.from_pretrained("MODEL")`. A layer behind `pooler_output` was not trained and is not
part of it.
"""
_LIMITS = """## Limits

Words are cut at white space, as in training. Text longer than the encoder takes is cut, and the
words beyond get no span. Only labels of the training data can be predicted.
"""


def render_card(
    facts: CardFacts, samples: Samples = NO_SAMPLES, others: Sequence[RunSaid] = ()
) -> str:
    """Returns the card as Markdown, with its metadata in front.

    Args:
        facts: What it tells.
        samples: What the model writes for rows of dev.
        others: Scores of the other runs of its recipe.
    """
    config = facts.config
    return f"""---
{card_data(facts).to_yaml()}
---

# Multi-task model: {", ".join(map(plain, config.tasks))}

One encoder ({code(_encoder_name(config))}) with one head per task:

{_tasks(facts)}

{_USE}
## Scores

{_scores(facts, others)}

{_samples(samples)}## Data

{_data(facts)}

## Recipe

Trained in {facts.precision}, {_batches(config)}. Saved {datetime.date.today().isoformat()} with
{_versions()}.

{_recipe(config)}

{_LIMITS}"""


def _tasks(facts: CardFacts) -> str:
    return "\n".join(
        f"- {code(name)} ({plain(kind_name(section.kind))}){_describe(facts.labels[name])}"
        for name, section in facts.config.tasks.items()
    )


def _describe(labels: tuple[str, ...], most: int = 12) -> str:
    if not labels:
        return ""
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f": {len(labels)} labels: {', '.join(map(code, labels[:most]))}{more}"


def _encoder_name(config: RunConfig) -> str:
    # Of a local folder only its own name: the path says something about one machine alone.
    return config.encoder.public_name() or config.encoder.name.rstrip("/").rpartition("/")[2]


def _scores(facts: CardFacts, others: Sequence[RunSaid]) -> str:
    if facts.test is None:
        chosen = "The epoch was chosen on dev; the model was not scored on test."
    else:
        chosen = "Epoch and recipe were chosen on dev; test was opened for the final scores only."
    runs = [RunSaid(facts.dev, facts.test), *others]
    tables = [_score_table(facts.dev, facts.test)]
    if others:
        tables += [
            f"This model is the one of {len(runs)} runs with other seeds whose dev score is best. "
            "What the recipe reaches is their mean, with the standard deviation of a run:",
            _mean_table(runs),
        ]
    # Whoever reads scores takes them for scores on new texts.
    cautions = [
        f"Caution, {code(note.dataset)} {note.split}: {plain(note.text)}."
        for note in facts.leaks
        if note.split == "dev" or facts.test is not None
    ]
    return "\n\n".join([*tables, chosen, *cautions])


def _score_table(dev: ScoreTree, test: ScoreTree | None) -> str:
    # Rows are the scores of dev: a task without labels in test shows a dash there.
    flat_dev, flat_test = flatten(dev), flatten(test)
    return _table(
        {
            name: (show_score(name, value), show_score(name, flat_test.get(name)))
            for name, value in flat_dev.items()
        }
    )


def _mean_table(runs: Sequence[RunSaid]) -> str:
    dev, test = [flatten(run.dev) for run in runs], [flatten(run.test) for run in runs]
    return _table({name: (_mean(name, dev), _mean(name, test)) for name in dev[0]})


def _mean(name: str, runs: Sequence[Mapping[str, float]]) -> str:
    """Returns the mean of a score with the standard deviation of a run, n - 1; "-" without it."""
    values = [run.get(name, math.nan) for run in runs]
    # Of a score that is no number in a run there is no deviation either, and `stdev` fails.
    if not all(map(math.isfinite, values)):
        return "-"
    return f"{show_score(name, fmean(values))} +- {show_score(name, stdev(values))}"


def _table(rows: Mapping[str, tuple[str, str]]) -> str:
    lines = [f"| {plain(name)} | {dev} | {test} |" for name, (dev, test) in rows.items()]
    return "\n".join(["| score, shares in % | dev | test |", "|---|---|---|", *lines])


def _samples(samples: Samples) -> str:
    """Returns the section with what the model writes; "" of a model that does not write."""
    tables = [
        f"Task {code(name)}, on rows of dev:\n\n{samples_table(found)}\n\n"
        for name, found in samples.items()
    ]
    return "".join(["## Samples\n\n", *tables]) if tables else ""


def _data(facts: CardFacts) -> str:
    """Returns the rows behind each task, and its share of all that the model was trained on."""
    splits = ("train", "dev", "test")
    counted = [
        (task, key, [rows.get(split, 0) for split in splits])
        for task, datasets in facts.rows.items()
        for key, rows in datasets.items()
    ]
    total = sum(counts[0] for _, _, counts in counted) or 1
    lines = [
        f"| {plain(task)} | {_dataset_name(facts.config, key)} | {' | '.join(map(str, counts))} | "
        f"{100 * counts[0] / total:.1f} |"
        for task, key, counts in counted
    ]
    head = "| task | data set | train rows | dev | test | % of all train labels |"
    return "\n".join([head, "|---|---|---|---|---|---|", *lines])


def _dataset_name(config: RunConfig, key: str) -> str:
    public = config.datasets[key].public_name()
    return plain(key) if public in (None, key) else f"{plain(key)} ({plain(str(public))})"


def _batches(config: RunConfig) -> str:
    training = config.training
    parts = f" in {training.accumulation} parts" if training.accumulation > 1 else ""
    epochs = f"{training.epochs} epoch{'s' if training.epochs > 1 else ''}"
    return f"in batches of {training.batch_size} rows{parts}, for up to {epochs}"


def _recipe(config: RunConfig) -> str:
    """Returns the settings of the run but its data, as a study file has them."""
    run = config.model_dump(mode="json", exclude={"datasets"})
    run["encoder"]["name"] = _encoder_name(config)
    for task in run["tasks"].values():
        task["kind"] = kind_name(task["kind"])
    text = dump(run)
    # Longer than all that settings may hold, so that none of them ends the block.
    fence = "`" * max(3, 1 + max((len(found) for found in _ticks(text)), default=0))
    return f"{fence}yaml\n{text}{fence}"


def _ticks(text: str) -> Iterator[str]:
    return (found[0] for found in re.finditer("`+", text))


def _versions() -> str:
    packages = ("torch", "transformers")
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
