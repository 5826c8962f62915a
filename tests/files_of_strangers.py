"""Files as people have them: a function per kind, which writes them and returns their paths."""

import csv
import gzip
import io
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Writer = Callable[[Path], list[Path]]

GOOD = ("I like the phone", "good battery, sharp screen", "fast and quiet", "best of the year")
BAD = ("broke on day two", "dim screen, slow", "never again", "late and with scratches")
PEOPLE, PLACES = ("Anna", "Ben", "Clara", "Dave"), ("Leeds", "Oslo", "New York", "Rome")


def reviews(count: int = 60) -> list[tuple[str, str]]:
    """Texts, no two alike, and their labels."""
    draw = random.Random(0)
    rows = []
    for number in range(count):
        label = ("positive", "negative")[number % 2]
        text = draw.choice(GOOD if label == "positive" else BAD)
        rows.append((f"{text} order {number} seen", label))
    return rows


def journeys(count: int = 60) -> list[list[tuple[str, str]]]:
    """Sentences of words with IOB2 tags."""
    draw = random.Random(0)
    sentences = []
    for number in range(count):
        place = draw.choice(PLACES).split()
        tags = ["B-LOC", *["I-LOC"] * (len(place) - 1)]
        sentences.append(
            [(draw.choice(PEOPLE), "B-PER"), (draw.choice(("went", "moved")), "O"), ("to", "O"),
             *zip(place, tags, strict=True), (f"in{number}", "O"), (".", "O")]
        )  # fmt: skip
    return sentences


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def csv_text(header: Sequence[str], rows: Sequence[Sequence[object]], **form: Any) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, **form)
    writer.writerows([header, *rows] if header else rows)
    return stream.getvalue()


def conll_text(sentences: Sequence[Sequence[Sequence[str]]], separator: str = " ") -> str:
    blocks = ["\n".join(separator.join(row) for row in sentence) for sentence in sentences]
    return "\n\n".join(blocks) + "\n"


def json_lines(rows: Sequence[Mapping[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def messy_csv(folder: Path) -> list[Path]:
    rows = [[number, text, label] for number, (text, label) in enumerate(reviews(), start=1)]
    rows[3][1] = "two lines:\nthe first, and\n\nthe third"
    rows[8][1] = '  it said "fine" \t and was  '
    return [write(folder / "reviews.csv", csv_text(["id", "text", "label"], rows))]


def csv_with_an_empty_text(folder: Path) -> list[Path]:
    [path] = messy_csv(folder)
    with path.open("a", encoding="utf-8") as file:
        file.write("61,,positive\r\n62,   ,negative\r\n")
    return [path]


def csv_in_splits(folder: Path) -> list[Path]:
    for split, count in (("train", 40), ("valid", 12), ("test", 12)):
        write(folder / "data" / f"{split}.csv", csv_text(["sentence", "mood"], reviews(count)))
    return [folder / "data"]


def csv_without_header(folder: Path) -> list[Path]:
    rows = [[2 if label == "positive" else 1, text] for text, label in reviews()]
    return [write(folder / "rows.csv", csv_text([], rows))]


def semicolons_in_cp1252(folder: Path) -> list[Path]:
    rows = [
        (f"{text}, dafür sehr schön für Käufer", label.replace("positive", "süß"))
        for text, label in reviews()
    ]
    text = csv_text(["satz", "urteil"], rows, delimiter=";")
    return [write(folder / "kunden.csv", text, "cp1252")]


def tabs_in_utf16(folder: Path) -> list[Path]:
    text = csv_text(["text", "label"], reviews(), delimiter="\t")
    return [write(folder / "export.txt", text, "utf-16")]


def tsv_with_quotes_as_text(folder: Path) -> list[Path]:
    rows = [(f'"{text}', label) for text, label in reviews()]
    lines = ["text\tlabel", *("\t".join(row) for row in rows)]
    return [write(folder / "rows.tsv", "\n".join(lines) + "\n")]


def sets_of_labels(folder: Path) -> list[Path]:
    draw = random.Random(0)
    rows = [
        (text, ";".join(draw.sample(["sound", "price", "screen"], draw.randint(0, 3))))
        for text, _ in reviews()
    ]
    return [write(folder / "topics.csv", csv_text(["text", "topics"], rows))]


def pairs_with_numbers(folder: Path) -> list[Path]:
    rows = [
        (text, f"{label} {text}", round(number / 7, 2))
        for number, (text, label) in enumerate(reviews())
    ]
    header = ["sentence1", "sentence2", "score"]
    return [write(folder / "sts.tsv", csv_text(header, rows, delimiter="\t"))]


def columns_to_leave_out(folder: Path) -> list[Path]:
    rows = [
        ["", f"u{number}x", "web", f"2024-01-{1 + number % 28:02d}", text, number % 5, label]
        for number, (text, label) in enumerate(reviews())
    ]
    header = ["", "user_id", "source", "date", "review", "stars", "label"]
    return [write(folder / "shop.csv", csv_text(header, rows))]


def rows_of_json(folder: Path) -> list[Path]:
    rows = [
        {"id": number, "text": text, "label": label, "tags": ["a", "b"][: number % 3]}
        for number, (text, label) in enumerate(reviews())
    ]
    return [write(folder / "rows.jsonl", json_lines(rows))]


def words_and_tags_of_json(folder: Path) -> list[Path]:
    rows = [
        {"tokens": [word for word, _ in sentence], "ner_tags": [tag for _, tag in sentence]}
        for sentence in journeys()
    ]
    return [write(folder / "ner.jsonl", json_lines(rows))]


def packed_json(folder: Path) -> list[Path]:
    path = folder / "rows.jsonl.gz"
    rows = [{"text": text, "label": label} for text, label in reviews()]
    path.write_bytes(gzip.compress(json_lines(rows).encode()))
    return [path]


def parquet_of_the_hub(folder: Path) -> list[Path]:
    feature = {"label": {"names": ["negative", "positive"], "_type": "ClassLabel"}}
    info = json.dumps(
        {"info": {"features": {"text": {"dtype": "string", "_type": "Value"}, **feature}}}
    )
    for split, count in (("train", 40), ("validation", 12), ("test", 12)):
        rows = reviews(count)
        table = pa.table(
            {"text": [text for text, _ in rows], "label": [int(m == "positive") for _, m in rows]}
        ).replace_schema_metadata({"huggingface": info})
        pq.write_table(table, folder / f"{split}-00000-of-00001.parquet")
    return sorted(folder.glob("*.parquet"))


def a_column_for_each_label(folder: Path) -> list[Path]:
    rows = [
        (text, number % 2, int(number % 3 == 0), int(number % 7 == 0), number % 4)
        for number, (text, _) in enumerate(reviews())
    ]
    header = ["comment", "rude", "threat", "spam", "grade"]
    return [write(folder / "comments.csv", csv_text(header, rows))]


def rows_of_zeros_and_ones(folder: Path) -> list[Path]:
    rows = [
        {"text": text, "labels": [number % 2, int(number % 3 == 0), int(number % 7 == 0)]}
        for number, (text, _) in enumerate(reviews())
    ]
    return [write(folder / "hot.jsonl", json_lines(rows))]


def words_and_iob1_tags(folder: Path) -> list[Path]:
    rows = [
        (" ".join(word for word, _ in s), " ".join(tag.replace("B-", "I-") for _, tag in s))
        for s in journeys()
    ]
    return [write(folder / "people.csv", csv_text(["text", "tags"], rows))]


def lists_that_pandas_wrote(folder: Path) -> list[Path]:
    rows = [
        (text, str([["sound", "price"], ["price"], ["screen"], []][number % 4]))
        for number, (text, _) in enumerate(reviews())
    ]
    return [write(folder / "topics.csv", csv_text(["text", "topics"], rows))]


def squad(folder: Path) -> list[Path]:
    for split, count in (("train", 30), ("dev", 12)):
        paragraphs = [
            {"context": f"Anna lives in {place} and works there, number {number}.",
             "qas": [{"id": f"{number}", "question": "Where does she live?",
                      "answers": [{"text": place, "answer_start": 14}] if number % 3 else []}]}
            for number in range(count) for place in [PLACES[number % 4]]
        ]  # fmt: skip
        document = {"version": "v2.0", "data": [{"title": "a", "paragraphs": paragraphs}]}
        write(folder / f"{split}-v2.0.json", json.dumps(document))
    return sorted(folder.glob("*.json"))


def clinc(folder: Path) -> list[Path]:
    sizes = {"train": 40, "val": 12, "test": 12, "oos_test": 4}
    document = {split: [list(row) for row in reviews(count)] for split, count in sizes.items()}
    return [write(folder / "data_full.json", json.dumps(document))]


def seq_in_out(folder: Path) -> list[Path]:
    for split, count in (("train", 40), ("valid", 12), ("test", 12)):
        found = journeys(count)
        inside = folder / "atis" / split
        write(inside / "seq.in", "".join(" ".join(w for w, _ in s) + "\n" for s in found))
        write(inside / "seq.out", "".join(" ".join(t for _, t in s) + "\n" for s in found))
        write(inside / "label", "".join(("go", "stay")[n % 2] + "\n" for n in range(count)))
    return [folder / "atis"]


def lines_of_text(folder: Path) -> list[Path]:
    return [write(folder / "corpus.txt", "".join(f"{text}.\n" for text, _ in reviews()))]


def chinese(folder: Path) -> list[Path]:
    rows = [
        ("我住在北京" if number % 2 else "我住在上海" + str(number), ("是", "否")[number % 2])
        for number in range(60)
    ]
    return [write(folder / "zh.csv", csv_text(["text", "label"], [
        (f"{text}{number}号", label) for number, (text, label) in enumerate(rows)
    ]))]  # fmt: skip


def parts_of_one_table(folder: Path) -> list[Path]:
    rows = reviews()
    return [
        write(folder / f"part_{number}.csv", csv_text(["text", "label"], rows[20 * number :][:20]))
        for number in range(3)
    ]
