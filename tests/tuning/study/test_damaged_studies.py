"""Damaged study files: loaded, or refused in lines that name file and line."""

from pathlib import Path

import pytest
from answers import answer_to
from damaged_study_files import cases, good_files

from tuning.study.load import load_study


def test_damaged_study_files_are_loaded_or_refused_in_lines(tmp_path: Path) -> None:
    faults = {case.name: fault for case in cases(tmp_path, 0, 120) if (fault := case.fault())}
    assert faults == {}


@pytest.mark.parametrize("name", good_files())
def test_undamaged_they_are_loaded(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(good_files()[name], encoding="utf-8")
    assert load_study(str(tmp_path / name)).study.name == name.removesuffix(".yaml")


def test_a_choice_of_a_thousand_is_checked_in_time(tmp_path: Path) -> None:
    values = ", ".join(str(number) for number in range(1, 1001))
    path = tmp_path / "study.yaml"
    text = good_files()["demo.yaml"]
    path.write_text(text.replace("search:\n", f"search:\n  seed: {{choice: [{values}]}}\n", 1))
    found: list[int] = []
    answer = answer_to(
        lambda: found.append(len(load_study(str(path)).search.entries["seed"].choice))
    )
    assert (answer.fault(), found) == (None, [1000])
