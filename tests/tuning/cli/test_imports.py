"""What commands do without: each imports no more than it uses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import RunConfigFactory
from short_runs import save_short_run

from mtl_core.study_file import dump

NEVER = (
    "datasets", "pandas", "sklearn", "seqeval", "peft", "ray", "torchjd", "tensorboard",
    "scipy.optimize", "IPython",
)  # fmt: skip
"""What takes long to import, and nobody who predicts or checks has a use for."""


@pytest.fixture(scope="module")
def model(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_short_run(run_config({"training.epochs": 1}), tmp_path_factory.mktemp("lean"))


def imported(*arguments: str) -> set[str]:
    """Runs a command in a process of its own; returns all modules that it has imported."""
    code = (
        "import sys, json\n"
        "from tuning.cli.app import main\n"
        "try: main()\n"
        "finally: print(json.dumps(sorted(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=False,  # Its own words say more of what went wrong.
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_predict_does_without_what_trains_reads_data_and_scores(model: Path) -> None:
    found = imported("predict", str(model), "play some jazz")
    assert not found & {*NEVER, "optuna", "pyarrow", "mtl_core.training.loop"}
    assert "transformers.models.bert.modeling_bert" in found


def test_a_table_is_predicted_without_what_reads_data(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\nplay some jazz\n")
    found = imported("predict", str(model), "--file", str(tmp_path / "in.csv"), "--json")
    assert not found & {*NEVER, "optuna", "pyarrow"}


def test_check_does_without_models(run_config: RunConfigFactory, tmp_path: Path) -> None:
    """Of a study whose data and encoder were looked at before."""
    study = tmp_path / "study.yaml"
    run = dump(run_config()).replace("\n", "\n  ")
    study.write_text(f"run:\n  {run}\nsearch:\n  optimizer.head_lr: {{range: [1.0e-3, 1.0e-2]}}\n")
    imported("check", str(study))
    found = imported("check", str(study))
    assert not found & {
        *NEVER,
        "transformers.modeling_utils",
        "sympy",
        "accelerate",
        "torch._dynamo",
    }


def test_what_is_wrong_is_told_before_anything_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from tuning.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 2\n"
        "print([name for name in ('torch', 'numpy', 'transformers') if name in sys.modules])"
    )
    for arguments in (
        ["predict", "gone", "text"],
        ["predict", "gone", "--file", "gone.csv"],
        ["evaluate", "gone"],
        ["evaluate", "gone", "--all"],
        ["check", "gone.yaml"],
    ):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
        assert done.stdout.splitlines()[-1:] == ["[]"], arguments
