"""What the tests of damaged things stand on: damage is drawn from its seed, answers are told."""

import json
import random
import sys
import time
from pathlib import Path

import pytest
from answers import answer_of, answer_to
from damage import BYTES, FILES, STRANGE, damage_file, damaged, strange_tree, write_strange

CONTENT = json.dumps({"a": [1, 2.5, {"b": "text"}], "c": None}, indent=1).encode() + b"\n"


def test_damage_comes_from_its_seed_and_always_changes_something() -> None:
    first = [damaged(CONTENT, random.Random(seed)) for seed in range(200)]
    assert first == [damaged(CONTENT, random.Random(seed)) for seed in range(200)]
    assert all(content != CONTENT for _, content in first)
    assert {name for name, _ in first} == {*BYTES, "other JSON"}


def test_every_strange_value_can_be_written() -> None:
    for value in STRANGE:
        content = write_strange({"key": value})
        assert b"raw:" not in content
        assert content.startswith(b'{"key": ')
    assert write_strange([STRANGE[-7]]) == b"[NaN]"


def test_one_place_of_a_tree_changes() -> None:
    tree = {"a": {"b": [1, 2, 3]}, "c": "x"}
    found = [strange_tree(tree, random.Random(seed)) for seed in range(50)]
    assert sum(one != tree for one in found) > 40
    assert tree == {"a": {"b": [1, 2, 3]}, "c": "x"}


def test_a_file_is_damaged_where_it_lies(tmp_path: Path) -> None:
    kinds = set()
    for seed in range(100):
        path = tmp_path / str(seed)
        path.write_bytes(CONTENT)
        kinds.add(damage_file(path, random.Random(seed)))
        assert not path.is_file() or path.read_bytes() != CONTENT
    assert kinds == {*BYTES, *FILES, "other JSON"}


def test_an_answer_has_all_that_a_command_did(tmp_path: Path) -> None:
    answer = answer_of(["check", str(tmp_path / "none.yaml")], [tmp_path])
    assert (answer.code, answer.trace, answer.written) == (2, "", [])
    assert answer.stderr.startswith("error: ")
    assert answer.fault() is None


def test_what_no_answer_may_be_is_a_fault(tmp_path: Path) -> None:
    def raises() -> None:
        raise ValueError("of the code")

    def writes() -> None:
        (tmp_path / "new").touch()
        sys.stderr.write("error: refused\n")
        sys.exit(2)

    def is_silent() -> None:
        sys.exit(1)

    def steers() -> None:
        sys.stderr.write("error: \x1b[2J\n")
        sys.exit(2)

    assert answer_to(raises).fault() == "traceback: ValueError: of the code"
    assert answer_to(writes, [tmp_path]).fault() == f"wrote {tmp_path / 'new'}"
    assert answer_to(is_silent).fault() == "exit code 1 without a word"
    assert "control characters" in str(answer_to(steers).fault())
    assert answer_to(lambda: None).fault() is None


def test_a_command_that_never_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("answers.SECONDS", 0.1)
    assert answer_to(lambda: time.sleep(60)).fault() == "no answer in 0 s"
