"""The bundled studies: all load; those of the hub pass their check on files in its formats."""

import json
from pathlib import Path

import datasets
import pytest
from conftest import Mtl
from letter_tokenizers import letters
from seq2seq_models import save_seq2seq
from small_decoders import save_decoder
from transformers import LlamaConfig, LlamaForCausalLM

from mtl_core.data.example import Example
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


LABELS = datasets.ClassLabel(names=["neg", "pos"])


def texts(folder: Path, labels: object, count: int = 40) -> Path:
    rows = [{"text": f"film {number} was fine", "label": number % 2} for number in range(count)]
    features = datasets.Features({"text": datasets.Value("string"), "label": labels})
    return hub_folder(folder, rows, features)


def test_mixed_passes_its_check_in_the_forms_of_its_sources(tmp_path: Path, mtl: Mtl) -> None:
    films = texts(tmp_path / "films", LABELS)
    wiki = tmp_path / "wiki.txt"
    wiki.write_text("Oslo I-LOC\nis O\n# O\n1 O\n\n" * 40, encoding="utf-8")
    keys = {
        "run.datasets.mr.name": films,
        "run.datasets.wikigold.splits": f'{{"train": "{wiki}", "dev": 0.15, "test": 0.15}}',
    }
    outcome = mtl("check", "mixed", *sets(**keys))
    assert (outcome.code, outcome.err) == (0, "")
    assert "neg" in outcome.out


def test_mlm_passes_its_check_in_the_hubs_format(tmp_path: Path, mtl: Mtl) -> None:
    films = texts(tmp_path / "films", LABELS)
    reviews = tmp_path / "reviews"
    reviews.mkdir()
    rows = [{"text": "A film about a man. " * 30, "label": -1} for _ in range(700)]
    datasets.Dataset.from_list(rows).to_parquet(str(reviews / "unsupervised.parquet"))
    (reviews / "README.md").write_text(
        "---\nconfigs:\n- config_name: plain_text\n  data_files:\n"
        "  - {split: unsupervised, path: unsupervised.parquet}\n---\n",
        encoding="utf-8",
    )
    keys = {"run.datasets.mr.name": films, "run.datasets.reviews.name": reviews}
    outcome = mtl("check", "mlm", *sets(**keys))
    assert (outcome.code, outcome.err) == (0, "")


def test_lm_passes_its_check_in_the_hubs_format(
    tmp_path: Path, sample: dict[str, list[Example]], mtl: Mtl
) -> None:
    (tmp_path / "llama").mkdir()
    save_decoder(tmp_path / "llama", "llama", sample["train"])
    rows: list[dict[str, object]] = [
        {"text": "" if n % 2 else "play some jazz in paris now " * 9} for n in range(40)
    ]
    small = {"kind": "decoder", "name": str(tmp_path / "llama"), "max_length": 64}
    sizes = {"weights": "random", "architecture": {"num_hidden_layers": 2}}
    keys = {
        "run.datasets.text.name": hub_folder(tmp_path / "wikitext", rows),
        "run.datasets.text.config": "null",
        "run.encoder": json.dumps(small),
        "search.encoder": json.dumps({"choice": [small, small | sizes]}),
    }
    outcome = mtl("check", "lm", *sets(**keys))
    assert (outcome.code, outcome.err) == (0, "")
    assert "20" in outcome.out  # Rows without a text are left out.


def test_qa_passes_its_check_in_the_hubs_format(tmp_path: Path, mtl: Mtl) -> None:
    context = "Anna has lived in Leeds for years."
    answers = [{"text": ["Leeds"], "answer_start": [18]}, {"text": [], "answer_start": []}]
    rows: list[dict[str, object]] = [
        {"id": str(n), "title": "a", "context": context, "question": f"Where, {n}?",
         "answers": answers[n % 2]}
        for n in range(40)
    ]  # fmt: skip
    squad = hub_folder(tmp_path / "squad", rows)
    subj = tmp_path / "subj"
    subj.mkdir()
    lines = "".join(
        f'{{"text": "sentence {n}", "label": {n % 2}, "label_text": "x"}}\n' for n in range(40)
    )
    for split in ("train", "test"):
        (subj / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    keys = {"run.datasets.squad.name": squad, "run.datasets.subj.name": subj}
    outcome = mtl("check", "qa", *sets(**keys))
    assert (outcome.code, outcome.err) == (0, "")
    assert "38" in outcome.out  # 95 % of 40


def test_ewt_passes_its_check_in_the_forms_of_its_sources(tmp_path: Path, mtl: Mtl) -> None:
    words = ["Anna", "lives", "in", "Oslo"]
    lines = [
        f"{n}\t{word}\t_\t{tag}\t{tag[:2]}\t_\t0\troot\t_\t_"
        for n, (word, tag) in enumerate(
            zip(words, ("PROPN", "VERB", "ADP", "PROPN"), strict=True), 1
        )
    ]
    treebank = tmp_path / "ewt.conllu"
    treebank.write_text(("# text = a\n" + "\n".join(lines) + "\n\n") * 20, encoding="utf-8")
    names = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
    tags = datasets.Sequence(datasets.ClassLabel(names=names))
    strings = datasets.Sequence(datasets.Value("string"))
    features = datasets.Features({"idx": datasets.Value("string"), "tokens": strings,
                                  "ner_tags": tags})  # fmt: skip
    rows: list[dict[str, object]] = [
        {"idx": str(n), "tokens": words, "ner_tags": [1, 0, 0, 5]} for n in range(20)
    ]
    folder = hub_folder(tmp_path / "uner", rows, features)
    part = f"{folder}/train.parquet"
    keys = {
        "run.datasets.ewt.splits": f'{{"train": "{treebank}", "dev": 0.2, "test": 0.2}}',
        "run.datasets.uner.splits": f'{{"train": "{part}", "dev": "{part}", "test": "{part}"}}',
    }
    outcome = mtl("check", "ewt", *sets(**keys))
    assert (outcome.code, outcome.err) == (0, "")
    assert "B-LOC" in outcome.out


def test_summary_passes_its_check_in_the_forms_of_its_sources(tmp_path: Path, mtl: Mtl) -> None:
    rows: list[dict[str, object]] = [
        {"id": str(n), "dialogue": f"#Person1#: How many cats?\n#Person2#: {n}.",
         "summary": f"#Person2# has {n} cats.", "topic": "cats"}
        for n in range(40)
    ]  # fmt: skip
    keys: dict[str, object] = {"run.datasets.dialogsum.name": hub_folder(tmp_path / "sums", rows)}
    # In the place of the built-in model, which is large: one that has its chat template as well.
    decoder = tmp_path / "decoder"
    tokenizer = letters()
    tokenizer.save_pretrained(decoder)
    sizes = dict.fromkeys(("hidden_size", "intermediate_size"), 24) | {"num_hidden_layers": 2}
    config = LlamaConfig(vocab_size=300, num_attention_heads=2, eos_token_id=256, **sizes)
    LlamaForCausalLM(config).save_pretrained(decoder)
    keys["run.encoder.name"] = decoder
    outcome = mtl("check", "summary", *sets(**keys))
    assert (outcome.code, outcome.err) == (0, "")
    table = tmp_path / "train.csv"
    lines = [f'"#Person1#: Hi {n}!\nAnd you?","Hi {n}."' for n in range(40)]
    table.write_text("\n".join(["dialogue,summary", *lines]), encoding="utf-8")
    del keys["run.datasets.dialogsum.name"]
    splits = f'{{"train": "{table}", "dev": 0.1, "test": "{table}"}}'
    keys["run.datasets.dialogsum"] = f'{{"kind": "csv", "text": "dialogue", "splits": {splits}}}'
    outcome = mtl("check", "summary", *sets(**keys))
    assert (outcome.code, outcome.err) == (0, "")
    assert "summary" in outcome.out


def t5_folder(folder: Path) -> Path:
    """Saves a small random T5 with a tokenizer."""
    folder.mkdir()
    save_seq2seq(folder, "t5", [Example((*WORDS, "translate", "vols", "de", "vers"), {})])
    return folder


def test_translation_passes_its_check_in_the_hubs_format(tmp_path: Path, mtl: Mtl) -> None:
    folder = tmp_path / "tatoeba"
    (folder / "en-fr").mkdir(parents=True)
    for split in ("train", "dev"):
        rows = [
            {"english": f"{' '.join(WORDS)} {split} {n}", "non_english": f"vols de {n}"}
            for n in range(40)
        ]
        datasets.Dataset.from_list(rows).to_parquet(str(folder / "en-fr" / f"{split}.parquet"))
    files = "".join(
        f"      - split: {split}\n        path: en-fr/{split}*\n" for split in ("train", "dev")
    )
    card = f"---\nconfigs:\n  - config_name: en-fr\n    data_files:\n{files}---\n"
    (folder / "README.md").write_text(card, encoding="utf-8")
    keys = {"run.datasets.tatoeba.name": folder, "run.encoder.name": t5_folder(tmp_path / "t5")}
    outcome = mtl("check", "translation", *sets(**keys))
    assert (outcome.code, outcome.err) == (0, "")
    assert "generation" in outcome.out


def test_translation_passes_its_check_on_local_files_with_a_small_decoder(
    tmp_path: Path, tiny_encoder: Path, mtl: Mtl
) -> None:
    for split in ("train", "test"):
        rows = [
            {"english": f"{split} {n} {WORDS[n % 6]}", "non_english": "vols"} for n in range(40)
        ]
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        (tmp_path / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    source = (
        '{"kind": "jsonl", "text": "english", "splits": '
        f'{{"train": "{tmp_path}/train.jsonl", "dev": 0.1, "test": "{tmp_path}/test.jsonl"}}}}'
    )
    keys = {
        "run.datasets.tatoeba": source,
        "run.encoder": f'{{"name": "{tiny_encoder}", "decoder": {{"layers": 2}}}}',
    }
    outcome = mtl("check", "translation", *sets(**keys))
    assert (outcome.code, outcome.err) == (0, "")
