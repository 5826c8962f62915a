"""Where a model errs, over the data sets of its tasks, and as its folder keeps it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch

from mtl_core.assets import Assets, build_collator, build_tasks
from mtl_core.config import RunConfig
from mtl_core.error_counts import joined
from mtl_core.export import dev_splits, export_best
from mtl_core.kept import BrokenError
from mtl_core.model_folder import ERRORS
from mtl_core.task_errors import (
    Confused,
    LabelErrors,
    LabelTables,
    TaskErrors,
    WrongRow,
    read_errors,
    write_errors,
)
from mtl_core.training.distributed import Place
from mtl_core.training.error_analysis import find_errors
from mtl_core.training.evaluation import evaluate
from mtl_core.training.loop import train


class Meeting:
    """Where two workers in threads wait for each other."""

    def __init__(self) -> None:
        self.barrier = Barrier(2, timeout=60)
        self.values: list[object] = [None, None]


class Seat:
    """The place of one of them, as `Place` is that of a process."""

    world_size, device = 2, torch.device("cpu")

    def __init__(self, rank: int, meeting: Meeting) -> None:
        self.rank = rank
        self._meeting = meeting

    def gather(self, value: object) -> list[object]:
        self._meeting.values[self.rank] = value
        self._meeting.barrier.wait()
        values = list(self._meeting.values)
        self._meeting.barrier.wait()
        return values


HERE = Place(0, 1, torch.device("cpu"))


def test_errors_are_those_of_the_scores(run_config: Callable[..., RunConfig], corpus: Path) -> None:
    """Of a model that has learnt nothing, over two data sets of a task."""
    more = {"kind": "seq_in_out", "path": str(corpus), "limit": 10}
    both = {"datasets.more": more, "tasks.slots.dataset": ["corpus", "more"]}
    config = run_config(both | {"tasks.intent.dataset": ["corpus", "more"]})
    assets = Assets.load(config, device=HERE.device)
    datasets, tokenizer = assets.data.datasets, assets.data.tokenizer
    tasks = build_tasks(config, datasets)
    torch.manual_seed(0)
    model = assets.new_model(config, tasks)
    collator = build_collator(config, tokenizer)
    scores = evaluate(
        model, tasks, datasets, split="dev", place=HERE, precision="fp32", collator=collator
    ).scores

    def found(place: Any) -> dict[str, TaskErrors]:
        return find_errors(
            model, tasks, dev_splits(datasets), tokenizer, place=place, precision="fp32",
            collator=collator,
        )  # fmt: skip

    errors = found(HERE)
    intent, slots = errors["intent"], errors["slots"]
    assert intent.rows == slots.rows == sum(len(one.splits["dev"]) for one in datasets.values())
    assert intent.wrong == round(intent.rows * (1 - scores["intent"]["accuracy"]))
    assert slots.labels is not None
    right, given, gold = (sum(getattr(one, name) for one in slots.labels.each)
                          for name in ("right", "guessed", "gold"))  # fmt: skip
    assert right / max(given, 1) == pytest.approx(scores["slots"]["precision"])
    assert right / gold == pytest.approx(scores["slots"]["recall"])
    assert {row.dataset for row in intent.worst} == {"corpus", "more"}
    assert intent.worst[0].value == max(row.value for row in intent.worst)
    assert model.training
    # Two workers share the rows; the first has what one alone finds.
    model.eval()
    meeting = Meeting()
    with ThreadPoolExecutor(2) as pool:
        shared = list(pool.map(found, (Seat(0, meeting), Seat(1, meeting))))
    assert str(shared) == str([errors, {}])


def test_a_saved_model_keeps_its_errors_on_dev_and_on_no_other_rows(
    run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    config = run_config({"training.epochs": 1})
    assets = Assets.load(config, device=HERE.device)
    list(train(config, checkpoint=tmp_path / "run", assets=assets))
    export_best(tmp_path / "run", tmp_path / "model", config=config, assets=assets, dev={},
                test=None)  # fmt: skip
    errors = read_errors(tmp_path / "model")
    assert errors.keys() == {"intent", "slots"}
    rows = {split: {tuple(one.token_ids.row(row).tolist()) for row in range(len(one))}
            for split, one in assets.data.datasets["corpus"].splits.items()}  # fmt: skip
    for row in (row for found in errors.values() for row in found.worst):
        ids = tuple(assets.data.tokenizer(row.text)["input_ids"])
        assert ids in rows["dev"] or "##" in row.text  # This tokenizer does not join its pieces.
        assert ids not in rows["test"] - rows["dev"]


def rows_of(count: int, value: float, text: str = "text") -> tuple[WrongRow, ...]:
    return tuple(WrongRow(number + 1, text, "a", "b", value + number) for number in range(count))


def test_the_worst_rows_of_all_data_sets_are_kept_and_tables_are_bounded() -> None:
    labels = tuple(LabelErrors(f"{number:03}", number, 0, 0) for number in range(150))
    pairs = tuple(Confused(f"{number:03}", None, number + 1) for number in range(150))
    tables = LabelTables("label", labels, pairs, 150, 150)
    parts = {
        name: TaskErrors(rows=200, wrong=150, unit="rows", measure="distance", labels=tables,
                         worst=rows_of(15, value))
        for name, value in (("one", 0.0), ("two", 10.0))
    }  # fmt: skip
    found = joined(parts)
    assert (found.rows, found.wrong) == (400, 300)
    kept = found.labels
    assert kept is not None
    assert (len(kept.each), kept.num_labels, len(kept.confused)) == (100, 150, 100)
    assert kept.each[0] == LabelErrors("149", 298, 0, 0)
    assert kept.confused[0] == Confused("149", None, 300)
    assert len(found.worst) == 20
    assert [(row.dataset, row.value) for row in found.worst[:2]] == [("two", 24.0), ("two", 23.0)]
    assert [row.dataset for row in found.worst].count("one") == 5


def test_any_text_is_kept_and_read_again(tmp_path: Path) -> None:
    hostile = "<script>|\n\x1b[2J\u202e\ud800" + "x" * 10_000
    found = joined({
        "d": TaskErrors(
            rows=1, wrong=1, unit="rows", measure="distance",
            labels=LabelTables("label", (LabelErrors(hostile, 1, 0, 0),),
                               (Confused(hostile, None, 1),), 1, 1),
            worst=rows_of(1, float("nan"), hostile),
        )
    })  # fmt: skip
    assert read_errors(tmp_path) == {}
    write_errors(tmp_path, {})
    assert not (tmp_path / ERRORS).exists()
    write_errors(tmp_path, {"t": found})
    assert str(read_errors(tmp_path)["t"]) == str(found)
    assert (tmp_path / ERRORS).stat().st_size < 4000
    (tmp_path / ERRORS).write_text('{"t": {"rows": -1}}')
    with pytest.raises(BrokenError, match=r"errors\.json.*rows.*; .*remove it"):
        read_errors(tmp_path)
