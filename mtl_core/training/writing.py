"""Writes texts for rows of a split, beside what an evaluation reads off their logits."""

from collections.abc import Mapping

from mtl_core.data.dev_sample import drawn_rows
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.prompt_rows import Prompts
from mtl_core.model.autocast import Precision, autocast
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model.writers.generating import ROWS
from mtl_core.model.writers.texts import write_prompts
from mtl_core.tasks.decoding.generate import Writing
from mtl_core.training.distributed import Place

Written = Mapping[int, tuple[str, ...]]
"""Row -> the texts that were written for its targets, in their order."""

_SEED = 0
"""Of the draw of rows: the same in all runs, so that their scores are of the same texts."""


def write_split(
    model: MultiTaskModel,
    split: EncodedSplit,
    task: str,
    writing: Writing,
    *,
    place: Place,
    precision: Precision,
) -> Written:
    """Writes texts for the targets of a task; every worker gets all of them.

    Args:
        model: The model, in evaluation mode.
        split: The rows.
        task: A task that writes.
        writing: How, and for how many labelled examples, which are the same in all runs.
        place: The workers share the prompts.
        precision: What is computed in.
    """
    writer = model.writer
    assert writer is not None, "tasks that write are refused where the model has no writer"
    rows = drawn_rows(split, task, writing.examples, seed=_SEED)
    prompts = Prompts.of(split, task, rows, reads_targets=writer.reads_targets)
    local: dict[int, str] = {}
    # A share for each worker, also where one batch would take them all.
    most = max(1, min(ROWS, -(-len(prompts) // place.world_size)))
    with autocast(place.device, precision):
        for numbers in prompts.batches(most=most)[place.rank :: place.world_size]:
            texts = write_prompts(writer, prompts, numbers, writing.decoding)
            local.update(zip(numbers.tolist(), texts, strict=True))
    found = {number: text for part in place.gather(local) for number, text in part.items()}
    written: dict[int, tuple[str, ...]] = {}
    for number, row in enumerate(prompts.of_row.tolist()):
        written[row] = (*written.get(row, ()), found[number])
    return written
