"""A saved model scored on other files than those it was trained on."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory, write_seq_in_out
from short_runs import save_short_run

from mtl_core.config import RunConfig
from mtl_core.data.example import Example
from mtl_core.errors import ConfigError, DataError
from mtl_core.predictor import Predictor
from mtl_core.scoring import score
from mtl_core.tasks.outputs import Label

TEXTS = [
    "play jazz",
    "book a table",
    "rain in paris",
    "play rain",
    "book jazz now",
    "table for two",
]
ROWS = [(text, "book" if "book" in text else "play") for text in TEXTS * 4]


def write_csv(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("sentence", "label"), *rows])
    return path


@pytest.fixture(scope="module")
def predictor(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A model with one task on a CSV file with settings of its own, and one on two data sets."""
    folder = tmp_path_factory.mktemp("scored")
    train = write_csv(folder / "train.csv", ROWS)
    clinc = {"train": ROWS, "val": ROWS, "test": ROWS[:3]}
    (folder / "clinc.json").write_text(json.dumps(clinc))
    splits = {"train": str(train), "dev": 0.25}
    config = run_config({"optimizer.encoder_lr": 1e-3}).model_dump(mode="json")
    config["datasets"] = {
        "bank": {"kind": "csv", "text": "sentence", "splits": splits, "limit": 20},
        "talk": {"kind": "clinc", "path": str(folder / "clinc.json")},
    }
    label = {"kind": "classification", "column": {"bank": "label", "talk": "intent"}}
    config["tasks"] = {"topic": {**label, "dataset": ["bank", "talk"]}}
    return Predictor.load(save_short_run(RunConfig.model_validate(config), folder))


def accuracy(predictor: Predictor, rows: list[tuple[str, str]]) -> float:
    said = [found["topic"] for found in predictor([text for text, _ in rows])]
    pairs = zip(said, rows, strict=True)
    return sum(isinstance(one, Label) and one.label == gold for one, (_, gold) in pairs) / len(rows)


def test_another_file_is_read_by_the_settings_of_its_data_set(
    predictor: Predictor, tmp_path: Path
) -> None:
    # More rows than `limit`, and a label that training never showed: it counts as wrong.
    rows = [*ROWS[:7], *ROWS, ("play it", "unheard")]
    found = score(predictor, files={"bank": write_csv(tmp_path / "new.csv", rows)})
    assert found.scores["topic"]["accuracy"] == pytest.approx(accuracy(predictor, rows))


def test_files_of_several_data_sets_are_scored_together_and_alone(
    predictor: Predictor, tmp_path: Path
) -> None:
    bank, talk = [*ROWS[:5], ("a", "new")], [*ROWS[5:9], ("b", "other"), ("c", "new")]
    write_csv(tmp_path / "bank.csv", bank)
    (tmp_path / "talk.json").write_text(json.dumps({"test": talk}))
    files = {"bank": tmp_path / "bank.csv", "talk": tmp_path / "talk.json"}
    scores = score(predictor, files=files, split="test").scores["topic"]
    assert scores["accuracy"] == pytest.approx(accuracy(predictor, bank + talk))
    assert scores["bank/accuracy"] == pytest.approx(accuracy(predictor, bank))
    assert scores["talk/accuracy"] == pytest.approx(accuracy(predictor, talk))


def test_a_file_of_the_own_data_has_the_scores_of_the_own_data(predictor: Predictor) -> None:
    path = Path(str(predictor.config.datasets["talk"].model_dump()["path"]))
    own = score(predictor, split="test").scores["topic"]
    # Only "talk" has a test split.
    assert score(predictor, files={"talk": path}, split="test").scores["topic"] == own


def test_a_folder_of_three_files_is_a_file(
    run_config: RunConfigFactory, tmp_path: Path, corpus: Path
) -> None:
    config = run_config({"training.epochs": 1})
    predictor = Predictor.load(save_short_run(config, tmp_path))
    rows = [Example(("play", "jazz"), {"intent": "play_music", "slots": ("O", "B-genre")})]
    write_seq_in_out(tmp_path / "other", rows)
    own, other = score(predictor).scores, score(predictor, files={"": tmp_path / "other"}).scores
    assert own == score(predictor, files={"": corpus / "test"}).scores
    assert other["intent"]["accuracy"] in (0, 1)


def only_header(folder: Path) -> Path:
    return write_csv(folder / "empty.csv", [])


def without_labels(folder: Path) -> Path:
    return write_csv(folder / "bare.csv", [("play jazz", "")])


def other_columns(folder: Path) -> Path:
    (folder / "other.csv").write_text("sentence,lable\nplay,a\n")
    return folder / "other.csv"


def missing(folder: Path) -> Path:
    return folder / "gone.csv"


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("bank", missing, r"gone\.csv: there is no such file$"),
        ("bank", only_header, r"empty\.csv: expected rows, found none$"),
        ("bank", without_labels, r"bare\.csv: no row has a label of task 'topic' \(label\)$"),
        ("bank", other_columns, r"no column 'label'; columns found: .*Did you mean 'lable'\?$"),
        ("", missing, r"has several data sets; say which one the file is of, as in 'bank=.*gone"),
        ("bnk", missing, r"no data set 'bnk'; .*data sets: bank, talk\. Did you mean 'bank'\?$"),
    ],
)
def test_files_that_cannot_be_scored_are_refused(
    predictor: Predictor,
    tmp_path: Path,
    name: str,
    make: Callable[[Path], Path],
    message: str,
) -> None:
    with pytest.raises(DataError, match=message):
        score(predictor, files={name: make(tmp_path)})


def test_a_format_without_files_says_so(run_config: RunConfigFactory, tmp_path: Path) -> None:
    config = run_config({"training.epochs": 1}).model_dump(mode="json")
    config["datasets"] = {"made": {"kind": "sample", "limit": 24}}
    config["tasks"] = {"intent": {"kind": "classification", "dataset": "made", "column": "intent"}}
    predictor = Predictor.load(save_short_run(RunConfig.model_validate(config), tmp_path))
    with pytest.raises(DataError, match=r"x\.csv: a data set of the kind 'sample' does not read"):
        score(predictor, files={"": tmp_path / "x.csv"})


def test_splits_that_are_not_there_are_refused(predictor: Predictor) -> None:
    with pytest.raises(DataError, match=r"^--split: the data has no split 'tset'; there are train"):
        score(predictor, split="tset")


def test_features_of_another_size_are_refused(run_config: RunConfigFactory, tmp_path: Path) -> None:
    def write(name: str, size: int) -> str:
        rows = [{"text": text, "label": label, "vector": [1.0] * size} for text, label in ROWS]
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
        return str(tmp_path / name)

    splits = dict.fromkeys(("train", "dev"), write("rows.jsonl", 2))
    config = run_config({"training.epochs": 1}).model_dump(mode="json")
    config["datasets"] = {"rows": {"kind": "jsonl", "features": "vector", "splits": splits}}
    config["tasks"] = {"a": {"kind": "classification", "dataset": "rows", "column": "label"}}
    predictor = Predictor.load(save_short_run(RunConfig.model_validate(config), tmp_path))
    with pytest.raises(DataError, match=r"wide\.jsonl: expected 2 features, as in training, found"):
        score(predictor, files={"": Path(write("wide.jsonl", 3))})


@pytest.mark.parametrize("name", ["cuda:7", "cupid", "mps:0"])
def test_devices_that_are_not_there_are_refused(tmp_path: Path, name: str) -> None:
    """Before the model is read: the folder is empty."""
    with pytest.raises(ConfigError, match=rf"^device: this machine has no '{name}'; it has cpu"):
        Predictor.load(tmp_path, device=name)


def test_a_model_computes_where_it_is_told(predictor: Predictor, tmp_path: Path) -> None:
    assert predictor.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    folder = Path(str(predictor.config.datasets["talk"].model_dump()["path"])).parent / "model"
    assert Predictor.load(folder, device="cpu").device == torch.device("cpu")
