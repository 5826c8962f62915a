"""Adapters in models that write: their decoders get some, and all is saved and read."""

from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory, save_tokenizer
from peft import PeftModel
from seq2seq_models import tiny_seq2seq
from small_decoders import save_decoder
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
from transformers.utils import logging

from mtl_core.assets import Assets, build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.example import Example
from mtl_core.export import export_best
from mtl_core.predictor import Predictor
from mtl_core.scoring import evaluate_model
from mtl_core.training.loop import train

CPU = torch.device("cpu")
Examples = dict[str, list[Example]]
LORA: dict[str, object] = {"kind": "lora", "rank": 2, "targets": "attention"}


def configured(
    run_config: RunConfigFactory, folder: Path, examples: Examples, kind: str, **freezing: object
) -> RunConfig:
    """Returns a run on running text with a random model, which is saved in a folder."""
    logging.disable_progress_bar()
    base = folder / "base"
    if kind == "decoder":
        save_decoder(base, "llama", examples["train"])
    else:
        size = save_tokenizer(base, examples["train"])
        tiny_seq2seq("bart", vocabulary=size).save_pretrained(base)
    splits = {split: str(folder / f"{split}.txt") for split in ("train", "dev", "test")}
    for split in splits:
        lines = [" ".join(example.words) for example in examples[split][:40]]
        (folder / f"{split}.txt").write_text("\n".join(lines))
    return run_config(
        {
            "encoder": {"kind": kind, "name": str(base)},
            "datasets": {"lines": {"kind": "lines", "splits": splits}},
            "tasks": {"lm": {"kind": "causal_lm", "dataset": "lines", "auxiliary": False,
                               "chunk": 16}},
            "freezing": LORA | freezing,
            "optimizer.encoder_lr": 1e-2,
            "training.epochs": 1,
        }
    )  # fmt: skip


@pytest.mark.parametrize("bits", [32, 16])
@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
def test_what_is_merged_is_what_was_scored(
    kind: str, bits: int, run_config: RunConfigFactory, sample: Examples, tmp_path: Path
) -> None:
    config = configured(run_config, tmp_path, sample, kind, bits=bits)
    assets = Assets.load(config, device=CPU)
    tasks = build_tasks(config, assets.data.datasets)
    model = assets.new_model(config, tasks)
    before = {name: value.clone() for name, value in model.whole.state_dict().items()}
    [report] = train(config, checkpoint=tmp_path / "run", assets=assets)
    has_decoder = any("writer" in name for name in report.trained)
    assert has_decoder == (kind == "encoder_decoder")
    export_best(tmp_path / "run", tmp_path / "model", config=config, assets=assets, dev={},
                test=None)  # fmt: skip
    found = evaluate_model(tmp_path / "model", split="dev")
    assert found.scores["lm"] == pytest.approx(report.dev["lm"], rel=1e-4)
    # And the base is there again for the next run.
    after = assets.new_model(config, tasks).whole.state_dict()
    assert after.keys() == before.keys()
    for name, value in before.items():
        assert ".lora_" in name or torch.equal(after[name], value)


@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
def test_peft_reads_what_is_saved_alone(
    kind: str, run_config: RunConfigFactory, sample: Examples, tmp_path: Path
) -> None:
    config = configured(run_config, tmp_path, sample, kind, saved="adapters")
    assets = Assets.load(config, device=CPU)
    [report] = train(config, checkpoint=tmp_path / "run", assets=assets)
    export_best(tmp_path / "run", tmp_path / "model", config=config, assets=assets, dev={},
                test=None)  # fmt: skip
    found = evaluate_model(tmp_path / "model", split="dev")
    assert found.scores["lm"] == pytest.approx(report.dev["lm"], rel=1e-4)
    auto = AutoModelForCausalLM if kind == "decoder" else AutoModelForSeq2SeqLM
    base = auto.from_pretrained(tmp_path / "base").eval()
    ids = torch.arange(5, 25).reshape(2, 10)
    with torch.no_grad():
        plain = base(input_ids=ids, labels=ids).logits
        with pytest.warns(FutureWarning):  # peft asks Transformers by an old name.
            adapted = PeftModel.from_pretrained(base, tmp_path / "model").eval()
        expected = adapted(input_ids=ids, labels=ids).logits
    assert not torch.allclose(plain, expected, atol=1e-3)
    ours = Predictor.load(tmp_path / "model", device="cpu").model.whole
    with torch.no_grad():
        torch.testing.assert_close(
            ours(input_ids=ids, labels=ids).logits, expected, rtol=1e-3, atol=1e-4
        )
