"""`mtl init`: files of many kinds become study files that their check accepts at once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import Mtl
from files_of_strangers import (
    Writer,
    a_column_for_each_label,
    chinese,
    clinc,
    columns_to_leave_out,
    conll_text,
    csv_in_splits,
    csv_text,
    csv_with_an_empty_text,
    csv_without_header,
    journeys,
    json_lines,
    lines_of_text,
    lists_that_pandas_wrote,
    messy_csv,
    packed_json,
    pairs_with_numbers,
    parquet_of_the_hub,
    parts_of_one_table,
    reviews,
    rows_of_json,
    rows_of_zeros_and_ones,
    semicolons_in_cp1252,
    seq_in_out,
    sets_of_labels,
    squad,
    tabs_in_utf16,
    tsv_with_quotes_as_text,
    words_and_iob1_tags,
    words_and_tags_of_json,
    write,
)
from ruamel.yaml import YAML
from words_of_strangers import (
    bare_tags,
    conll_2003,
    conll_bilou,
    conll_columns,
    conll_u,
    conll_with_intents,
    parts_of_speech,
    spans_as_objects,
    spans_of_doccano,
    spans_of_label_studio,
    spans_of_spacy,
    two_files,
    types_alone,
)

from tuning.study.load import load_study
from tuning.study.schema import SCHEMA_NAME

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
    (spans_of_label_studio, {"spans": "tagging"}),
    (spans_of_spacy, {"spans": "tagging"}),
    (a_column_for_each_label, {"labels": "multilabel", "grade": "classification"}),
    (rows_of_zeros_and_ones, {"labels": "multilabel"}),
    (words_and_iob1_tags, {"tags": "tagging"}),
    (lists_that_pandas_wrote, {"topics": "multilabel"}),
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


Written = Callable[[Writer], tuple[str, dict[str, Any]]]


@pytest.fixture
def written(tmp_path: Path, mtl: Mtl) -> Written:
    """Runs `init` on files; returns the text it wrote, and its data sets."""

    def run(writer: Writer) -> tuple[str, dict[str, Any]]:
        study = tmp_path / "study.yaml"
        outcome = mtl("init", *map(str, writer(tmp_path)), "--output", str(study))
        assert (outcome.code, outcome.err) == (0, "")
        text = study.read_text(encoding="utf-8")
        return text, YAML(typ="safe").load(text)["run"]["datasets"]

    return run


def test_comments_say_what_was_seen_and_what_was_left_out(written: Written) -> None:
    text, datasets = written(columns_to_leave_out)
    assert list(datasets) == ["shop"]
    assert datasets["shop"]["text"] == "review"
    for words in (
        ": 60 rows; texts of 5 to 7 words",
        "Left out: user_id (another value in each row).",
        "Left out: source (always web).",
        "Left out: date (dates).",
        "5 labels: 0 12, 1 12, 2 12, 3 12, 4 12; as numbers: kind regression.",
    ):
        assert words in text


def test_splits_are_told_by_names_and_what_is_missing_is_cut_off(written: Written) -> None:
    _, datasets = written(csv_in_splits)
    names = {split: f"data/{split}.csv" for split in ("train", "test")}
    assert datasets["data"]["splits"] == names | {"dev": "data/valid.csv"}


def test_what_is_missing_is_cut_off_train(written: Written) -> None:
    text, datasets = written(squad)
    assert datasets["v2"]["splits"] == {
        "train": "train-v2.0.json", "dev": "dev-v2.0.json", "test": 0.2,
    }  # fmt: skip
    assert "shares are cut off train" in text
    assert "42 questions, 14 of them without an answer" in text


def test_parts_of_one_table_are_one_data_set(written: Written) -> None:
    _, datasets = written(parts_of_one_table)
    assert datasets["part"]["splits"]["train"] == ["part_0.csv", "part_1.csv", "part_2.csv"]


def test_conll_2003_is_recognised(written: Written) -> None:
    _, datasets = written(conll_2003)
    assert datasets["eng"] == {
        "kind": "conll",
        "columns": {"tags": 1, "chunks": 2, "entities": 3},
        "schemes": {"tags": "plain", "chunks": "iob1", "entities": "iob1"},
        "splits": {"train": "eng.train", "dev": "eng.testa", "test": "eng.testb"},
    }


def test_tags_without_a_prefix_and_numbered_words_are_recognised(written: Written) -> None:
    assert written(types_alone)[1]["europarl"]["schemes"] == {"entities": "io"}


def test_the_number_of_a_word_is_no_word(written: Written) -> None:
    text, datasets = written(conll_with_intents)
    assert datasets["en"]["words"] == 1
    assert datasets["en"]["columns"] == {"entities": 2}
    assert "Left out: comment id." in text


def test_encodings_that_need_a_word_get_it(written: Written) -> None:
    text, datasets = written(semicolons_in_cp1252)
    assert datasets["kunden"]["encoding"] == "cp1252"
    assert datasets["kunden"]["delimiter"] == ";"
    assert "s\u00fc\u00df 30" in text


def test_a_byte_order_mark_needs_none(written: Written) -> None:
    assert "encoding" not in written(tabs_in_utf16)[1]["export"]


def test_blanks_around_labels_are_taken_off_and_case_is_left_to_the_user(
    written: Written,
) -> None:
    def padded(folder: Path) -> list[Path]:
        forms = ("{}", " {}", "{} ", "{}")
        rows = [[text, forms[n % 4].format(label)] for n, (text, label) in enumerate(reviews())]
        rows[0][1] = rows[0][1].upper()
        return [write(folder / "padded.csv", csv_text(["text", "label"], rows))]

    text, datasets = written(padded)
    assert datasets["padded"]["labels"] == {"strip": True}
    assert "# 3 labels: " in text  # one of them in capitals
    assert "some differ in case alone: `lower: true`" in text


def test_pairs_and_sets_are_recognised(written: Written) -> None:
    _, datasets = written(pairs_with_numbers)
    assert (datasets["sts"]["text"], datasets["sts"]["text_pair"]) == ("sentence1", "sentence2")


def test_the_separator_of_labels_is_found(written: Written) -> None:
    assert written(sets_of_labels)[1]["topics"]["label_separator"] == ";"


def test_scripts_that_the_encoder_does_not_know_are_told(written: Written) -> None:
    assert "The built-in encoder knows English; for these texts name one" in written(chinese)[0]


def test_what_lies_beside_data_in_a_folder_is_passed_over(tmp_path: Path, mtl: Mtl) -> None:
    [folder] = csv_in_splits(tmp_path)
    write(folder / "README.md", "# Moods\n")
    write(folder / "LICENSE", "Free\n")
    write(folder / "classes.json", '{"a": 1,\n"b": 2}')
    study = tmp_path / "study.yaml"
    outcome = mtl("init", str(folder), "--output", str(study))
    assert outcome.code == 0
    assert f"left out: {folder}/classes.json: JSON, but neither" in outcome.out
    assert list(load_study(str(study)).run.datasets) == ["data"]
    # A file that is named is meant.
    outcome = mtl("init", str(folder / "classes.json"), "--output", str(study), "--force")
    assert outcome.code == 2


def test_ids_that_each_split_counts_anew_are_no_numbers(written: Written) -> None:
    def numbered(folder: Path) -> list[Path]:
        for split, count in (("train", 40), ("dev", 12), ("test", 12)):
            rows = [(n, f"0{170000000 + n}", *row) for n, row in enumerate(reviews(count))]
            write(folder / f"{split}.csv", csv_text(["id", "phone", "text", "label"], rows))
        return sorted(folder.glob("*.csv"))

    text, _ = written(numbered)
    assert text.count("(another value in each row)") == 2


def test_heads_and_labels_of_sentences_are_no_tags_of_words(written: Written) -> None:
    def parsed(folder: Path) -> list[Path]:
        rows = [
            [(word, ("go", "stay")[n % 2], str((7 * i + n) % 50), tag)
             for i, (word, tag) in enumerate(sentence)]
            for n, sentence in enumerate(journeys())
        ]  # fmt: skip
        return [write(folder / "parsed.conll", conll_text(rows, "\t"))]

    text, datasets = written(parsed)
    assert datasets["parsed"]["columns"] == {"entities": 3}
    assert "Left out: column 1." in text


def test_a_span_without_a_start_begins_its_text(written: Written) -> None:
    def slots(folder: Path) -> list[Path]:
        rows: list[dict[str, object]] = [
            {"text": f"Anna met Ben {n}", "labels": [
                {"slot": "PER", "valueSpan": {"endIndex": 4}},
                {"slot": "PER", "valueSpan": {"startIndex": 9, "endIndex": 12}}]}
            for n in range(40)
        ]  # fmt: skip
        return [write(folder / "slots.jsonl", json_lines(rows))]

    _, datasets = written(slots)
    assert datasets["slots"]["start"] == "valueSpan.startIndex"


def test_a_column_of_splits_is_no_task(written: Written) -> None:
    def parted(folder: Path) -> list[Path]:
        rows = [
            (text, label, ("train", "valid", "test")[number % 3])
            for number, (text, label) in enumerate(reviews())
        ]
        return [write(folder / "all.csv", csv_text(["text", "label", "fold"], rows))]

    text, _ = written(parted)
    assert "Left out: fold (splits: a file for each is needed)." in text


def test_texts_that_come_again_and_long_names_of_classes_are_told_apart(written: Written) -> None:
    def commands(folder: Path) -> list[Path]:
        names = ("the caller wants to hear some music now", "the caller wants to be left alone")
        rows = [
            (f"play song {number % 60} at full volume", names[number % 2]) for number in range(200)
        ]
        return [write(folder / "calls.csv", csv_text(["said", "meaning"], rows))]

    text, datasets = written(commands)
    assert datasets["calls"]["text"] == "said"
    assert "meaning: {kind: classification" in text


def test_a_large_table_is_told_by_its_beginning(written: Written) -> None:
    def large(folder: Path) -> list[Path]:
        rows = [
            (f"{number} a text; with, signs\nand lines", "xy"[number % 2]) for number in range(9000)
        ]
        return [write(folder / "large.csv", csv_text(["text", "label"], rows, delimiter=";"))]

    text, datasets = written(large)
    assert datasets["large"]["delimiter"] == ";"
    assert "9,000 rows" in text


def test_a_quote_far_down_may_be_text(written: Written) -> None:
    def large(folder: Path) -> list[Path]:
        rows = [f"{n} a text of some length\t{'xy'[n % 2]}" for n in range(9000)]
        rows[8888] = f'"{rows[8888]}'
        return [write(folder / "large.tsv", "\n".join(["text\tlabel", *rows]) + "\n")]

    _, datasets = written(large)
    assert (datasets["large"]["delimiter"], datasets["large"]["quote"]) == ("\t", None)


def test_labels_that_differ_in_case_alone_are_told(written: Written) -> None:
    def shouted(folder: Path) -> list[Path]:
        rows = [
            (text, label.upper() if number % 3 else label)
            for number, (text, label) in enumerate(reviews())
        ]
        return [write(folder / "rows.csv", csv_text(["text", "label"], rows))]

    text, datasets = written(shouted)
    assert "some differ in case alone: `lower: true` in `labels` of the data set" in text
    assert all("labels" not in one for one in datasets.values())


def test_keys_of_exports_are_left_to_the_reader(written: Written) -> None:
    _, datasets = written(spans_of_label_studio)
    assert datasets["project"] == {
        "kind": "spans_json",
        "splits": {"train": "project.json", "dev": 0.2, "test": 0.2},
    }


def test_the_schema_lies_beside_the_study(written: Written, tmp_path: Path) -> None:
    text, _ = written(messy_csv)
    assert text.startswith(f"# yaml-language-server: $schema={SCHEMA_NAME}\n")
    schema = json.loads((tmp_path / SCHEMA_NAME).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(YAML(typ="safe").load(text))


def test_a_file_is_never_replaced_unasked(tmp_path: Path, mtl: Mtl) -> None:
    [path] = map(str, messy_csv(tmp_path))
    study = tmp_path / "study.yaml"
    study.write_text("mine", encoding="utf-8")
    outcome = mtl("init", path, "--output", str(study))
    assert outcome.code == 2
    assert "study.yaml: the file is there already; --force replaces it" in outcome.err
    assert study.read_text(encoding="utf-8") == "mine"
    assert mtl("init", path, "--output", str(study), "--force").code == 0
    assert study.read_text(encoding="utf-8") != "mine"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "the file is empty"),
        ("few.csv", b"text,label\na b c,x\nd e f,y\n", "2 rows, which are too few to cut"),
        ("table.xlsx", b"PK\x03\x04", "save it as CSV, in UTF-8"),
        ("picture.bin", bytes(range(256)) * 40, "not a text file"),
        ("one.json", b'{"a":\n {"b": 1}}', "neither a list or lines of objects nor SQuAD"),
        ("numbers.csv", b"a,b\n" + b"1.5,2.5\n3.5,9.5\n" * 9, "no column of texts was found"),
        ("words.csv", b"Sentence,Word,Tag\n" + b"".join(b"1,w%d,O\n2,v%d,B\n" % (n, n)
         for n in range(50)), "this looks like a word per row (column 'Word')"),
        ("broken.parquet", b"PAR1 and no more", "cannot be read as Parquet"),
        ("odd.csv", b"text,label\n" + b"good one here,x\nbad one there,y\n" * 30 + b"a,b,c\n",
         "odd.csv:62: expected 2 columns"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_line_and_writes_nothing(
    tmp_path: Path, mtl: Mtl, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    outcome = mtl("init", str(path), "--output", str(tmp_path / "study.yaml"))
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.startswith(f"error: {path}")
    assert outcome.err.count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_missing_file_and_a_missing_folder_are_one_line(tmp_path: Path, mtl: Mtl) -> None:
    outcome = mtl("init", str(tmp_path / "no.csv"), "--output", str(tmp_path / "study.yaml"))
    assert (outcome.code, outcome.err) == (2, f"error: {tmp_path}/no.csv: there is no such file\n")
    [path] = map(str, messy_csv(tmp_path))
    outcome = mtl("init", path, "--output", str(tmp_path / "no" / "study.yaml"))
    assert outcome.code == 2
    assert "study.yaml: cannot write the file: No such file or directory" in outcome.err


def test_labels_of_a_file_cannot_leave_their_comment(written: Written) -> None:
    def hostile(folder: Path) -> list[Path]:
        rows = [
            (text, ("x\nstudy: {trials: 1}", "\x1b[31mred", "# y: [")[number % 3])
            for number, (text, _) in enumerate(reviews())
        ]
        return [write(folder / "rows.csv", csv_text(["text", "la: bel"], rows))]

    text, _ = written(hostile)
    assert "\x1b" not in text
    assert YAML(typ="safe").load(text)["study"]["trials"] == 24


def test_two_tasks_of_one_name_get_the_names_of_their_data_sets(tmp_path: Path, mtl: Mtl) -> None:
    first = write(tmp_path / "shop.csv", csv_text(["text", "label"], reviews()))
    second = write(tmp_path / "bank.csv", csv_text(["body", "label"], reviews()))
    study = tmp_path / "study.yaml"
    assert mtl("init", str(first), str(second), "--output", str(study)).code == 0
    assert list(load_study(str(study)).run.tasks) == ["shop_label", "bank_label"]


@pytest.mark.parametrize("writer", [two_files, conll_with_intents, squad, sets_of_labels])
def test_what_init_writes_trains_and_predicts(
    tmp_path: Path, mtl: Mtl, tiny_encoder: Path, writer: Writer
) -> None:
    study, run = tmp_path / "study.yaml", tmp_path / "run"
    assert mtl("init", *map(str, writer(tmp_path)), "--output", str(study)).code == 0
    keys = [f"encoder.name={tiny_encoder}", "training.epochs=1", "training.precision=fp32"]
    if writer is squad:
        keys.append("tasks.answer.overlap=8")
    sets = [part for key in keys for part in ("--set", key)]
    assert mtl("train", str(study), *sets, "--output", str(run)).code == 0
    text = "Where does she live?\tAnna lives in Oslo." if writer is squad else "Anna is in Oslo."
    outcome = mtl("predict", str(run), text)
    assert outcome.code == 0
    assert outcome.out
