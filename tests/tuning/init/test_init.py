"""`mtl init`: files of many kinds become study files that their check accepts at once."""

from pathlib import Path

import pytest
from conftest import Mtl
from files_of_strangers import (
    Writer,
    bare_tags,
    chinese,
    clinc,
    columns_to_leave_out,
    conll_2003,
    conll_bilou,
    conll_columns,
    conll_u,
    conll_with_intents,
    csv_in_splits,
    csv_with_an_empty_text,
    csv_without_header,
    lines_of_text,
    messy_csv,
    packed_json,
    pairs_with_numbers,
    parquet_of_the_hub,
    parts_of_one_table,
    parts_of_speech,
    rows_of_json,
    semicolons_in_cp1252,
    seq_in_out,
    sets_of_labels,
    spans_as_objects,
    spans_of_doccano,
    squad,
    tabs_in_utf16,
    tsv_with_quotes_as_text,
    two_files,
    types_alone,
    words_and_tags_of_json,
)
from ruamel.yaml import YAML

from tuning.study.load import load_study

CASES: list[tuple[Writer, dict[str, str]]] = [
    (messy_csv, {"label": "classification"}),
    (csv_with_an_empty_text, {"label": "classification"}),
    (csv_in_splits, {"mood": "classification"}),
    (csv_without_header, {"column_1": "classification"}),
    (semicolons_in_cp1252, {"urteil": "classification"}),
    (tabs_in_utf16, {"label": "classification"}),
    (tsv_with_quotes_as_text, {"label": "classification"}),
    (sets_of_labels, {"topics": "multilabel"}),
    (pairs_with_numbers, {"score": "regression"}),
    (columns_to_leave_out, {"stars": "classification", "label": "classification"}),
    (rows_of_json, {"label": "classification", "tags": "multilabel"}),
    (words_and_tags_of_json, {"ner_tags": "tagging"}),
    (packed_json, {"label": "classification"}),
    (parquet_of_the_hub, {"label": "classification"}),
    (conll_columns, {"entities": "tagging"}),
    (conll_2003, {"tags": "tagging", "chunks": "tagging", "entities": "tagging"}),
    (conll_with_intents, {"entities": "tagging", "intent": "classification"}),
    (conll_bilou, {"entities": "tagging"}),
    (bare_tags, {"entities": "tagging"}),
    (types_alone, {"entities": "tagging"}),
    (parts_of_speech, {"tags": "tagging"}),
    (conll_u, {"upos": "tagging", "xpos": "tagging"}),
    (spans_as_objects, {"spans": "tagging", "mood": "classification"}),
    (spans_of_doccano, {"spans": "tagging"}),
    (squad, {"answer": "question_answering"}),
    (clinc, {"intent": "classification"}),
    (seq_in_out, {"intent": "classification", "slots": "tagging"}),
    (lines_of_text, {"words": "masked_lm"}),
    (chinese, {"label": "classification"}),
    (parts_of_one_table, {"label": "classification"}),
    (two_files, {"label": "classification", "entities": "tagging"}),
]


@pytest.mark.parametrize(("writer", "tasks"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_what_init_writes_passes_its_check(
    tmp_path: Path, mtl: Mtl, tiny_encoder: Path, writer: Writer, tasks: dict[str, str]
) -> None:
    study = tmp_path / "study.yaml"
    outcome = mtl("init", *map(str, writer(tmp_path)), "--output", str(study))
    assert (outcome.code, outcome.err) == (0, "")
    run = load_study(str(study)).run
    assert {name: task.kind for name, task in run.tasks.items()} == tasks
    small = [f"encoder.name={tiny_encoder}"]
    if writer is squad:
        small.append("tasks.answer.overlap=8")  # the tiny encoder takes 64 sub-words
    outcome = mtl("check", str(study), *(part for text in small for part in ("--set", text)))
    assert (outcome.code, outcome.err) == (0, ""), study.read_text(encoding="utf-8")


def written(tmp_path: Path, mtl: Mtl, writer: Writer) -> tuple[str, dict[str, object]]:
    study = tmp_path / "study.yaml"
    assert mtl("init", *map(str, writer(tmp_path)), "--output", str(study)).code == 0
    text = study.read_text(encoding="utf-8")
    return text, YAML(typ="safe").load(text)["run"]["datasets"]
