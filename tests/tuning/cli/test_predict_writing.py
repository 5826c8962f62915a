"""`mtl predict` with a model that writes: on a terminal, as files, and by other settings."""

import json
import sys
from pathlib import Path

import pytest
from conftest import Mtl
from writing_runs import writing_run

from mtl_core.assets import Assets, build_tasks
from mtl_core.errors import ConfigError, DataError
from mtl_core.export import save_model
from mtl_core.predictor import Predictor
from mtl_core.saved_model import ForPeople

TEXTS = ["anna likes rice", "bob likes fish"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights that writes."""
    import torch

    folder = tmp_path_factory.mktemp("writing")
    config = writing_run(folder)
    assets = Assets.load(config, device=torch.device("cpu"))
    torch.manual_seed(1)
    made = assets.new_model(config, build_tasks(config, assets.data.datasets))
    for parameter in made.parameters():
        if parameter.dim() == 2:  # So that texts differ, and not all of them end at once.
            parameter.data.normal_(0.0, 0.6)
    save_model(
        folder / "model", made, config=config, assets=assets, people=ForPeople("# Model\n"),
        precision="fp32",
    )  # fmt: skip
    return folder / "model"


def replies(model: Path, **settings: object) -> list[object]:
    keys = {f"tasks.reply.decoding.{key}": value for key, value in settings.items()}
    return [one["reply"] for one in Predictor.load(model, settings=keys)(TEXTS)]


def test_lines_and_files_have_the_texts_that_a_predictor_writes(
    model: Path, mtl: Mtl, tmp_path: Path
) -> None:
    first, second = replies(model)
    assert mtl("predict", str(model), *TEXTS).out == (
        f"{TEXTS[0]}\n  reply: {first}\n{TEXTS[1]}\n  reply: {second}\n"
    )
    [line] = mtl("predict", str(model), TEXTS[0], "--json").out.splitlines()
    assert json.loads(line) == {"text": TEXTS[0], "reply": first}
    table = tmp_path / "rows.csv"
    table.write_text(f"text,id\n{TEXTS[1]},7\n")
    mtl("predict", str(model), "--file", str(table), "--output", str(tmp_path / "said.csv"))
    assert (tmp_path / "said.csv").read_text() == (
        f"text,id,predicted_reply\n{TEXTS[1]},7,{second}\n"
    )


def test_on_a_terminal_a_text_comes_piece_by_piece(
    model: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = mtl("predict", str(model), *TEXTS).out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert mtl("predict", str(model), *TEXTS).out == expected
    pieces: list[tuple[str, str]] = []
    [said] = Predictor.load(model)(TEXTS[0], on_text=lambda *piece: pieces.append(piece))
    assert len(pieces) > 1
    assert {task for task, _ in pieces} == {"reply"}
    assert "".join(piece for _, piece in pieces) == said["reply"]


def test_other_settings_decode_the_same_weights_otherwise(model: Path, mtl: Mtl) -> None:
    own = replies(model)
    beams = replies(model, kind="beam", beams=3, max_new_tokens=4)
    assert beams != own
    options = ("kind=beam", "beams=3", "max_new_tokens=4")
    keys = [part for one in options for part in ("--set", f"tasks.reply.decoding.{one}")]
    out = mtl("predict", str(model), TEXTS[0], "--json", *keys).out
    assert json.loads(out)["reply"] == beams[0]
    # A text that is drawn hangs on its prompt alone.
    drawn = replies(model, kind="sample")
    sampling = {"tasks.reply.decoding.kind": "sample"}
    assert Predictor.load(model, settings=sampling)(TEXTS[1])[0]["reply"] == drawn[1]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tasks.reply.target_length", 4, "settings alone that need no training: tasks.reply.dec"),
        ("tasks.reply.decoding.beams", 4, "unknown key 'tasks.reply.decoding.beams'"),
        ("tasks.reply.decoding.max_new_tokens", 0, "decoding.max_new_tokens=0: expected .*1"),
        ("tasks.replay.decoding.kind", "beam", "that need no training: tasks.reply.decoding"),
    ],
)
def test_settings_that_cannot_be_are_told_in_a_line(
    model: Path, key: str, value: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Predictor.load(model, settings={key: value})
    assert "\n" not in str(caught.value)


def test_a_dialogue_and_its_line_are_answered_alike(model: Path, mtl: Mtl) -> None:
    turns = [{"role": "user", "content": "rice"}, {"role": "assistant", "content": "for anna"}]
    turns.append({"role": "user", "content": "fish"})
    predictor = Predictor.load(model)
    [said] = predictor(turns)
    [again] = predictor([turns])
    assert said == again
    assert said.text == "rice\nfor anna\nfish"
    [line] = mtl("predict", str(model), json.dumps(turns), "--json").out.splitlines()
    assert json.loads(line)["reply"] == said["reply"]
    with pytest.raises(DataError, match=r"there is no role 'bot'; allowed: .*assistant"):
        predictor([{"role": "bot", "content": "hi"}])
