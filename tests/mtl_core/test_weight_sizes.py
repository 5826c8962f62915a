"""Sizes of weights, read from the head of their file alone."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mtl_core.errors import ConfigError
from mtl_core.weight_sizes import read_sizes


def head(content: object, numbers: int = 0) -> bytes:
    text = json.dumps(content).encode()
    return len(text).to_bytes(8, "little") + text + bytes(numbers)


ONE = {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}

BROKEN = {
    "nothing": (b"", "found something else"),
    "a pickle": (b"\x80\x04\x95" + bytes(40), "found something else"),
    "a list": (head([]), "found something else"),
    "a head without an end": (b"\xff\xff\xff\x00\x00\x00\x00\x00{", "found something else"),
    "a head of zeros": (bytes(64), "found something else"),
    "numbers that are missing": (head(ONE, 20), "they are broken: "),
    "numbers too many": (head(ONE, 40), "they are broken: "),
    "a shape below nothing": (
        head({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, 4), "they are broken: "
    ),
    "a shape beyond all": (
        head({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, 4),
        "they are broken: ",
    ),
    "a shape of other bytes": (
        head({"a": {"dtype": "F32", "shape": [7], "data_offsets": [0, 4]}}, 4), "they are broken: "
    ),
    "places that overlap": (
        head(ONE | {"b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, 24),
        "they are broken: ",
    ),
    "no type": (head({"a": {"shape": [1], "data_offsets": [0, 4]}}, 4), "they are broken: "),
    "an unknown type": (
        head({"a": {"dtype": "X", "shape": [1], "data_offsets": [0, 4]}}, 4), "they are broken: "
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", BROKEN)
def test_what_is_no_file_of_weights_is_told_in_one_line(form: str, tmp_path: Path) -> None:
    content, said = BROKEN[form]
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as told:
        read_sizes(path)
    assert str(told.value).startswith(f"{path}: expected weights of safetensors")
    assert said in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_a_head_that_fills_the_memory_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes((90 * 2**20).to_bytes(8, "little") + b"{")
    os.truncate(path, 2**40)  # takes no room
    with pytest.raises(ConfigError, match=r"at most 4 MiB in front of the weights, found 90 MiB"):
        read_sizes(path)


def test_sizes_are_those_of_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a.b": torch.ones(2, 3), "c": torch.tensor(1.0), "d": torch.ones(0, 7)}, path)
    sizes = read_sizes(path)
    assert dict(sizes.shapes) == {"a.b": (2, 3), "c": (), "d": (0, 7)}
    assert (sizes.numbers, sizes.largest, sizes.place) == (7, 7, path)
