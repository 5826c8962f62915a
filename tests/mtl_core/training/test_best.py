"""The weights of the best report: read as they were written, or refused and told."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from short_runs import assert_same

from mtl_core.checks import DamagedError
from mtl_core.errors import ConfigError
from mtl_core.training.best import BEST, BestWeights, has_best, load_best, read_best, write_best


def test_the_best_weights_are_read_as_they_were_written(tmp_path: Path) -> None:
    weights = {"a": torch.randn(3, 2), "b": torch.arange(4), "c": torch.tensor(1.5)}
    write_best(tmp_path, BestWeights(weights, "bf16", 3, {"run": "{}"}))
    found = read_best(tmp_path)
    assert (found.precision, found.number, found.inputs) == ("bf16", 3, {"run": "{}"})
    assert_same(dict(found.weights), weights)


def test_no_change_of_the_best_weights_goes_unnoticed(tmp_path: Path) -> None:
    write_best(tmp_path, BestWeights({"a": torch.ones(2)}, "fp32", 1, {"run": "{}"}))
    path = tmp_path / BEST
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            found = read_best(tmp_path)
        except DamagedError:
            continue
        # Safetensors fills its header up with blanks, which say nothing.
        assert whole[place : place + 1] == b" "
        assert (found.number, found.weights["a"].tolist()) == (1, [1.0, 1.0])


def test_weights_of_another_report_or_version_are_refused(tmp_path: Path) -> None:
    model = torch.nn.Linear(1, 1)
    with pytest.raises(ConfigError, match=r"are lost: best\.safetensors is missing; train the run"):
        load_best(tmp_path, model)
    write_best(tmp_path, BestWeights(model.state_dict(), "fp32", 2, {"run": "{}"}))
    assert load_best(tmp_path, model, number=2) == "fp32"
    with pytest.raises(ConfigError, match=r"the weights of report 1, found .* 2;"):
        load_best(tmp_path, model, number=1)
    save_file(load_file(tmp_path / BEST), tmp_path / BEST)
    with pytest.raises(ConfigError, match="is not what was written, or of another version"):
        load_best(tmp_path, model)


def test_damaged_weights_are_passed_over_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not has_best(tmp_path)
    assert caplog.messages == []
    write_best(tmp_path, BestWeights({"a": torch.ones(2)}, "fp32", 1, {"run": "{}"}))
    assert has_best(tmp_path)
    path = tmp_path / BEST
    path.write_bytes(path.read_bytes()[:-20])
    assert not has_best(tmp_path)
    [line] = caplog.messages
    assert line.startswith(f"{tmp_path}: damaged: {BEST} cannot be read: ")
    assert line.endswith("; it is passed over")
