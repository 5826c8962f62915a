"""Files of a format, written and read, for the tests of formats."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from mtl_core.data.cutting import cut_texts
from mtl_core.data.example import ColumnKind, Example
from mtl_core.data.formats.kinds import DatasetSection
from mtl_core.data.splits import read_splits

WriteRows = Callable[..., Path]
SECTIONS: TypeAdapter[DatasetSection] = TypeAdapter(DatasetSection)
CONTEXT = "Warsaw is the capital of Poland. It stands on the Vistula River."
CONLLU = """\
# sent_id = 1
# genre = weblog
1-2	don't	_	_	_	_	_	_	_	_
1	do	do	AUX	VBP	Mood=Ind	0	root	_	_
2	n't	not	PART	RB	_	1	advmod	_	_
2.1	go	go	VERB	VB	_	_	_	_	_

1	yes	yes	INTJ	_	_	0	root	_	_
"""
SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Warsaw",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "q1",
                            "question": "On what river does it stand ?",
                            "answers": [
                                {"text": "Vistula", "answer_start": 50},
                                {"text": "Vistula River", "answer_start": 50},
                            ],
                        },
                        {"id": "q2", "question": "Who?", "answers": [], "is_impossible": True},
                        {"id": "q3", "question": "Unlabelled?"},
                        {"id": "q4", "question": "Null?", "answers": None},
                    ],
                }
            ],
        }
    ],
}


def read(
    path: Path, kind: str, used: Mapping[str, ColumnKind], /, **settings: Any
) -> list[Example]:
    """Reads a file as train and dev; returns train."""
    where = {"path": path} if kind == "clinc" else {"splits": {"train": path, "dev": path}}
    section = SECTIONS.validate_python({"kind": kind, **where, **settings})
    found = read_splits(section, used)
    splits = cut_texts(found, section.word_cut(found["train"]))
    if kind != "clinc":
        assert splits["train"] == splits["dev"]
    return splits["train"]
