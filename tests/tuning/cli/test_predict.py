"""`mtl predict`: files in and out, streams, and what is refused before a model is read."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import Mtl, RunConfigFactory
from short_runs import save_short_run

from mtl_core.config import RunConfig

MESSY = 'id,said,intent\r\n1,"play jazz, now",a\r\n\r\n2,,b\r\n3,"book\na ""table""",c\r\n'


@pytest.fixture(scope="module")
def model(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_short_run(run_config({"training.epochs": 1}), tmp_path_factory.mktemp("single"))


@pytest.fixture(scope="module")
def tabled(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with pairs, numbers, labels, and a file with tabs and columns of its own names."""
    folder = tmp_path_factory.mktemp("tabled")
    rows = [[f"play song {n}", f"jazz {n}", f"{n} 1", "ab"[n % 2], str(n / 10)] for n in range(12)]
    text = "\n".join("\t".join(row) for row in [["said", "more", "size", "label", "cost"], *rows])
    (folder / "train.tsv").write_text(text, encoding="utf-8")
    config = run_config({"training.epochs": 1}).model_dump(mode="json")
    config["datasets"] = {
        "rows": {
            "kind": "csv", "delimiter": "\t", "quote": None, "text": "said", "text_pair": "more",
            "features": "size",
            "splits": dict.fromkeys(("train", "dev"), str(folder / "train.tsv")),
        }
    }  # fmt: skip
    of_rows = {"dataset": "rows"}
    config["tasks"] = {
        "label": {"kind": "classification", "column": "label", **of_rows},
        "cost": {"kind": "regression", "column": "cost", **of_rows},
    }
    return save_short_run(RunConfig.model_validate(config), folder)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_columns_of_a_table_are_kept_and_labels_among_them_too(
    mtl: Mtl, model: Path, here: Path
) -> None:
    Path("in.csv").write_text(MESSY, newline="")
    texts = ["play jazz, now", "", 'book\na "table"']
    alone = [
        json.loads(line)
        for line in mtl("predict", str(model), "--json", *texts).out.split("\n")
        if line
    ]
    arguments = ["predict", str(model), "--file", "in.csv", "--text", "said"]
    assert mtl(*arguments, "--output", "out.csv").out == ""
    rows = table(Path("out.csv").read_text())
    assert [[row["id"], row["said"], row["intent"]] for row in rows] == [
        ["1", texts[0], "a"], ["2", "", "b"], ["3", texts[2], "c"],
    ]  # fmt: skip
    for row, one in zip(rows, alone, strict=True):
        found = one["intent"] or {"label": "", "probability": ""}
        assert row["predicted_intent"] == found["label"]
        assert row["predicted_intent_probability"] == str(found["probability"])
        assert row["predicted_slots"] == ("" if one["slots"] is None else json.dumps(one["slots"]))
    assert mtl(*arguments, "--output", "out.jsonl").code == 0
    lines = Path("out.jsonl").read_text()
    assert lines == mtl(*arguments, "--json").out
    assert [json.loads(line) for line in lines.splitlines()] == [
        {**row, "predicted_intent": one["intent"], "predicted_slots": one["slots"]}
        for row, one in zip(table(MESSY), alone, strict=True)
    ]


def test_what_came_out_goes_in_again(mtl: Mtl, model: Path, here: Path) -> None:
    Path("a.csv").write_text("text\nplay jazz\n")
    for source, to in (("a.csv", "b.csv"), ("b.csv", "c.csv"), ("c.csv", "d.jsonl")):
        assert mtl("predict", str(model), "--file", source, "--output", to).code == 0
    assert Path("b.csv").read_bytes() == Path("c.csv").read_bytes()


def test_texts_without_columns_become_a_table(mtl: Mtl, model: Path, here: Path) -> None:
    mtl("predict", str(model), "play jazz", "a, b", "--output", "out.TSV")
    rows = table(Path("out.TSV").read_text(), "\t")
    assert [row["text"] for row in rows] == ["play jazz", "a, b"]
    assert list(rows[0]) == ["text", "intent", "intent_probability", "slots"]


def test_columns_are_those_of_training(mtl: Mtl, tabled: Path, here: Path) -> None:
    """With tabs and quotes as text, as the data set says, and in any other form by its suffix."""
    Path("new.csv").write_text('x\tsize\tsaid\tmore\n1\t3 1\tplay "it\tjazz\n')
    [found] = table_of(mtl, tabled, "new.csv")
    assert found["said"] == 'play "it'
    row = {"said": 'play "it', "more": "jazz", "size": [3, 1]}
    Path("new.jsonl").write_text(json.dumps(row) + "\n")
    [same] = table_of(mtl, tabled, "new.jsonl")
    Path("usual.csv").write_text('said,size,more\n"play ""it","3 1",jazz\n')
    [also] = table_of(mtl, tabled, "usual.csv")
    for one in (same, also):
        assert one["predicted_label"] == found["predicted_label"]
        assert one["predicted_cost"] == pytest.approx(found["predicted_cost"], abs=1e-6)
    Path("named.jsonl").write_text(json.dumps({"a": 'play "it', "b": "jazz", "c": "3 1"}) + "\n")
    names = ["--text", "a", "--text-pair", "b", "--features", "c"]
    [named] = table_of(mtl, tabled, "named.jsonl", *names)
    assert named["predicted_label"] == found["predicted_label"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["in.csv", "in.jsonl", "in.tsv"])
def test_byte_order_marks_say_the_encoding(
    mtl: Mtl, model: Path, here: Path, name: str, encoding: str
) -> None:
    text = '{"text": "caf\u00e9"}\n' if name == "in.jsonl" else "text\ncaf\u00e9\n"
    Path(name).write_bytes(text.encode(encoding))
    assert [row["text"] for row in table_of(mtl, model, name)] == ["caf\u00e9"]


def test_the_encoding_is_that_of_training(
    mtl: Mtl, run_config: RunConfigFactory, here: Path
) -> None:
    rows = "\n".join(["t;label", *["caf\u00e9;a", "th\u00e9;b"] * 5])
    Path("train.csv").write_text(rows, encoding="cp1252")
    splits = dict.fromkeys(("train", "dev"), str(here / "train.csv"))
    table = {"kind": "csv", "delimiter": ";", "text": "t", "encoding": "cp1252", "splits": splits}
    config = run_config({"training.epochs": 1}).model_dump(mode="json")
    config["datasets"] = {"rows": table}
    config["tasks"] = {"a": {"kind": "classification", "dataset": "rows", "column": "label"}}
    model = save_short_run(RunConfig.model_validate(config), here)
    assert [row["t"] for row in table_of(mtl, model, "train.csv")][:2] == ["caf\u00e9", "th\u00e9"]
    Path("other.csv").write_text("text\ncaf\u00e9\n", encoding="utf-8")
    assert [row["text"] for row in table_of(mtl, model, "other.csv")] == ["caf\u00e9"]


def table_of(mtl: Mtl, model: Path, file: str, *more: str) -> list[dict[str, Any]]:
    found = mtl("predict", str(model), "--json", "--file", file, *more)
    assert found.code == 0, found.err
    return [json.loads(line) for line in found.out.splitlines()]


def test_rows_of_json_may_differ_and_a_table_says_which(mtl: Mtl, model: Path, here: Path) -> None:
    rows: list[dict[str, object]] = [
        {"text": "play", "n": {"a": [1]}, "gone": None},
        {"text": ["book", "it"], "n": 0.5},
        {"text": None},
    ]
    Path("in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert mtl("predict", str(model), "--file", "in.jsonl", "--output", "out.csv").code == 0
    found = table(Path("out.csv").read_text())
    assert [(row["n"], row["gone"]) for row in found] == [('{"a": [1]}', ""), ("0.5", ""), ("", "")]
    assert found[1]["predicted_intent"] != "" == found[2]["predicted_intent"]
    Path("in.jsonl").write_text('{"text": "a"}\n{"text": "b", "more": 1}\n')
    refused = mtl("predict", str(model), "--file", "in.jsonl", "--output", "out.csv")
    assert refused.code == 2
    assert "a row has 'more', and the first one did not; .jsonl takes" in refused.err


@pytest.mark.parametrize(
    ("name", "content", "arguments", "message"),
    [
        ("in.csv", None, [], r"in\.csv: cannot read the file: No such file"),
        ("in.csv", "", [], r"in\.csv: expected a header with the column names, found none"),
        ("in.csv", "text\n", [], r"in\.csv: expected rows, found none"),
        ("in.jsonl", "\n", [], r"in\.jsonl: expected rows, found none"),
        ("in.txt", "", [], r"in\.txt: expected texts, found an empty file"),
        ("in.csv", "txet,b\na,b\n", [], r"no column 'text'; .*: txet, b; --text names .* 'txet'\?"),
        ("in.csv", "text\na\n", ["--text", "tex"], r"in\.csv: --text: there is no column 'tex'"),
        ("in.csv", "text,b\na\n", [], r"in\.csv:2: expected 2 columns \(text, b\), found 1"),
        ("in.csv", "id;text\n1;a, b\n", [], r"in\.csv: its columns are parted by ';'; .* a copy"),
        ("in.csv", "id\ttext\n1\ta\n", [], r"in\.csv: its columns are parted by '\\t'; a \.csv"),
        ("in.tsv", "id,text\n1,a\n", [], r"in\.tsv: .* by ','; a \.tsv file has '\\t', or what"),
        ("in.csv", "text\ncaf\udce9\n", [], r"in\.csv:2: not UTF-8 .*; make a copy in UTF-8;"),
        (".", None, [], r"\.: it is a folder, expected a file of texts"),
        ("in.csv", "text,text\na,b\n", [], r"two columns are named 'text'"),
        ("in.csv", 'text\n"a\n', [], r"in\.csv:2: not CSV: unexpected end of data"),
        ("in.csv", "text\na\n\udcff\n", [], r"in\.csv:3: not UTF-8 text \(byte 0xff\)"),
        ("in.txt", "a\n\udcff\n", [], r"in\.txt:2: not UTF-8 text \(byte 0xff\)"),
        ("in.jsonl", '{"text": "a"}\n{"text": 5}\n', [], r"jsonl:2: column 'text': expected a"),
        ("in.jsonl", '{"text": "a"}\n{"b": 5}\n', [], r"jsonl:2: the row lacks 'text'; it has b"),
        ("in.jsonl", '{"text": "\\ud83d"}\n', [], r"jsonl:1: column 'text': half of a surro"),
        ("in.jsonl", '{"text": "a"\n', [], r"in\.jsonl:1: not JSON: Expecting ',' delimiter"),
        ("in.jsonl", "[" * 9999 + "\n", [], r"in\.jsonl:1: not usable JSON: nested"),
        ("in.jsonl", "[1]\n", [], r"in\.jsonl:1: expected an object, found \[1\]"),
        ("in.csv", "text\na\n", ["--text-pair", "text"], r"trained on single texts, without pairs"),
        ("in.csv", "text\na\n", ["--features", "text"], r"was trained without features"),
        ("in.csv", "text\na\n", ["--output", "in.csv"], r"in\.csv: it is the file of the texts"),
        ("in.csv", "text\na\n", ["--output", "o.xls"], r"o\.xls: expected .* in \.csv, \.tsv, \.j"),
        ("in.csv", "text\na\n", ["--output", "no/o.csv"], r"there is no folder no$"),
        ("in.txt", "a\n", ["--text", "a"], r"--text: names a column; give a \.csv, \.tsv or"),
        ("in.csv", "text\na\n", ["--device", "cuda:9"], r"machine has no 'cuda:9'; it has cpu"),
        ("in.csv", "text\na\n", ["--batch-size", "0"], r"--batch-size"),
    ],
)  # fmt: skip
def test_what_cannot_be_predicted_is_one_line(
    mtl: Mtl,
    model: Path,
    here: Path,
    name: str,
    content: str | None,
    arguments: list[str],
    message: str,
) -> None:
    if content is not None:
        Path(name).write_text(content, encoding="utf-8", errors="surrogateescape")
    found = mtl("predict", str(model), "--json", "--file", name, *arguments)
    assert found.code == 2
    assert re.search(message, found.err, re.MULTILINE), found.err
    assert "Traceback" not in found.err
    if "--batch-size" not in arguments:
        assert found.err.count("\n") == 1


def test_a_model_that_says_nothing_is_told(
    mtl: Mtl, run_config: RunConfigFactory, here: Path
) -> None:
    Path("lines.txt").write_text("play some jazz\n" * 8)
    config = run_config({"training.epochs": 1}).model_dump(mode="json")
    splits = dict.fromkeys(("train", "dev"), str(here / "lines.txt"))
    config["datasets"] = {"running": {"kind": "lines", "splits": splits}}
    config["tasks"] = {"words": {"kind": "masked_lm", "dataset": "running", "auxiliary": False}}
    model = save_short_run(RunConfig.model_validate(config), here)
    found = mtl("predict", str(model), "play")
    assert (found.code, found.out) == (2, "")
    assert "no task of the model says something of a text" in found.err


class Pipe(io.RawIOBase):
    """Gives a piece at a time, as a pipe does whose writer is slow."""

    def __init__(self, pieces: list[bytes], before: list[Any]) -> None:
        self._pieces = pieces
        self._before = before

    def read1(self, _: int) -> bytes:
        self._before.append(len(self._pieces))
        return self._pieces.pop(0) if self._pieces else b""


def test_lines_come_out_as_they_come_in(
    mtl: Mtl, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    stream = Pipe(["é".encode()[:1], "é\r\npl".encode()[1:], b"ay", b" it\nlast"], told)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    from mtl_core.predictor import Predictor

    real = Predictor.__call__

    def call(self: Predictor, texts: Any, **options: Any) -> Any:
        told.append(list(texts))
        return real(self, texts, **options)

    monkeypatch.setattr(Predictor, "__call__", call)
    out = mtl("predict", str(model), "--json").out
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["é", "play it", "last"]
    # Each line is predicted before more is read.
    assert told == [4, 3, ["é"], 2, 1, ["play it"], 0, ["last"]]


def test_stdin_in_another_encoding_is_named(
    mtl: Mtl, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"tea\ncaf\xe9\n")))
    found = mtl("predict", str(model))
    assert (found.code, found.out) == (2, "")
    assert "stdin:2: not UTF-8 text (byte 0xe9)" in found.err


def test_a_large_file_is_never_in_memory_as_a_whole(
    mtl: Mtl, model: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("in.csv").open("w") as file:
        file.write("text,n\n")
        file.writelines(f"play {n},{n}\n" for n in range(3000))
    from mtl_core.predictor import Predictor

    real, sizes = Predictor.__call__, []

    def call(self: Predictor, texts: Any, **options: Any) -> Any:
        done = table(Path(".out.csv.part").read_text())
        sizes.append((len(done), len(texts)))
        return real(self, texts, **options)

    monkeypatch.setattr(Predictor, "__call__", call)
    assert mtl("predict", str(model), "--file", "in.csv", "--output", "out.csv").code == 0
    # What is done is in the file before the next rows are predicted.
    assert sizes == [(0, 1024), (1024, 1024), (2048, 952)]
    assert [row["n"] for row in table(Path("out.csv").read_text())] == list(map(str, range(3000)))


def test_whoever_breaks_off_keeps_whole_lines(
    model: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Ctrl-C in the middle: exit code 130, and every line of the file is one."""
    Path("out.jsonl").write_text("old")
    command = [sys.executable, "-m", "tuning", "predict", str(model), "--output", "out.jsonl"]
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    stop = threading.Event()

    def feed() -> None:
        assert process.stdin is not None
        while not stop.is_set():
            try:
                process.stdin.write(b"play some jazz in paris\n" * 200)
            except OSError:
                return

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        part = Path(".out.jsonl.part")
        while not (part.exists() and part.stat().st_size > 100_000):
            assert process.poll() is None
            stop.wait(0.05)
        assert Path("out.jsonl").read_text() == "old"
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        stop.set()
        process.kill()
        process.communicate()
    lines = Path("out.jsonl").read_text().split("\n")
    assert lines.pop() == ""
    assert {json.loads(line)["text"] for line in lines} == {"play some jazz in paris"}


def test_the_name_of_a_file_is_no_text(mtl: Mtl, model: Path, here: Path) -> None:
    Path("new.csv").write_text("text\nplay\n")
    Path("play").touch()  # a word that happens to be a file
    found = mtl("predict", str(model), "new.csv")
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert "new.csv: it is a file; --file new.csv predicts" in found.err
    assert mtl("predict", str(model), "play", "old.csv", "x" * 5000 + ".csv").code == 0


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        (b"text\nplay\ncaf\xe9\n", []),
        (b"txet\nplay\n", []),
        (b"text\nplay\n", ["--text", "said"]),
        (b"text,n\n" + b"play,1\n" * 1100 + b"one cell\n", []),  # after a chunk that is done
    ],
)
def test_a_failed_prediction_leaves_what_was_there(
    mtl: Mtl, model: Path, here: Path, content: bytes, arguments: list[str]
) -> None:
    Path("in.csv").write_bytes(content)
    Path("old.csv").write_text("worth a night")
    Path("link.csv").symlink_to("old.csv")
    before = sorted(here.iterdir())
    for output in ("old.csv", "new.csv", "link.csv"):
        found = mtl("predict", str(model), "--file", "in.csv", *arguments, "--output", output)
        assert found.code == 2
        assert Path("old.csv").read_text() == "worth a night"
        assert sorted(here.iterdir()) == before
    # What succeeds takes the place that a link leads to.
    assert mtl("predict", str(model), "play", "--output", "link.csv").code == 0
    assert Path("link.csv").is_symlink()
    assert [row["text"] for row in table(Path("old.csv").read_text())] == ["play"]


def test_words_end_where_the_user_says(mtl: Mtl, model: Path) -> None:
    text, found = "play jazz, by o'neil", 0
    for words, allowed in (
        ("whitespace", {"play", "jazz,", "by", "o'neil"}),
        ("punctuation", {"play", "jazz", ",", "by", "o", "'", "neil"}),
        ("characters", set(text)),
    ):
        outcome = mtl("predict", str(model), text, "--json", "--words", words)
        assert outcome.code == 0, outcome.err
        for span in json.loads(outcome.out)["slots"]:
            assert span["text"] == text[span["start"] : span["end"]]
            ends = [text[span["start"] :], text[: span["end"]]]
            assert any(ends[0].startswith(word) for word in allowed)
            assert any(ends[1].endswith(word) for word in allowed)
            found += 1
    assert found
    outcome = mtl("predict", str(model), text, "--words", "letters")
    assert outcome.code == 2
    assert "'whitespace', 'punctuation', 'characters'" in outcome.err
