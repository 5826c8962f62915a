"""Damaged data files of all formats, read and encoded as `mtl check` does it."""

import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from answers import Case, answer_to
from conftest import save_tokenizer
from contract_files import FORMATS, write_formats
from damage import copy_folder, files_of
from damaged_texts import change_text

from mtl_core.config import RunConfig
from mtl_core.data.example import Example
from mtl_core.data.store import load_dataset
from mtl_core.errors import DataError, MtlError
from mtl_core.printable import one_line

Settings = Mapping[str, Any]

_KINDS = {"label": "classification", "tags": "tagging", "number": "regression"}


@dataclass(frozen=True, slots=True)
class Source:
    """A data set that can be read, and the tasks on it.

    Attributes:
        name: What cases are called.
        section: Its section.
        tasks: Column -> kind of its task, or the settings of the task.
        plain: Whether its files are text; else only their bytes can be damaged.
    """

    name: str
    section: Settings
    tasks: Mapping[str, str | Settings] = field(default_factory=dict)
    plain: bool = True

    def config(self, folder: Path) -> RunConfig:
        """Returns a run on the data set as it lies in a folder."""
        section = json.loads(json.dumps(self.section))
        for where, key in ((section, "path"), (section, "name"), (section.get("splits"), "train")):
            if where and key in where and where is not None:
                where[key] = str(folder / where[key])
        tasks = {
            f"task{number}": {
                "dataset": "data",
                "column": column,
                **({"kind": kind} if isinstance(kind, str) else kind),
            }
            for number, (column, kind) in enumerate(self.tasks.items())
        }
        return RunConfig.model_validate({"datasets": {"data": section}, "tasks": tasks})


def _table(kind: str, **more: Any) -> Settings:
    return {"kind": kind, **FORMATS[kind], **more}


_ROWS: dict[str, str | Settings] = {"intent": "classification", "slots": "tagging"}
SOURCES = (
    Source("csv", _table("csv"), _ROWS),
    Source(
        "csv of numbers",
        {
            "kind": "csv",
            "splits": {"train": "numbers.csv", "dev": 0.25},
            "delimiter": ";",
            "features": "vector",
        },
        {"rating": "regression", "topics": "multilabel"},
    ),
    Source(
        "csv of pairs",
        {
            "kind": "csv",
            "splits": {"train": "numbers.csv", "dev": 0.25},
            "delimiter": ";",
            "text_pair": "second",
            "on_empty": "skip",
        },
        {"intent": "classification"},
    ),
    Source("jsonl", _table("jsonl"), _ROWS | {"topics": "multilabel", "rating": "regression"}),
    Source(
        "jsonl of pairs",
        _table("jsonl", text_pair="second", features="vector"),
        {"rating": "regression"},
    ),
    Source("parquet", _table("parquet"), _ROWS | {"rating": "regression"}, plain=False),
    Source("hub", _table("hub"), _ROWS),
    Source("seq_in_out", _table("seq_in_out"), _ROWS),
    Source("conll", _table("conll"), {"slots": "tagging"}),
    Source(
        "conll with commas",
        {
            "kind": "conll",
            "splits": {"train": "commas.conll", "dev": 0.25},
            "separator": "comma",
            "columns": {"slots": -1},
        },
        {"slots": "tagging", "topic": "classification"},
    ),
    Source("conllu", _table("conllu"), {"upos": {"kind": "tagging", "scheme": "plain"}}),
    Source("squad", _table("squad"), {"answers": "question_answering"}),
    Source("spans_json", _table("spans_json"), {"spans": "tagging"}),
    Source(
        "export of Label Studio",
        {"kind": "spans_json", "splits": {"train": "studio.json", "dev": 0.25}},
        {"spans": "tagging", "mood": "classification"},
    ),
    Source("clinc", _table("clinc"), {"intent": "classification"}),
    Source("multiwoz", _table("multiwoz"), {"acts": "multilabel", "spans": "tagging"}),
    Source("lines", _table("lines"), {"": {"kind": "masked_lm", "auxiliary": False}}),
)
"""All formats of files, those with several forms more than once."""


def write_sources(folder: Path) -> None:
    """Writes the files of all sources into an empty folder."""
    write_formats(folder)
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    head = "text;second;rating;topics;vector;intent"
    cells = [
        ";".join(
            (
                row["text"],
                f'"{row["second"]}"',
                str(row["rating"]),
                ",".join(row["topics"]),
                json.dumps(row["vector"]),
                row["intent"],
            )
        )
        for row in rows
    ]
    (folder / "numbers.csv").write_text("\n".join([head, *cells]) + "\n")
    blocks = (
        "\n".join(
            (
                f"# topic = {row['intent']}",
                *(
                    f'"{word}",x,{tag}'
                    for word, tag in zip(row["text"].split(), row["slots"].split(), strict=True)
                ),
            )
        )
        for row in rows
    )
    (folder / "commas.conll").write_text("\n\n".join(blocks) + "\n")
    (folder / "studio.json").write_text(json.dumps([_studio_task(row) for row in rows]))


def _studio_task(row: Settings) -> Settings:
    end = row["text"].index(" ")
    value = {"start": 0, "end": end, "text": row["text"][:end], "labels": ["verb"]}
    result = [
        {"value": value, "from_name": "label", "to_name": "text", "type": "labels"},
        {
            "value": {"choices": [row["intent"]]},
            "from_name": "mood",
            "to_name": "text",
            "type": "choices",
        },
    ]
    return {"data": {"text": row["text"]}, "annotations": [{"result": result, "id": 1}]}


def cases(folder: Path, seed: int, count: int) -> Iterator[Case]:
    """Yields data sets with one damaged file, of all formats in turn.

    Args:
        folder: An empty folder.
        seed: Of the damage.
        count: How many.
    """
    good, tokenizer = folder / "good", _tokenizer(folder / "tokenizer")
    good.mkdir()
    write_sources(good)
    owned = {source.name: _files(source, good) for source in SOURCES}
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        source = SOURCES[number % len(SOURCES)]
        files = owned[source.name]
        where = folder / "now"
        where.mkdir(exist_ok=True)
        copy_folder(good, where)
        path = where / rng.choice(files)
        what = change_text(path, rng, is_plain=source.plain)
        yield Case(
            f"{source.name} {number}: {path.name}: {what}",
            partial(_fault, source, where, tokenizer),
        )


def _files(source: Source, good: Path) -> list[Path]:
    """Returns the files of a source, relative to the folder of all."""
    splits = source.section.get("splits", {})
    place = source.section.get("path") or source.section.get("name") or splits["train"]
    found = good / place
    files = files_of(found) if found.is_dir() else [found]
    return [path.relative_to(good) for path in files]


def _tokenizer(folder: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    save_tokenizer(folder, [Example(("play", "book", "jazz", "paris", "now", "table", "rain"))])
    return PreTrainedTokenizerFast.from_pretrained(folder)


def _fault(source: Source, where: Path, tokenizer: Any) -> str | None:
    """Reads a data set; returns what is wrong with the answer, None if nothing is."""
    told: list[str] = []

    def read() -> None:
        config = source.config(where)
        try:
            load_dataset(
                "data",
                config.datasets["data"],
                config.columns("data"),
                tokenizer,
                layout=config.layout("data"),
                max_length=64,
            )
        except MtlError as error:
            lines = error.lines if isinstance(error, DataError) else str(error).split("\n")
            told.extend(map(one_line, lines))

    answer = answer_to(read, [where])
    if (fault := answer.fault()) is not None:
        return fault
    return next((fault for line in told if (fault := line_fault(line))), None)


def line_fault(line: str) -> str | None:
    """Returns what is wrong with a line of an error."""
    if line.startswith("... and "):
        return None
    return None if re.search(r"^[^ ].*?: .", line) else f"no place: {line}"
