"""The bundled studies: all load; those of the hub pass their check on files in its formats."""

from pathlib import Path

import datasets
import pytest
from conftest import Mtl

from tuning.study.load import load_study

BUNDLED = Path(__file__).parents[2] / "search_spaces"
WORDS = ["flights", "from", "boston", "to", "denver", "now"]
NER = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]


@pytest.mark.parametrize("name", [path.stem for path in sorted(BUNDLED.glob("*.yaml"))])
def test_a_bundled_study_fits_the_schema(name: str) -> None:
    study = load_study(name)
    assert study.study.name == name
    assert study.space.parameters


def hub_folder(folder: Path, rows: list[dict[str, object]], features: object = None) -> Path:
    """Writes the layout in which the hub keeps Parquet files."""
    folder.mkdir()
    for split in ("train", "validation", "test"):
        table = datasets.Dataset.from_list(rows, features=features)
        table.to_parquet(str(folder / f"{split}.parquet"))
    return folder


def sets(**values: object) -> list[str]:
    return [part for key, value in values.items() for part in ("--set", f"{key}={value}")]


def test_atis_passes_its_check_in_the_hubs_format(tmp_path: Path, mtl: Mtl) -> None:
    rows: list[dict[str, object]] = [
        {"id": n, "intent": f"i{n % 3}", "text": " ".join(WORDS), "slots": "O O B-from O B-to O"}
        for n in range(4500)
    ]
    folder = hub_folder(tmp_path / "atis", rows)
    keys = {"run.datasets.atis.name": folder}
    outcome = mtl("check", "atis", *sets(**keys))
    assert (outcome.code, outcome.err) == (0, "")
    assert "4,478" in outcome.out


def test_atis_passes_its_check_on_a_local_folder(corpus: Path, mtl: Mtl) -> None:
    source = f'{{"kind": "seq_in_out", "path": "{corpus}"}}'
    keys = {"run.datasets.atis": source}
    assert mtl("check", "atis", *sets(**keys)).code == 0


def test_news_ner_passes_its_check_in_the_hubs_format(tmp_path: Path, mtl: Mtl) -> None:
    topics = datasets.ClassLabel(names=["World", "Sports", "Business", "Sci/Tech"])
    text = datasets.Value("string")
    news = hub_folder(
        tmp_path / "ag_news",
        [{"text": " ".join(WORDS), "label": n % 4} for n in range(40)],
        datasets.Features({"text": text, "label": topics}),
    )
    tags = datasets.Sequence(datasets.ClassLabel(names=NER))
    entities = hub_folder(
        tmp_path / "conll2003",
        [{"tokens": WORDS, "ner_tags": [0, 0, 5, 0, 5, 0]} for _ in range(40)],
        datasets.Features({"tokens": datasets.Sequence(text), "ner_tags": tags}),
    )
    keys = {"run.datasets.ag_news.name": news, "run.datasets.conll2003.name": entities}
    outcome = mtl("check", "news_ner", *sets(**keys))
    assert (outcome.code, outcome.err) == (0, "")
    assert "38" in outcome.out  # 95 % of 40


def test_news_ner_passes_its_check_on_local_files(tmp_path: Path, mtl: Mtl) -> None:
    for split in ("train", "test"):
        rows = [f'"{1 + n % 4}","Title {n}","A ""short"" text, with a comma"' for n in range(40)]
        (tmp_path / f"{split}.csv").write_text("\n".join(rows), encoding="utf-8")
    for split in ("eng.train", "eng.testa", "eng.testb"):
        lines = ["-DOCSTART- -X- -X- O", "", "boston NNP I-NP I-LOC", "now RB I-ADVP O", ""] * 5
        (tmp_path / split).write_text("\n".join(lines), encoding="utf-8")
    news = (
        '{"kind": "csv", "columns": ["topic", "title", "description"], "text": "title", '
        f'"text_pair": "description", "splits": {{"train": "{tmp_path}/train.csv", "dev": 0.25, '
        f'"test": "{tmp_path}/test.csv"}}}}'
    )
    entities = (
        '{"kind": "conll", "columns": {"ner_tags": -1}, "schemes": {"ner_tags": "iob1"}, '
        f'"splits": {{"train": "{tmp_path}/eng.train", "dev": "{tmp_path}/eng.testa", '
        f'"test": "{tmp_path}/eng.testb"}}}}'
    )
    keys = {
        "run.datasets.ag_news": news,
        "run.datasets.conll2003": entities,
        "run.tasks.topic.column": "topic",
    }
    outcome = mtl("check", "news_ner", *sets(**keys))
    assert (outcome.code, outcome.err) == (0, "")
