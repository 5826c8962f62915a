"""Texts that an evaluation has written: for which rows, by which workers, and what they are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from small_writers import small_writer, small_writer_tokenizer

from mtl_core.data.arrays import NO_LABEL, Ragged
from mtl_core.data.collate import Collator
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.columns.target import TargetColumn
from mtl_core.data.encoded import EncodedSplit, TaskLabels
from mtl_core.data.source import Source
from mtl_core.data.store import EncodedDataset
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model.pooling import Pooler
from mtl_core.model.writers.causal import CausalWriter
from mtl_core.tasks.base import Head, Task
from mtl_core.tasks.decoding.base import Decoding
from mtl_core.tasks.decoding.generate import Generate, Writing
from mtl_core.tasks.decoding.greedy import Greedy
from mtl_core.tasks.decoding.sample import Sample
from mtl_core.tasks.hidden import HiddenSize
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.tasks.outputs import Output, TextView
from mtl_core.tasks.writer_head import WriterHead
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import Evaluation, evaluate
from mtl_core.training.report import Report
from mtl_core.training.report_texts import as_due, with_earlier_texts
from mtl_core.training.writing import Written, write_split

N = NO_LABEL
HERE = Place(0, 1, torch.device("cpu"))
ROWS = [
    ([5, 9, 30, 4, 1], [N, N, N, 4, 1]),
    ([7, 7, 12, 1, 8, 20, 6, 1], [N, N, 12, 1, N, N, 6, 1]),
    ([40, 12], [N, N]),
    ([40, 12, 33, 9, 1], [N, N, N, 9, 1]),
    ([11, 50, 3, 1], [N, N, 3, 1]),
]
"""Token ids and targets of rows; the second has two of them, the third none."""


class Reply(Task):
    """Writes; its scores tell how many texts there were, and all of them."""

    main_score = "length"

    def __init__(self, decoding: Decoding, examples: int | None = None) -> None:
        self.name, self.labels = "reply", NoLabels()
        self.writing = Writing(decoding, Generate(), examples)
        self.seen: Outcome | None = None

    def make_head(self, size: HiddenSize) -> Head:
        assert size.writer is not None
        return WriterHead(size.writer, self.name)

    def score(self, outcome: Outcome) -> dict[str, float]:
        self.seen = outcome
        texts = [text for texts in outcome.written.values() for text in texts]
        return {"length": float(np.mean([len(text) for text in texts])) if texts else math.nan}

    def says(
        self, head: Head, rows: Sequence[Decoded], texts: Sequence[TextView], source: Source | None
    ) -> list[Output]:
        raise NotImplementedError


def split_of(rows: Sequence[tuple[list[int], list[int]]] = ROWS) -> EncodedSplit:
    labels = TargetColumn("reply", "reply"), Ragged.from_rows([one for _, one in rows])
    ids = Ragged.from_rows([one for one, _ in rows])
    return EncodedSplit(ids, Ragged.from_rows([[]] * len(rows)), TaskLabels([labels]))


def model_of(task: Task) -> MultiTaskModel:
    whole = small_writer("llama")
    writer = CausalWriter(whole, whole.model, small_writer_tokenizer())
    pooler = Pooler("mean", 24, "none")
    return MultiTaskModel(whole.model, {"reply": task}, pooler, num_features={}, writer=writer)


def written(
    decoding: Decoding, *, split: EncodedSplit | None = None, examples: int | None = None
) -> Written:
    task = Reply(decoding, examples)
    assert task.writing is not None
    model = model_of(task).eval()
    return write_split(
        model, split or split_of(), "reply", task.writing, place=HERE, precision="fp32"
    )


def generated(prompt: list[int]) -> str:
    """Returns what Transformers writes for a prompt, as text."""
    whole, tokenizer = small_writer("llama"), small_writer_tokenizer()
    found = whole.generate(torch.tensor([prompt]), max_new_tokens=6)[0]  # type: ignore[operator]
    return str(tokenizer.decode(found[len(prompt) :], skip_special_tokens=True))


def test_each_target_has_a_text_written_behind_all_that_stands_before_it() -> None:
    assert written(Greedy(max_new_tokens=6)) == {
        0: (generated([5, 9, 30]),),
        1: (generated([7, 7]), generated([7, 7, 12, 1, 8, 20])),
        3: (generated([40, 12, 33]),),
        4: (generated([11, 50]),),
    }


def test_so_many_examples_and_the_same_in_every_evaluation() -> None:
    few = written(Greedy(max_new_tokens=3), examples=2)
    assert len(few) == 2
    assert few.items() <= written(Greedy(max_new_tokens=3), examples=3).items()
    assert written(Greedy(max_new_tokens=3), examples=0) == {}


def test_of_examples_in_pieces_all_pieces_are_written_for() -> None:
    pieces = Ragged.from_rows([[]] * 5)
    source = Source(np.array([0, 0, 1, 1, 1], np.int32), pieces, pieces, ["", ""], [None, None])
    found = written(Greedy(max_new_tokens=3), split=replace(split_of(), source=source), examples=1)
    assert set(found) in ({0, 1}, {3, 4})


def test_a_drawn_text_is_the_same_whatever_is_written_beside_it() -> None:
    decoding = Sample(max_new_tokens=6)
    together = written(decoding)
    alone = written(decoding, split=split_of(ROWS[4:]))
    assert together[4] == alone[0]


def test_workers_share_the_prompts() -> None:
    @dataclass(frozen=True)
    class Told(Place):
        """Takes note of what this worker has, and goes no further."""

        def gather(self, value: object) -> list[object]:  # type: ignore[override]
            raise _SeenError(value)

    task = Reply(Greedy(max_new_tokens=4))
    assert task.writing is not None
    model, parts = model_of(task).eval(), []
    for rank in range(2):
        with pytest.raises(_SeenError) as seen:
            write_split(
                model, split_of(), "reply", task.writing,
                place=Told(rank, 2, torch.device("cpu")), precision="fp32",
            )  # fmt: skip
        parts.append(seen.value.args[0])
    whole = [text for texts in written(Greedy(max_new_tokens=4)).values() for text in texts]
    assert all(parts)
    assert not parts[0].keys() & parts[1].keys()
    assert [(parts[0] | parts[1])[number] for number in range(len(whole))] == whole


class _SeenError(Exception):
    """Ends what a worker does."""


def evaluated(task: Task) -> Evaluation:
    dataset = EncodedDataset("d", {"dev": split_of()}, {"reply": NoLabels()}, content="")
    return evaluate(
        model_of(task), {"reply": task}, {"d": dataset}, split="dev", place=HERE,
        precision="fp32", collator=Collator(0),
    )  # fmt: skip


def test_scores_are_of_the_texts_that_were_written() -> None:
    task = Reply(Greedy(max_new_tokens=6))
    found = evaluated(task)
    texts = written(Greedy(max_new_tokens=6))
    assert task.seen is not None
    assert task.seen.written == texts
    assert len(task.seen.predicted) == len(ROWS)  # What needs no text is of all rows.
    assert found.main["reply"] > 0
    assert math.isnan(evaluated(Reply(Greedy(), examples=0)).main["reply"])


def report(number: int, **changes: object) -> Report:
    plain = {
        "epoch": number, "number": number, "progress": float(number), "step": number, "losses": {},
        "weights": {}, "learning_rates": {}, "joint_accuracy": math.nan, "best_combined": 0.5,
        "best_number": 1, "seconds": 0.0, "sentences_per_second": 0.0,
        "dev": {"reply": {"bleu": 0.5, "perplexity": 9.0}, "intent": {"accuracy": 0.1}},
        "combined": 0.3,
    }  # fmt: skip
    return Report(**(plain | changes))  # type: ignore[arg-type]


class Intent(Reply):
    """A task that writes nothing."""

    def __init__(self, *, is_auxiliary: bool = False) -> None:
        super().__init__(Greedy())
        self.writing, self.main_score, self.is_auxiliary = None, "accuracy", is_auxiliary


def test_between_texts_a_report_has_the_scores_and_the_objective_of_the_last_ones() -> None:
    tasks = {"reply": Reply(Greedy()), "intent": Intent()}
    tasks["reply"].main_score = "bleu"
    scores = {"reply": {"bleu": math.nan, "perplexity": 7.0}, "intent": {"accuracy": 0.9}}
    main = {"reply": math.nan, "intent": 0.9}
    found, is_new = with_earlier_texts(Evaluation(scores, main, 0.5, 9), tasks, [report(1)])
    assert found.scores == {
        "reply": {"bleu": 0.5, "perplexity": 7.0}, "intent": {"accuracy": 0.9}
    }  # fmt: skip
    assert found.main == {"reply": 0.5, "intent": 0.9}
    assert not is_new


@pytest.mark.parametrize("is_first", [True, False])
def test_a_report_of_its_own_texts_or_of_a_task_that_only_helps_has_its_own_objective(
    is_first: bool,
) -> None:
    reply = Reply(Greedy())
    reply.main_score, reply.is_auxiliary = "bleu", not is_first
    value = 0.7 if is_first else math.nan
    result = Evaluation({"reply": {"bleu": value}}, {"reply": value}, 0.5, 9)
    found, is_new = with_earlier_texts(result, {"reply": reply}, [report(1)])
    assert is_new
    assert found.main["reply"] == (0.7 if is_first else 0.5)


def test_tasks_write_when_it_is_their_turn_and_stay_as_they_are() -> None:
    tasks = {"reply": Reply(Greedy()), "intent": Intent()}
    tasks["reply"].writing = Writing(Greedy(), Generate(rows=7, every=2))
    before: list[Report] = []
    asked = []
    for number in range(1, 6):
        due = as_due(tasks, before, is_last=number == 5)
        assert due["reply"].writing is not None
        asked.append(due["reply"].writing.examples)
        assert due["intent"] is tasks["intent"]
        before.append(report(number))
    assert asked == [7, 0, 7, 0, 7]
    assert tasks["reply"].writing.examples is None
