"""The benchmark of replies: both sides write the same, and ours reads the dialogues once."""

import importlib
import json
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_replies_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    benchmark, threads = importlib.import_module("dialogue_replies"), torch.get_num_threads()
    small = {"hidden_size": 36, "intermediate_size": 48, "num_hidden_layers": 2, "vocab_size": 90}
    monkeypatch.setattr(benchmark, "SIZES", benchmark.SIZES | small)
    for name, value in {"WORDS": 90, "DIALOGUES": 3, "TURN": 4, "NEW": 3, "ROUNDS": 1}.items():
        monkeypatch.setattr(benchmark, name, value)
    prompts = benchmark.make_prompts()
    assert len(prompts) == 3 * benchmark.REPLIES
    assert prompts.token_ids.lengths()[: benchmark.REPLIES].tolist() == [4, 12, 20, 28, 36, 44, 52]
    path = tmp_path / "out.json"
    monkeypatch.setattr("sys.argv", ["benchmark", "--json", str(path), "--precision", "fp32"])
    benchmark.main()
    torch.set_num_threads(threads)
    [row] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert row["what"] == "21 replies of 3 dialogues (100% are the same texts)"
    assert row["ours"] > 0 < row["theirs"]
