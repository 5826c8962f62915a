"""The bundled study of dialogues passes its check on files in the forms of MultiWOZ."""

import json
from pathlib import Path

import pytest
from conftest import Mtl
from dialogues import REPLIES, TURNS, version_21, write_21, write_databases, write_log
from letter_tokenizers import letters
from transformers import LlamaConfig, LlamaForCausalLM

from mtl_core.samples import read_samples


@pytest.fixture
def decoder(tmp_path: Path) -> Path:
    """A small decoder of as many layers as the study speaks of."""
    folder = tmp_path / "decoder"
    letters().save_pretrained(folder)
    sizes = dict.fromkeys(("hidden_size", "intermediate_size"), 24) | {"num_hidden_layers": 30}
    config = LlamaConfig(vocab_size=300, num_attention_heads=2, eos_token_id=256, **sizes)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def settings(decoder: Path, data: Path) -> list[str]:
    splits = f'{{"train": "{data}", "dev": 0.1, "test": 0.1}}'
    keys = {
        "run.encoder.name": decoder,
        "run.datasets.dialogues.splits": splits,
        "run.datasets.turns.splits": splits,
        "run.datasets.dialogues.databases": write_databases(data.parent / "db"),
    }
    return [f"--set={key}={one}" for key, one in keys.items()]


def test_dialogue_passes_its_check_in_all_forms_of_multiwoz(
    decoder: Path, tmp_path: Path, mtl: Mtl
) -> None:
    for path in (write_21(tmp_path / "val.jsonl", 40), write_log(tmp_path / "data.json", 40)):
        outcome = mtl("check", "dialogue", *settings(decoder, path))
        assert (outcome.code, outcome.err) == (0, "")
        assert "Hotel-Inform" in outcome.out


def test_dialogue_is_trained_saved_and_scored(decoder: Path, tmp_path: Path, mtl: Mtl) -> None:
    # Of two lengths, so that what is known of a dialogue has no shape in common.
    rows = [version_21(f"MUL{n}", turns=TURNS[: 2 + n % 2 * 2]) for n in range(30)]
    data = tmp_path / "val.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    greedy = '{"kind": "greedy", "max_new_tokens": 2}'
    short = {"training.epochs": 1, "tasks.reply.decoding": greedy}
    sets = [*settings(decoder, data), *(f"--set=run.{key}={one}" for key, one in short.items())]
    sets.append("--set=study.resources.cpus=1")  # Two threads would wait for each other here.
    outcome = mtl("train", "dialogue", *sets, "--output", str(tmp_path / "run"), "--quiet")
    assert outcome.code == 0, outcome.err
    model = tmp_path / "run" / "model"
    [*_, last] = read_samples(model)["reply"]
    assert last.gold in REPLIES
    outcome = mtl("evaluate", str(model), "--json")
    assert outcome.code == 0, outcome.err
    scores = json.loads(outcome.out)["scores"]
    assert {*scores} == {"reply", "acts", "spans"}
    assert {"combined", "success", "inform", "bleu"} < {*scores["reply"]}
