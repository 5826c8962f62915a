"""A kind of task from outside the package: the one that the documentation shows."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Mtl, RunConfigFactory
from torch.nn.functional import binary_cross_entropy

from mtl_core.assets import Assets, build_tasks, inputs_of
from mtl_core.config import RunConfig
from mtl_core.data.batching import Batch
from mtl_core.data.columns.label_names import LabelNames
from mtl_core.data.example import Example
from mtl_core.errors import ConfigError
from mtl_core.export import export_best
from mtl_core.predictor import Predictor
from mtl_core.study_file import read_document
from mtl_core.tasks.hidden import HiddenSize
from mtl_core.tasks.outcome import Outcome
from mtl_core.tasks.outputs import Label
from mtl_core.tasks.row_texts import RowTexts
from mtl_core.testing import check_task
from mtl_core.testing_bench import Bench
from mtl_core.training.loop import train
from mtl_core.validation import validate

ROOT = Path(__file__).parents[3]


@pytest.fixture
def study(tmp_path: Path, tiny_encoder: Path) -> Path:
    """A study with the file of docs/own_task.md and reviews of one to four stars."""
    text = (ROOT / "docs" / "own_task.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [code] = [block for block in blocks if "class Ordinal(" in block]
    (tmp_path / "ordinal.py").write_text(code, encoding="utf-8")
    words = ["rain", "now", "play", "jazz"]
    rows = [f"{' '.join(words[: 1 + n % 4])},{1 + n % 4}" for n in range(48)]
    (tmp_path / "reviews.csv").write_text("\n".join(["text,stars", *rows]), encoding="utf-8")
    path = tmp_path / "stars.yaml"
    path.write_text(
        f"""
encoder: {{name: {tiny_encoder}}}
datasets:
  reviews: {{kind: csv, splits: {{train: reviews.csv, dev: 0.25}}}}
tasks:
  stars: {{kind: "ordinal.py:Ordinal", dataset: reviews, column: stars}}
optimizer: {{encoder_lr: 3.0e-3, head_lr: 1.0e-2}}
training: {{epochs: 8, batch_size: 6, precision: fp32}}
""",
        encoding="utf-8",
    )
    return path


def load(path: Path) -> RunConfig:
    return validate(read_document(path), RunConfig)


def new_model(path: Path) -> None:
    """Reads a study and its data, and builds its tasks and their heads."""
    config = load(path)
    assets = Assets.load(config, device=torch.device("cpu"))
    assets.new_model(config, build_tasks(config, assets.data.datasets))


def test_a_task_from_a_file_trains_is_saved_and_predicts(study: Path, tmp_path: Path) -> None:
    config = load(study)
    assets = Assets.load(config, device=torch.device("cpu"))
    *_, report = train(config, checkpoint=tmp_path / "run", assets=assets)
    assert report.dev["stars"]["closeness"] > 0.9
    export_best(
        tmp_path / "run", tmp_path / "model", config=config, assets=assets, dev={}, test=None
    )
    with pytest.raises(ConfigError, match=r"is code from outside this package; allow that"):
        Predictor.load(tmp_path / "model")
    predictor = Predictor.load(tmp_path / "model", trust_code=True)
    found = [p["stars"] for p in predictor(["rain", "rain now play jazz"])]
    assert all(isinstance(label, Label) and 0.5 <= label.probability <= 1 for label in found)
    assert [label.label for label in found if isinstance(label, Label)] == ["1", "4"]


def test_a_run_knows_the_code_of_its_tasks(study: Path, tmp_path: Path) -> None:
    config = load(study)
    datasets = Assets.load(config, device=torch.device("cpu")).data.datasets
    before = inputs_of(config, datasets)
    with (tmp_path / "ordinal.py").open("a") as file:
        file.write("# changed\n")
    changed = set(before.items()) - set(inputs_of(config, datasets).items())
    assert [name for name, _ in changed] == ["code of task 'stars'"]


def test_the_command_line_runs_the_code_of_a_model_only_when_told(
    study: Path, tmp_path: Path, mtl: Mtl
) -> None:
    config = load(study)
    assets = Assets.load(config, device=torch.device("cpu"))
    next(train(config, checkpoint=tmp_path / "run", assets=assets))
    model = tmp_path / "model"
    export_best(tmp_path / "run", model, config=config, assets=assets, dev={}, test=None)
    refused = mtl("predict", str(model), "rain")
    assert (refused.code, refused.out) == (2, "")
    assert "is code from outside this package; allow that with trust_code" in refused.err
    allowed = mtl("predict", str(model), "rain", "--trust-code")
    assert (allowed.code, allowed.err) == (0, "")
    assert "stars: " in allowed.out


def test_the_loss_of_the_readme_is_that_of_its_steps(study: Path) -> None:
    section = load(study).tasks["stars"]
    task = section.build("stars", LabelNames(("1", "2", "3"), ()))
    head = task.make_head(HiddenSize(4))
    logits, labels = torch.tensor([[2.0, -1.0], [0.5, 0.5]]), torch.tensor([1, -100])
    batch: Batch = None  # type: ignore[assignment]
    expected = binary_cross_entropy(logits[0].sigmoid(), torch.tensor([1.0, 0.0]), reduction="sum")
    torch.testing.assert_close(head.loss_sum(logits, labels, batch), expected)


def test_the_task_of_the_readme_keeps_the_contract(study: Path) -> None:
    stars = ["1", "3", None, "2", "3", "1"]
    check_task(
        load(study).tasks["stars"],
        [Example(("good",) * (n + 1), {"stars": star} if star else {})
         for n, star in enumerate(stars)],
    )  # fmt: skip


def test_the_errors_of_the_readme_are_told_and_keep_the_contract(study: Path) -> None:
    text = (ROOT / "docs" / "own_task.md").read_text()
    [errors] = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
                if "def errors(" in block]  # fmt: skip
    with study.with_name("ordinal.py").open("a", encoding="utf-8") as file:
        file.write(f"{errors}\n\nOrdinalTask.errors = errors\n")
    rows = [Example(("good",), {"stars": star}) for star in "1132"]
    section = load(study).tasks["stars"]
    check_task(section, rows)
    bench = Bench.of(section, rows, "stars", None)
    read = [np.array([label, 0.5]) for label in (0, 2, 2, 0)]
    outcome = Outcome(read, bench.split.gold("stars"))
    found = bench.task.errors(bench.head, outcome, RowTexts(bench.split, bench.tokenizer))
    assert found is not None
    assert (found.rows, found.wrong) == (4, 2)
    assert [(row.example, row.gold, row.guess, row.value) for row in found.worst] == [
        (2, "1", "3", 2.0), (4, "2", "1", 1.0)]  # fmt: skip


def test_a_task_of_an_older_contract_is_told_what_it_lacks(study: Path) -> None:
    path = study.with_name("ordinal.py")
    text = path.read_text(encoding="utf-8").replace("def make_column", "def column_kind")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ordinal\.py:Ordinal' lacks make_column; see docs"):
        load(study)


@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ("def build(", "def make(", r"stars\.yaml:6: .*ordinal\.py:Ordinal' lacks build; see docs"),
        (
            "def make_column(",
            "def make_column(self, name, column): return None\n\n    def other(",
            r"stars\.yaml:6: .* make_column of '.*ordinal\.py:Ordinal' returns NoneType; expected",
        ),
        (
            "def make_column(",
            "def make_column(self, name, column): return self.column_kind\n\n    def other(",
            r"stars\.yaml:6: .*ordinal\.py:Ordinal': make_column failed: .*'column_kind'$",
        ),
        (
            "def score(",
            "def scores(",
            r"^run\.tasks\.stars\.kind: .*' is not whole: .* score",
        ),
        ("def decode(", "def read(", r"^run\.tasks\.stars\.kind: '.*' is not whole: .* decode"),
        ("main_score", "best_score", r"^run\.tasks\.stars\.kind: .* lacks main_score; see docs"),
    ],
)
def test_what_a_kind_lacks_is_told_in_one_line(
    study: Path, written: str, instead: str, message: str
) -> None:
    path = study.with_name("ordinal.py")
    text = path.read_text(encoding="utf-8")
    assert written in text
    path.write_text(text.replace(written, instead), encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as error:
        new_model(study)
    assert "\n" not in str(error.value)


def test_a_task_of_a_module_is_imported(
    study: Path, tmp_path: Path, run_config: RunConfigFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ordinal.py").rename(tmp_path / "stars_of_users.py")
    monkeypatch.syspath_prepend(tmp_path)
    config = run_config({"tasks.intent.kind": "stars_of_users:Ordinal"})
    assert type(config.tasks["intent"]).__module__ == "stars_of_users"
    del sys.modules["stars_of_users"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("ordinal.py:Nominal", r"cannot import '.*/ordinal\.py:Nominal': .*no attribute 'Nominal'"),
        ("none.py:Ordinal", r"cannot import '.*/none\.py:Ordinal': there is no file .*none\.py"),
        ("no_such.module:X", r"cannot import 'no_such\.module:X': No module named 'no_such'"),
        ("ordinal.py:Label", r"'.*ordinal\.py:Label' is not a class derived from TaskSection"),
    ],
)
def test_what_cannot_be_imported_is_told_at_its_line(study: Path, kind: str, message: str) -> None:
    text = study.read_text(encoding="utf-8").replace("ordinal.py:Ordinal", kind)
    study.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"stars\.yaml:6: .*{message}"):
        load(study)
