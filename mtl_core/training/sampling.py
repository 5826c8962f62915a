"""Has a trained model write samples, for its card and for the report of a study."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.prompt_rows import Prompts
from mtl_core.data.store import EncodedDataset
from mtl_core.model.autocast import Precision
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.samples import Sample
from mtl_core.tasks.base import Task
from mtl_core.training.distributed import Place
from mtl_core.training.writing import write_split

_EXAMPLES = 5
"""Examples of dev of each data set that a task writes samples for."""


def written_samples(
    model: MultiTaskModel,
    tasks: Mapping[str, Task],
    datasets: Mapping[str, EncodedDataset],
    *,
    precision: Precision,
) -> dict[str, tuple[Sample, ...]]:
    """Returns task name -> samples on dev, of tasks that write.

    They are the first of those texts that the scores of reports stand on.

    Args:
        model: The model.
        tasks: Task name -> task.
        datasets: Data set name -> encoded data.
        precision: What is computed in.
    """
    was_training = model.training
    model.eval()
    found: dict[str, tuple[Sample, ...]] = {}
    for name, task in tasks.items():
        splits = [one.splits["dev"] for one in datasets.values() if name in one.labels]
        if task.writing is not None:
            samples = [_of_split(model, task, split, precision) for split in splits]
            found[name] = tuple(one for some in samples for one in some)
    model.train(was_training)
    return found


def _of_split(
    model: MultiTaskModel, task: Task, split: EncodedSplit, precision: Precision
) -> list[Sample]:
    """Returns the last text of each example: of a dialogue the reply with the longest past."""
    writer, writing = model.writer, task.writing
    assert writer is not None
    assert writing is not None
    # One worker alone makes them.
    place = Place(0, 1, next(model.parameters()).device)
    few = replace(writing, examples=_EXAMPLES)
    written = write_split(model, split, task.name, few, place=place, precision=precision)
    rows = np.array(sorted(written), dtype=np.int64)
    prompts = Prompts.of(split, task.name, rows, reads_targets=writer.reads_targets)
    last = {row: number for number, row in enumerate(prompts.of_row.tolist())}
    # Not what the token ids spell: what a tokenizer drops is missing there.
    assert split.source is not None, "rows with texts to write know their examples"
    gold = split.source.answers_of_rows()
    return [
        Sample(
            writer.tokenizer.decode(prompts.token_ids.row(number), skip_special_tokens=True),
            written[row][-1],
            str(gold[row][-1]),
        )
        for row, number in last.items()
    ]
