"""The section "Data" of a report, from the folder alone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import RunConfigFactory
from hostile import MARKUP, STEERING
from summaries import SUMMARY

from mtl_core.assets import load_data
from mtl_core.data.notes import DataNote, Lengths
from tuning.report.data import data_section
from tuning.report.render import render_report
from tuning.study.config import StudyFile
from tuning.study.data_facts import DataFacts, SplitFacts, TaskFacts, data_facts
from tuning.study.facts import facts_of, read_facts, write_facts
from tuning.study.folder import StudyFolder

NOTE = DataNote(split="test", topic="known", text="3 of 4 rows", level="serious", task="",
                count=3, of=4, dataset="d")  # fmt: skip
FACTS = DataFacts(
    [
        SplitFacts("d", "train", {"y": 1990}, Lengths(2000, 2000, 9, 20, 70, 3)),
        SplitFacts("d", "test", {"y": 4}, Lengths(4, 9, 8, 12, 12, 0)),
    ],
    [TaskFacts("y", "classification", 1990, 3, {"a": 1000, "b": 900}, ["x"], 12)],
    [NOTE],
)


def test_the_section_has_notes_a_row_per_split_and_a_row_per_task() -> None:
    text = render_report(replace(SUMMARY, data=FACTS))
    section = text.split("\n## Data\n\n")[1].split("\n## ")[0]
    assert section.splitlines() == [
        "- serious, `d` test: 3 of 4 rows",
        "",
        "| data set | split | rows | with labels | median | 95 % | longest | cut, % |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| `d` | train | 2,000 | `y` 1,990 | 9 | 20 | 70 | 0.1 |",
        "| `d` | test | 4 in 9 pieces | `y` 4 | 8 | 12 | 12 | 0.0 |",
        "",
        "Lengths are in sub-words, of rows as the encoder takes them but before they are cut; a "
        "row that is cut loses what stands behind.",
        "",
        "| task | kind | rows of train | labels | most frequent | not in train |",
        "| --- | --- | --- | --- | --- | --- |",
        "| `y` | classification | 1,990 | 3 | `a` 1,000, `b` 900 | `x`, and 11 more |",
    ]


def test_a_study_without_these_facts_has_no_section() -> None:
    assert "## Data" not in render_report(SUMMARY)


def test_data_without_notes_is_said_to_be_so() -> None:
    assert data_section(replace(FACTS, notes=[]))[0] == "Nothing stands out."


def test_facts_are_counted_from_the_data_and_kept(
    tmp_path: Path, run_config: RunConfigFactory, corpus: Path
) -> None:
    config = run_config()
    data = load_data(config)
    found = data_facts(config, data)
    lines = (corpus / "train" / "label").read_text(encoding="utf-8").split()
    train = next(split for split in found.splits if split.split == "train")
    assert train.labelled == {"intent": len(lines), "slots": len(lines)}
    assert train.lengths.examples == len(lines)
    intent = found.tasks[0]
    assert (intent.task, intent.rows, intent.labels) == ("intent", len(lines), len(set(lines)))
    assert all(lines.count(name) == count for name, count in intent.frequent.items())
    assert max(map(lines.count, set(lines))) == next(iter(intent.frequent.values()))
    run = config.model_dump(mode="json")
    study = StudyFile.model_validate({"run": run, "study": {"name": "x", "storage": str(tmp_path)}})
    folder = StudyFolder(study.folder)
    folder.trials.mkdir(parents=True)
    folder.study.write_text("x")
    facts = facts_of(study, found)
    write_facts(folder, facts)
    assert read_facts(folder) == facts
    # As a version wrote it that kept nothing of the data.
    raw = json.loads(folder.facts.read_text())
    del raw["data"]
    folder.facts.write_text(json.dumps(raw))
    assert read_facts(folder) == replace(facts, data=None)


@pytest.mark.parametrize("text", [*MARKUP, *(text for text, _ in STEERING.values()), "x" * 4000])
def test_names_of_strangers_are_shown_and_not_obeyed(text: str) -> None:
    split = SplitFacts(text, "train", {text: 1}, Lengths(1, 1, 1, 1, 1, 0))
    task = TaskFacts(text, text, 1, 1, {text: 1}, [text], 1)
    note = replace(NOTE, text=text, dataset=text)
    parts = data_section(DataFacts([split], [task], [note]))
    for part in parts:
        lines = part.splitlines()
        assert all(line.isprintable() for line in lines)
        assert all(line.startswith(("| ", "- ", "Lengths")) for line in lines)
        assert "<script>" not in part.replace("`<script>alert(1)</script>`", "")
    rows = [line for part in (parts[1], parts[3]) for line in part.splitlines()]
    bars = [len(line.replace(r"\|", "").split("|")) for line in rows]
    assert bars == [10] * 3 + [8] * 3
