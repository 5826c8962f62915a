"""Values are what stands in the file: alike in every split, in every kind, whatever comes first."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats import SECTIONS, WriteRows, read

from mtl_core.data.splits import read_splits
from mtl_core.errors import DataError

WORDS = [
    "None", "NA", "null", "nan", "N/A", "", "true", "False", "2024-01-01", "2024-01-01T10:00:00Z",
    "007", "1e5", "+1", "1_000", "0x10", "12:30", "\u00e9", '"', "a,b", "1,000.5", "-", "inf",
]  # fmt: skip


def labels_of(rows: list[Any]) -> list[object]:
    return [row.labels.get("label") for row in rows]


def as_csv(rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def as_lines(rows: list[dict[str, Any]]) -> str:
    return "\n".join(json.dumps(row) for row in rows)


def folder_of(tmp_path: Path, name: str, content: str) -> Path:
    for split in ("train", "validation"):
        (tmp_path / "folder" / f"{split}{Path(name).suffix}").parent.mkdir(exist_ok=True)
        (tmp_path / "folder" / f"{split}{Path(name).suffix}").write_text(content, encoding="utf-8")
    return tmp_path / "folder"


def from_hub(folder: Path, **splits: str | None) -> list[Any]:
    section = SECTIONS.validate_python(
        {"kind": "hub", "name": str(folder), "splits": {"test": None, **splits}}
    )
    return read_splits(section, {"label": "label"})["train"]


def test_words_stay_words_in_csv_json_and_hub_folders(
    tmp_path: Path, write_rows: WriteRows
) -> None:
    rows = [{"text": f"t {n}", "label": word} for n, word in enumerate(WORDS)]
    expected = [word or None for word in WORDS]
    for name, content in (("rows.csv", as_csv(rows)), ("rows.jsonl", as_lines(rows))):
        kind = Path(name).suffix[1:]
        assert labels_of(read(write_rows(content, name), kind, {"label": "label"})) == expected
        assert labels_of(from_hub(folder_of(tmp_path / kind, name, content))) == expected


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path) -> None:
    for kind in ("csv", "jsonl"):
        (tmp_path / kind).mkdir()


def test_csv_is_read_as_pandas_reads_text(write_rows: WriteRows) -> None:
    content = 'text,label\r\n"two\r\nlines, ""q""",x\n"a\u2028b",  y \n\n\ufeffz,"1\n"\n'
    found = read(write_rows(content.encode(), "rows.csv"), "csv", {"label": "label"})
    frame = pd.read_csv(io.StringIO(content, newline=""), dtype=str, keep_default_na=False)
    assert labels_of(found) == frame["label"].tolist()
    assert [row.words for row in found] == [tuple(text.split()) for text in frame["text"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_ends_a_row_of_csv_and_errors_count_lines(
    end: str, write_rows: WriteRows
) -> None:
    lines = ["text,label", "a b,x", '"c', 'd",y', "", "e,z,w"]
    path = write_rows(end.join(lines[:5]).encode(), "rows.csv")
    assert labels_of(read(path, "csv", {"label": "label"})) == ["x", "y"]
    with pytest.raises(
        DataError, match=r"rows\.csv:6: expected 2 columns \(text, label\), found 3"
    ):
        read(write_rows(end.join(lines).encode(), "rows.csv"), "csv", {"label": "label"})


def test_a_quote_that_is_never_closed_is_told_where_it_opens(write_rows: WriteRows) -> None:
    rows = "text,label\na,x\n" + 'b,"y\n' + "c,z\n" * 50
    with pytest.raises(DataError, match=r"rows\.txt:3: not CSV: .*in the row that begins here"):
        read(write_rows(rows), "csv", {"label": "label"})


def test_nul_and_columns_of_one_name_that_nobody_reads_are_no_error(write_rows: WriteRows) -> None:
    path = write_rows("text,label,,\na\0b,x,1,2\n")
    [row] = read(path, "csv", {"label": "label"})
    assert row.words == ("a\0b",)


def test_json_values_do_not_depend_on_their_neighbours(write_rows: WriteRows) -> None:
    numbers = [1, 1.0, 2.5, 12345678901234567890, -3, True, None, "1.0", "x", 10**400]
    lines = [{"text": "a", "label": value, "other": {"x": value}} for value in numbers]
    expected = ["1", "1", "2.5", "12345678901234567890", "-3", "True", None, "1.0", "x"]
    path = write_rows(as_lines(lines), "rows.jsonl")
    assert labels_of(read(path, "jsonl", {"label": "label"})) == [*expected, str(10**400)]


@pytest.mark.parametrize("kind", ["jsonl", "hub"])
def test_a_label_may_be_null_in_the_first_ten_megabytes(
    kind: str, tmp_path: Path, write_rows: WriteRows
) -> None:
    first = [{"text": "long " * 20_000, "label": None}] * 110
    rows = as_lines([*first, {"text": "b", "label": "x"}, {"text": "c"}])
    if kind == "hub":
        found = from_hub(folder_of(tmp_path, "rows.jsonl", rows))
    else:
        found = read(write_rows(rows, "rows.jsonl"), "jsonl", {"label": "label"})
    assert labels_of(found) == [None] * 110 + ["x", None]


def test_a_json_file_may_be_one_list(write_rows: WriteRows) -> None:
    rows = [{"text": "a", "label": "x"}, {"label": "y", "text": "b"}]
    path = write_rows("\ufeff" + json.dumps(rows, indent=2), "rows.json")
    assert labels_of(read(path, "jsonl", {"label": "label"})) == ["x", "y"]


def test_all_bad_rows_of_a_table_are_told_at_once(write_rows: WriteRows) -> None:
    lines = ['{"text": "a", "n": 1}', "{", '{"text": "b", "n": "x"}', "[]", "", '{"n": 2}']
    with pytest.raises(DataError) as error:
        read(write_rows("\n".join(lines), "rows.jsonl"), "jsonl", {"n": "number"})
    told = [line.rpartition("rows.jsonl:")[2] for line in error.value.lines]
    assert told == [
        "2: not JSON: Expecting property name enclosed in double quotes",
        "3: column 'n': expected a number, found 'x'",
        "4: expected an object, found []",
        "6: empty sentence in column 'text'; `on_empty: skip` leaves such rows out",
    ]


def test_a_number_of_too_many_digits_is_told(write_rows: WriteRows) -> None:
    path = write_rows('{"text": "a", "label": 1}\n{"text": "a", "label": ' + "9" * 5000 + "}")
    with pytest.raises(DataError, match=r"rows\.txt:2: not usable JSON: a number has too many dig"):
        read(path, "jsonl", {"label": "label"})


def test_whole_numbers_are_one_class_however_csv_writes_them(
    tmp_path: Path, write_rows: WriteRows
) -> None:
    """What pandas writes with and without a missing cell, and what Parquet and JSON make of it."""
    gaps = pd.DataFrame({"text": ["a", "b", "c"], "label": [1, None, -20]})
    whole = pd.DataFrame({"text": ["a", "b"], "label": [1, -20]})
    assert "1.0" in gaps.to_csv(index=False)
    expected = {"a": "1", "b": None, "c": "-20"}
    for kind, write in (("csv", "to_csv"), ("parquet", "to_parquet")):
        path = tmp_path / f"gaps.{kind}"
        getattr(gaps, write)(path, index=False)
        assert labels_of(read(path, kind, {"label": "label"})) == [*expected.values()]
    path = write_rows(whole.to_csv(index=False))
    assert labels_of(read(path, "csv", {"label": "label"})) == ["1", "-20"]
    hub = from_hub(folder_of(tmp_path, "rows.csv", gaps.to_csv(index=False)))
    assert labels_of(hub) == [*expected.values()]


@pytest.mark.parametrize("text", ["1.5", "007.0", "1.0.0", "1.", ".0", "v1.0", "1e0", "1.0 %"])
def test_other_numbers_stay_as_they_are_written(text: str, write_rows: WriteRows) -> None:
    found = read(write_rows(f"text,label\na,{text}\n"), "csv", {"label": "label"})
    assert labels_of(found) == [text]


def test_slices_of_a_hub_folder_are_those_of_datasets(tmp_path: Path) -> None:
    import datasets

    folder = folder_of(
        tmp_path, "rows.csv", "text,label\n" + "".join(f"t,l{n}\n" for n in range(37))
    )
    for spec in ("train[:30%]", "train[10:-5]+validation[95%:]", "train[33%:66%]", "train"):
        expected = datasets.load_dataset(str(folder), split=spec, cache_dir=str(tmp_path / "c"))
        assert labels_of(from_hub(folder, train=spec)) == expected["label"]
    with pytest.raises(DataError, match=r"\[none\]: cannot load the data: Unknown split \"none\""):
        from_hub(folder, train="none")


def test_a_hub_folder_that_tells_types_keeps_them(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "rows.csv", "text,label\na,1\nb,0\n")
    (folder / "README.md").write_text(
        "---\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n  - name: label\n"
        "    dtype:\n      class_label:\n        names:\n          '0': no\n          '1': yes\n"
        "---\n".replace(": no", ": 'no'").replace(": yes", ": 'yes'")
    )
    assert labels_of(from_hub(folder)) == ["yes", "no"]


def test_a_hub_folder_keeps_the_settings_of_its_card(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "rows.csv", "text;label\na,b;None\n")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  sep: ';'\n  data_files:\n  - split: train\n"
        "    path: train.csv\n  - split: validation\n    path: validation.csv\n---\n"
    )
    assert labels_of(from_hub(folder)) == ["None"]


def test_cells_of_parquet_that_are_no_text_read_as_they_are_written(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": pa.array([b"caf\xc3\xa9 au lait", b"two"], pa.binary()),
            "label": pa.array([1, 2], pa.date32()),
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    first, _ = read(tmp_path / "rows.parquet", "parquet", {"label": "label"})
    assert first.words == ("caf\u00e9", "au", "lait")
    assert first.labels == {"label": "1970-01-02"}
