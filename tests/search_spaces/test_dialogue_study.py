"""The bundled study of dialogues passes its check on files in the forms of MultiWOZ."""

from pathlib import Path

from conftest import Mtl
from dialogues import write_21, write_databases, write_log
from letter_tokenizers import letters
from transformers import LlamaConfig, LlamaForCausalLM


def test_dialogue_passes_its_check_in_all_forms_of_multiwoz(tmp_path: Path, mtl: Mtl) -> None:
    decoder = tmp_path / "decoder"
    letters().save_pretrained(decoder)
    sizes = dict.fromkeys(("hidden_size", "intermediate_size"), 24) | {"num_hidden_layers": 30}
    config = LlamaConfig(vocab_size=300, num_attention_heads=2, eos_token_id=256, **sizes)
    LlamaForCausalLM(config).save_pretrained(decoder)
    for path in (write_21(tmp_path / "val.jsonl", 40), write_log(tmp_path / "data.json", 40)):
        splits = f'{{"train": "{path}", "dev": 0.1, "test": 0.1}}'
        keys = {
            "run.encoder.name": decoder,
            "run.datasets.dialogues.splits": splits,
            "run.datasets.turns.splits": splits,
            "run.datasets.dialogues.databases": write_databases(tmp_path / "db"),
        }
        outcome = mtl("check", "dialogue", *(f"--set={key}={one}" for key, one in keys.items()))
        assert (outcome.code, outcome.err) == (0, "")
        assert "Hotel-Inform" in outcome.out
