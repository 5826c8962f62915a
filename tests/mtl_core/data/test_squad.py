"""SQuAD files as tools write them, and rows of the hub; offsets that are wrong."""

import json
from typing import Any

import pytest
from formats import CONTEXT, WriteRows, read

from mtl_core.data.example import Answer, Example
from mtl_core.errors import DataError

VISTULA = Answer("Vistula", CONTEXT.index("Vistula"))
NO_ID = {"question": "Which river?", "answers": [{"text": "Vistula", "answer_start": 50}]}
ROW = {"question": "Which river?", "context": CONTEXT, "title": "Warsaw", "id": "5ad3"}
LISTS = {"answers": {"text": ["Vistula"], "answer_start": [50]}}
NONE = {"answers": {"text": [], "answer_start": []}}


def nested(*questions: Any) -> dict[str, Any]:
    return {"data": [{"paragraphs": [{"context": CONTEXT, "document_id": 1, "qas": questions}]}]}


def squad(path: Any) -> list[Example]:
    return read(path, "squad", {"answers": "answers"})


@pytest.mark.parametrize(
    "content",
    [
        nested(NO_ID, {"question": "Who?", "is_impossible": True}),
        nested({**NO_ID, "id": 100}, {"question": "Who?", "answers": [], "id": None}),
        nested(NO_ID, {"question": "Who?", "answers": []})["data"],  # a list of articles
        {"version": "0.1", "data": [{**ROW, **LISTS}, {**ROW, "question": "Who?", **NONE}]},
        [{**ROW, **LISTS}, {**ROW, "question": "Who?", **NONE}],
        "\n".join(
            json.dumps(row) for row in ({**ROW, **LISTS}, {**ROW, "question": "Who?", **NONE})
        ),
        "\n\n".join(
            json.dumps(nested(q)["data"][0]) for q in (NO_ID, {"question": "Who?", "answers": []})
        ),
    ],
    ids=[
        "no ids",
        "ids of any kind",
        "articles",
        "rows below data",
        "rows",
        "lines",
        "lines of articles",
    ],
)
def test_every_layout_gives_the_same_questions(write_rows: WriteRows, content: Any) -> None:
    assert squad(write_rows(content)) == [
        Example(("Which", "river?"), {"answers": (VISTULA,)}, second=CONTEXT),
        Example(("Who?",), {"answers": ()}, second=CONTEXT),
    ]


def test_a_row_that_spans_lines_is_one(write_rows: WriteRows) -> None:
    content = json.dumps({**ROW, **LISTS}, indent=1)
    assert [row.labels["answers"] for row in squad(write_rows(content))] == [(VISTULA,)]


@pytest.mark.parametrize(
    ("start", "text", "told"),
    [
        (47, "Vistula", r"found 'he Vist', and the answer stands nearest at character 50"),
        (60, "is", r"and the answer stands nearest at character 51"),  # V-is-tula, not "is"
        (0, "is", r"and the answer stands nearest at character 7"),
        (3, "Oder", r"and the answer stands nowhere in it"),
        (-5, "River", r"at character -5 of .*and the answer stands nearest at character 58"),
    ],
)
def test_a_wrong_offset_is_told_with_the_nearest_place(
    write_rows: WriteRows, start: int, text: str, told: str
) -> None:
    answers = {"answers": [{"text": text, "answer_start": start}]}
    with pytest.raises(
        DataError, match=rf"rows\.txt: row 1, question '5ad3', 'answers': .*{told}$"
    ):
        squad(write_rows([{**ROW, **answers}]))


def test_all_bad_questions_are_told(write_rows: WriteRows) -> None:
    wrong = [{"text": "Oder", "answer_start": 0}]
    content = nested(NO_ID, {**NO_ID, "answers": wrong}, {"id": 7}, {**NO_ID, "answers": wrong})
    with pytest.raises(DataError) as error:
        squad(write_rows(content))
    places = [line.partition("paragraphs[0].")[2].partition(":")[0] for line in error.value.lines]
    assert places == ["qas[1], 'answers'", "qas[2], question '7'", "qas[3], 'answers'"]


@pytest.mark.parametrize("answers", [5, [5], {"text": "a"}, {"text": ["a"], "answer_start": []},
                                     {"text": ["a"], "answer_start": ["0"]},
                                     [{"text": "W", "answer_start": True}]])  # fmt: skip
def test_answers_of_another_form_are_refused(write_rows: WriteRows, answers: Any) -> None:
    with pytest.raises(DataError, match=r"row 1.*expected a list of objects with text and answer_"):
        squad(write_rows([{**ROW, "answers": answers}]))
