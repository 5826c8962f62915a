"""Encoders of a study: those of the search are tried as the default is, before a trial begins."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Mtl
from token_encoders import save_family

from mtl_core.data.example import Example
from mtl_core.errors import ConfigError, DataError
from mtl_core.model.backbones.tokenizer import load_tokenizer
from tuning.study.load import check_data, load_study

Search = Callable[..., str]
SaveFamily = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path, sample: dict[str, list[Example]]) -> SaveFamily:
    """Saves a small random encoder of a family in a folder of its name."""

    def make(family: str, **settings: object) -> Path:
        save_family(tmp_path / family, family, sample["train"], **settings)
        return tmp_path / family

    return make


@pytest.fixture
def study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus: Path, tiny_encoder: Path
) -> Search:
    """Writes a study with a search and returns what was said against it, "" for nothing."""
    monkeypatch.chdir(tmp_path)

    def check(search: str, *, lengths: str = "") -> str:
        Path("study.yaml").write_text(
            f"run:\n"
            f"  encoder: {{name: {tiny_encoder}{lengths}}}\n"
            f"  datasets: {{corpus: {{kind: seq_in_out, path: {corpus}}}}}\n"
            f"  tasks: {{intent: {{kind: classification, dataset: corpus, column: intent}}}}\n"
            f"search: {{{search}}}\n"
            f"study: {{trials: 2}}\n",
            encoding="utf-8",
        )
        try:
            check_data(load_study("study.yaml"))
        except ConfigError as error:
            return str(error)
        return ""

    return check


def test_a_folder_that_is_not_there(study: Search, tiny_encoder: Path) -> None:
    said = study(f"encoder.name: {{choice: [{tiny_encoder}, /no/such/folder]}}")
    assert said == "search.encoder.name: encoder.name: there is no folder /no/such/folder"


def test_rows_that_are_too_long(study: Search, tiny_encoder: Path) -> None:
    said = study("encoder.max_length: {choice: [32, 64, 4096]}")
    assert said == (
        "search.encoder.max_length: encoder.max_length: expected at most 64, what "
        f"'{tiny_encoder}' takes; found 4096"
    )
    assert study("encoder.max_length: {int_range: [32, 64]}") == ""


def test_every_option_that_cannot_run_has_a_line(
    study: Search, save: SaveFamily, tiny_encoder: Path
) -> None:
    options = [tiny_encoder, save("fnet"), save("bart"), save("gpt2"), save("reformer")]
    lines = study(f"encoder.name: {{choice: [{', '.join(map(str, options))}]}}").splitlines()
    assert len(lines) == 2
    for line, (folder, reason) in zip(
        lines, [(options[1], "takes no attention mask"), (options[4], "axial_pos")], strict=True
    ):
        assert line.startswith(f"search.encoder.name: encoder.name: '{folder}', a model of the ")
        assert reason in line


def test_words_are_hidden_by_a_mask_token(
    study: Search, tiny_encoder: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(tiny_encoder, bare)
    tokenizer = load_tokenizer(str(bare))
    tokenizer.mask_token = None
    tokenizer.save_pretrained(bare)
    both = f"encoder.name: {{choice: [{tiny_encoder}, {bare}]}}"
    assert study(both) == ""
    said = study(f"{both}, training.word_dropout: {{choice: [0, 0.1]}}")
    assert said == (
        f"search.encoder.name {bare} with search.training.word_dropout 0.1: training.word_dropout: "
        "needs a tokenizer with a mask token, which this encoder's has not; leave it out"
    )


def test_options_are_tried_together(study: Search, save: SaveFamily, tiny_encoder: Path) -> None:
    short = save("bert")  # of 42 positions and two layers
    search = f"encoder.name: {{choice: [{tiny_encoder}, {short}]}}"
    # Each by itself fits one of the two.
    said = study(f"{search}, encoder.max_length: {{choice: [40, 64]}}", lengths=", max_length: 40")
    assert said == (
        f"search.encoder.name {short} with search.encoder.max_length 64: encoder.max_length: "
        f"expected at most 42, what '{short}' takes; found 64"
    )
    layers = "{choice: [{kind: none}, {kind: lower_layers, layers: 3}]}"
    said = study(f"{search}, freezing: {layers}", lengths=", max_length: 40")
    assert said.startswith(f"search.encoder.name {short} with search.freezing ")
    assert said.endswith("freezing.layers: expected at most 2, the layers of the encoder; found 3")
    assert len(said.splitlines()) == 1


def test_data_that_an_option_cannot_read(
    study: Search, save: SaveFamily, tiny_encoder: Path, tmp_path: Path
) -> None:
    asked = {"question": "where is it " * 14, "id": "1"}
    answers = [{"text": "kitchen", "answer_start": 7}]
    paragraph = {"context": "in the kitchen", "qas": [{**asked, "answers": answers}]}
    rows = json.dumps({"data": [{"paragraphs": [paragraph]}]})
    (tmp_path / "rows.json").write_text(rows)
    assert study(f"encoder.name: {{choice: [{tiny_encoder}, {save('bert')}]}}") == ""
    changes = [
        f"datasets={{qa: {{kind: squad, splits: {{train: {tmp_path}/rows.json, "
        f"dev: {tmp_path}/rows.json}}}}}}",
        "tasks={qa: {kind: question_answering, dataset: qa, overlap: 0}}",
    ]
    # A question of 42 words leaves room for a context in rows of 64, but not in rows of 42.
    with pytest.raises(DataError, match=r"\Asearch\.encoder\.name: .*too long for windows of 42 "):
        check_data(load_study("study.yaml", changes))


def test_check_and_train_say_it_in_one_line(
    mtl: Mtl, study: Search, save: SaveFamily, tiny_encoder: Path
) -> None:
    assert study(f"encoder.name: {{choice: [{tiny_encoder}, {save('gpt2')}]}}") == ""
    fnet = save("fnet")
    changes = ["--set", f"encoder.name={fnet}", "--set", "search={}", "--set", "study.trials=1"]
    for command in (["check", "study.yaml"], ["train", "study.yaml", "--output", "run"]):
        outcome = mtl(*command, *changes)
        assert outcome.code == 2
        said = " ".join(outcome.err.split())
        assert said.count("error:") == 1
        assert f"'{fnet}', a model of the family 'fnet', does not run as an encoder" in said
        assert not Path("run").exists()
