"""What data and models cannot give to a task that writes: one line each, before anything trains."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from letter_tokenizers import letters
from pydantic import ValidationError
from transformers import LlamaConfig, LlamaForCausalLM

from mtl_core.assets import Data, load_data
from mtl_core.config import RunConfig
from mtl_core.errors import DataError

ROWS = [{"text": f"text {n}", "summary": f"sum {n}", "to": "de"} for n in range(8)]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decoder")
    sizes = dict.fromkeys(("hidden_size", "intermediate_size"), 16)
    config = LlamaConfig(vocab_size=300, num_hidden_layers=1, num_attention_heads=2, **sizes)
    LlamaForCausalLM(config).save_pretrained(folder)
    letters().save_pretrained(folder)
    return folder


def load(
    tmp_path: Path,
    decoder: Path,
    rows: Sequence[Mapping[str, Any]] = ROWS,
    encoder: Mapping[str, Any] | None = None,
    task: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Data:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    splits = {"train": str(path), "dev": str(path)}
    base = {"kind": "generation", "dataset": "rows", "column": "summary", "target_length": 20}
    config = {
        "encoder": {"kind": "decoder", "name": str(decoder), "max_length": 60, **(encoder or {})},
        "datasets": {"rows": {"kind": "jsonl", "splits": splits}},
        "tasks": {"sum": task or {**base, **settings}},
    }
    return load_data(RunConfig.model_validate(config))


def test_without_the_column_the_nearest_one_is_named(tmp_path: Path, decoder: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"rows\.jsonl: there is no column 'sumary'; columns found: .*\. Did you mean 'summar",
    ):
        load(tmp_path, decoder, column="sumary")


def test_a_prompt_that_names_a_missing_column_tells_the_nearest(
    tmp_path: Path, decoder: Path
) -> None:
    with pytest.raises(
        DataError, match=r"there is no column 'too'; columns found: .*\. Did you mean 'to'\?"
    ):
        load(tmp_path, decoder, prompt="{too}: {text}")


def test_texts_that_are_too_long_are_counted_and_told(tmp_path: Path, decoder: Path) -> None:
    rows = [*ROWS, {"text": "long " * 30, "summary": "s", "to": ""}]
    notes = load(tmp_path, decoder, rows).notes
    [note] = [note for note in notes if note.topic == "cut" and note.split == "train"]
    # Of the text 149 letters, a line end, the letter to write and its end.
    assert note.line == (
        "rows [train]: 1 of 9 rows (11 %) lose their beginning, to fit into 60 sub-words "
        "(run.encoder.max_length; the longest has 152)"
    )


def test_rows_without_a_text_to_write_are_counted_and_told(tmp_path: Path, decoder: Path) -> None:
    rows = [*ROWS, {"text": "a", "summary": ""}, {"text": "b", "summary": None}]
    data = load(tmp_path, decoder, rows)
    assert [note.text for note in data.notes if note.topic == "empty_target"] == [
        "task 'sum': 2 of 10 rows (20 %) have no text to write; they are neither learnt nor scored"
    ] * 2
    assert data.datasets["rows"].splits["train"].num_labelled("sum") == 8


def test_a_split_without_any_text_to_write_is_refused(tmp_path: Path, decoder: Path) -> None:
    with pytest.raises(DataError, match=r"split 'train' holds no label of task 'sum' \(column 'su"):
        load(tmp_path, decoder, [{"text": "a", "summary": " "}])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            ["a", "b"],
            r"rows\.jsonl:1: column 'summary': expected a text, or a dialogue as a li",
        ),
        ({"a": 1}, r"rows\.jsonl:1: column 'summary': expected a text, or a dialogue"),
        (
            [{"role": "bot", "content": "x"}],
            r"rows\.jsonl:1: column 'summary': message 1: there is no role 'bot'; allowed: system",
        ),
        (
            [{"role": "user", "content": "x"}],
            r"rows\.jsonl:1: column 'summary': expected a dialogue with turns of the role as",
        ),
    ],
)
def test_what_is_no_text_to_write_is_told(
    value: object, message: str, tmp_path: Path, decoder: Path
) -> None:
    with pytest.raises(DataError, match=message):
        load(tmp_path, decoder, [{"text": "a", "summary": value}])


def test_replies_belong_to_a_dialogue(tmp_path: Path, decoder: Path) -> None:
    turns = [{"role": role, "content": "x"} for role in ("user", "assistant")]
    with pytest.raises(DataError, match="`text` of the data set has to name the same column"):
        load(tmp_path, decoder, [{"text": "a", "summary": turns}])


def test_a_tokenizer_without_an_end_token_is_refused(tmp_path: Path, decoder: Path) -> None:
    folder = tmp_path / "endless"
    folder.mkdir()
    for file in decoder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    letters(end=None).save_pretrained(folder)
    with pytest.raises(DataError, match="tokenizer has no token that ends a text"):
        load(tmp_path, folder)


def test_a_decoder_is_refused_where_both_sides_are_read(decoder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"tasks\.sum\.kind: masked_lm needs sub-words that"):
        load(tmp_path, decoder, task={"kind": "masked_lm", "dataset": "rows"})


def test_an_encoder_is_refused_where_text_is_written(tmp_path: Path, tiny_encoder: Path) -> None:
    with pytest.raises(ValidationError, match=r"tasks\.sum\.kind: generation writes text, which"):
        load(tmp_path, tiny_encoder, encoder={"kind": "encoder"})


def test_rows_that_leave_no_room_for_a_prompt_are_refused(tmp_path: Path, decoder: Path) -> None:
    with pytest.raises(
        DataError, match=r"data set 'rows': split 'train': target_length: 60 sub-words to write le"
    ):
        load(tmp_path, decoder, target_length=60)
