"""YAML that is larger than any study file is refused at once; what a study needs is read."""

import json
import os
import re
import time
from importlib.resources import files
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from strangers import BOMB

from mtl_core.errors import ConfigError
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.study_file import dump, parse_assignment, read_document
from mtl_core.validation import validate
from mtl_core.yaml_text import parse

ANSWERED = 3.0
"""Seconds of CPU, as others may keep the machine busy; an answer takes a tenth of it."""
LONG = 200_000

REFUSED = {
    "a bomb of lists": (BOMB, "expected a document of at most 10,000 keys and values, found"),
    "a bomb of mappings": (
        "b0: &a0 {x: 1, y: 2}\n"
        + "".join(
            f"b{n}: &a{n} {{{', '.join(f'k{i}: *a{n - 1}' for i in range(9))}}}\n"
            for n in range(1, 10)
        ),
        "expected a document of at most 10,000 keys and values, found",
    ),
    "a bomb of numbers too long to write": (
        "b0: &a0 [x, x]\n"
        + "".join(f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 300)}]\n" for n in range(1, 90)),
        "keys and values, found",
    ),
    "a bomb of merge keys": (
        "b0: &a0 {x: 1}\n"
        + "".join(f"b{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 10)),
        "expected a document of at most 10,000 keys and values, found",
    ),
    "an alias of itself": ("a: &x {b: *x}", "nested too deeply, or an alias inside itself"),
    "an alias of nothing": ("a: *x", "found undefined alias 'x'"),
    "brackets": ("[" * 20_000, "nested too deeply; allowed: 50 levels"),
    "brackets that are closed": ("[" * 20_000 + "]" * 20_000, "nested too deeply"),
    "braces": ("a: " + "{" * 20_000, "nested too deeply"),
    "brackets on lines": ("[\n" * 20_000, ":51: nested too deeply"),
    "blocks in blocks": ("".join(f"{' ' * n}a:\n" for n in range(600)), "nested too deeply"),
    "items of items": ("- " * 100_000, "nested too deeply"),
    "keys of keys": ("? " * 100_000, "nested too deeply"),
    "many keys": ("".join(f"k{n}: 1\n" for n in range(20_000)), "found 10,001"),
    "many items": (f"a: [{'x, ' * 50_000}]", "found 10,001"),
    "many documents": ("---\n" * 50_000, "found 10,001"),
    "a long text": ("a: " + "x" * LONG, "text of at most 10,000 characters, found 200,000"),
    "a long text on lines": ("a: |\n" + "  xyz\n" * 30_000, "text of at most 10,000 characters"),
    "a long key": ("x" * LONG + ": 1", "text of at most 10,000 characters"),
    "a long key that is marked": ("? " + "x" * LONG + "\n: 1", "text of at most 10,000"),
    "a long tag": ("!" + "a" * LONG + " x", f"the type '!{'a' * 39}' is not supported"),
    "a file of 100 MB": (None, "expected a study file, of at most 256 KiB; it is larger"),
    "a number of many digits": ("a: " + "9" * 5000, f"a value of type int, found '{'9' * 40}'"),
    "such a number by its type": ("a: !!int " + "9" * 5000, "a value of type int, found"),
    "a long number to another base": ("a: 0x" + "f" * 5000, "a whole number of at most 64 bits"),
    "a number of 65 bits": ("a: 18446744073709551616", "found '18446744073709551616'"),
    "a long version": (f"%YAML 1.{'9' * 5000}\n---\na: 1", "not valid YAML: "),
    "no character": ('a: "\\U00110000"', "not valid YAML: "),
    "no boolean": ("a: !!bool x", "not YAML: expected a value of type bool, found 'x'"),
    "a list that is a number": ("a: !!int [1]", "the type 'tag:yaml.org,2002:int' is not"),
    "a section that is a text": ("a: !!str {b: 1}", "the type 'tag:yaml.org,2002:str' is not"),
    "an object": ("a: !!python/object/apply:os.system [touch x]", "is not supported"),
    "two lines in a key": ('"a\\nb": 1\n"a\\nb": 2', r"repeated key 'a\nb'; first given in line 1"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_document_that_would_take_long_is_refused(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text, message = REFUSED[what]
    path = Path("study.yaml")
    path.write_text(text or "", encoding="utf-8")
    if text is None:
        os.truncate(path, 100_000_000)
    start = time.process_time()
    with pytest.raises(ConfigError, match=rf"\Astudy\.yaml.*{re.escape(message)}.*\Z"):
        read_document(path)
    assert time.process_time() - start < ANSWERED


def test_a_value_on_the_command_line_is_bounded_as_well() -> None:
    with pytest.raises(ConfigError, match=r"\A--set a=\[.*: nested too deeply; allowed: 50 levels"):
        parse_assignment("a=" + "[" * 1000)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: &x {b: 1}\nc: *x\nd: [*x, *x]", {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}] * 2}),
        ("a: &x 1\nb: *x\nc: &x 2\nd: *x", {"a": 1, "b": 1, "c": 2, "d": 2}),
        ("a: &x [&y 1, *y]\nb: *x", {"a": [1, 1], "b": [1, 1]}),
        ("<<: 1\na: <<", {"<<": 1, "a": "<<"}),
        ("a: 18446744073709551615\nb: -9223372036854775808", {"a": 2**64 - 1, "b": -(2**63)}),
        (f"a: {'x' * 10_000}", {"a": "x" * 10_000}),
        (f"a: {'[' * 49}{']' * 49}", None),
        ("".join(f"k{n}: 1\n" for n in range(4999)), {f"k{n}": 1 for n in range(4999)}),
        ("# comment\n" * 20_000 + "a: 1", {"a": 1}),
    ],
)
def test_what_is_below_the_bounds_is_read(text: str, data: object, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    found = read_document(tmp_path / "study.yaml").data
    assert data is None or found == data


def test_bundled_studies_are_read_as_another_parser_reads_them() -> None:
    for file in files("search_spaces").iterdir():
        if file.name.endswith(".yaml"):
            path = Path(str(file))
            assert read_document(path).data == YAML(typ="safe", pure=True).load(path)


def test_of_thousands_of_errors_the_first_are_told(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("".join(f"k{n}: 1\n" for n in range(4000)), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"yaml:1: unknown key 'k0'") as refused:
        validate(read_document(path), Encoder)
    lines = str(refused.value).splitlines()
    assert (len(lines), lines[-1]) == (51, "and 3,950 more errors like these")


def test_a_large_study_is_read_back(tmp_path: Path) -> None:
    study = {"choice": [{"kind": f"k{n}", "path": "p" * 60} for n in range(1500)]}
    (tmp_path / "study.yaml").write_text(dump(study), encoding="utf-8")
    assert read_document(tmp_path / "study.yaml").data == study


def test_a_row_of_brackets_is_refused_at_once() -> None:
    text = "a: 1\nb: " + "[ " * 100_000
    start = time.monotonic()
    with pytest.raises(ConfigError, match=r"^x:2: nested too deeply; allowed: 50 levels$"):
        parse(text, base=Path(), where=lambda line: f"x:{line}")
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("text", [r'a: "x\ud800"', r'"\udfff": 1', r'a: ["\ude00\ud83d"]'])
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^x:1: expected text, found half a character \(\\ud"):
        parse(text, base=Path(), where=lambda line: f"x:{line}")


@pytest.mark.parametrize("text", ["\U0001f600", "a\U000e0101b\U0010ffff", "Gr\u00fc\u00dfe"])
def test_what_json_writes_as_two_escapes_is_one_character(text: str) -> None:
    found, _ = parse(json.dumps({text: [text]}), base=Path(), where=lambda line: f"x:{line}")
    assert found == {text: [text]}
