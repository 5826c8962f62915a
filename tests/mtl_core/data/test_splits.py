"""Splits: cut off train by a seed and by labels, filtered, limited; the cache knows all of it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import RunConfigFactory
from pydantic import TypeAdapter, ValidationError
from sklearn.model_selection import train_test_split

from mtl_core.assets import load_data
from mtl_core.data.example import Example
from mtl_core.data.formats.kinds import DatasetSection
from mtl_core.data.splits import Splits, cut_rows, read_splits
from mtl_core.errors import DataError

SECTIONS: TypeAdapter[DatasetSection] = TypeAdapter(DatasetSection)
LABELS = ["a"] * 60 + ["b"] * 30 + ["c"] * 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    rows = [f"w{number},{label},{number % 2}" for number, label in enumerate(LABELS)]
    path.write_text("\n".join(["text,label,parity", *rows]), encoding="utf-8")
    return path


def read(path: Path, **settings: Any) -> Splits:
    splits = {"train": path, "dev": 0.2, "test": 0.1} | settings.pop("splits", {})
    section = SECTIONS.validate_python({"kind": "csv", "splits": splits, **settings})
    return read_splits(section, {"label": "label"})


def texts(rows: list[Example]) -> list[str]:
    return [example.words[0] for example in rows]


def counts(rows: list[Example]) -> dict[object, int]:
    return dict(Counter(example.labels["label"] for example in rows))


def test_a_cut_gives_every_row_to_one_split_and_every_label_its_share(path: Path) -> None:
    found = read(path)
    assert {split: counts(rows) for split, rows in found.items()} == {
        "train": {"a": 42, "b": 21, "c": 7},
        "dev": {"a": 12, "b": 6, "c": 2},
        "test": {"a": 6, "b": 3, "c": 1},
    }
    every = [text for rows in found.values() for text in texts(rows)]
    assert sorted(every) == sorted(f"w{number}" for number in range(100))
    # As large as those of scikit-learn's stratified cut.
    train, dev = train_test_split(LABELS, test_size=0.2, stratify=LABELS, random_state=0)
    assert (Counter(dev), len(train)) == (Counter(counts(found["dev"])), 80)


def test_the_seed_alone_decides_the_cut(path: Path) -> None:
    first, again, other = (read(path, split_seed=seed)["dev"] for seed in (1, 1, 2))
    assert first == again
    assert texts(first) != texts(other)
    # Alike on every machine: numbers of NumPy's PCG64.
    assert cut_rows(["x"] * 10, {"dev": 0.3}, seed=0)["dev"] == [1, 7, 9]


def test_rare_labels_do_not_break_a_cut() -> None:
    strata = [str(number) for number in range(50)]  # one row each
    assert len(cut_rows(strata, {"dev": 0.1}, seed=0)["dev"]) == 5
    assert cut_rows([], {"dev": 0.1}, seed=0) == {"train": [], "dev": []}


def test_filters_keep_the_rows_with_a_value(path: Path) -> None:
    found = read(path, where={"parity": "1", "label": ["a", "c"]})
    assert sum(len(rows) for rows in found.values()) == 35
    assert all("parity" not in example.labels for rows in found.values() for example in rows)
    with pytest.raises(DataError, match=r"no column 'parties'.*Did you mean 'parity'"):
        read(path, where={"parties": "1"})


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            {"label": ["a", "aa"]},
            r"no row has 'aa' in column 'label'; found a, b, c\. Did you mean 'a'\?",
        ),
        ({"parity": "odd"}, r"where: no row has 'odd' in column 'parity'; found 0, 1\.$"),
    ],
)
def test_filters_for_what_no_row_has_are_refused(
    path: Path, where: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(path, where=where)


def test_limits_take_a_sample_with_every_label(path: Path) -> None:
    found = read(path, limit={"train": 10}, splits={"dev": path, "test": None})
    assert counts(found["train"]) == {"a": 6, "b": 3, "c": 1}
    assert len(found["dev"]) == 100
    assert {split: len(rows) for split, rows in read(path, limit=15).items()} == {
        "train": 15,
        "dev": 15,
        "test": 10,
    }


@pytest.mark.parametrize("splits", [{"dev": 0.5, "test": 0.5}, {"dev": 1.0}, {"dev": -0.1}])
def test_cuts_that_leave_nothing_are_refused(path: Path, splits: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SECTIONS.validate_python({"kind": "csv", "splits": {"train": path, **splits}})


def test_cut_filter_and_limit_are_part_of_the_cache_key(
    run_config: RunConfigFactory,
) -> None:
    overrides: list[dict[str, object]] = [
        {"datasets.corpus.splits": {"dev": 0.2, "test": None}},
        {"datasets.corpus.splits": {"dev": 0.1, "test": None}},
        {"datasets.corpus.limit": 7},
    ]
    loaded = [load_data(run_config(one)).datasets["corpus"].splits for one in overrides]
    sizes = [{split: len(rows) for split, rows in splits.items()} for splits in loaded]  # fmt: skip
    assert sizes == [
        {"train": 48, "dev": 12},
        {"train": 54, "dev": 6},
        {"train": 7, "dev": 7, "test": 7},
    ]


def test_a_cut_with_another_seed_is_another_data_set(run_config: RunConfigFactory) -> None:
    def first(seed: int) -> list[int]:
        splits = {"dev": 0.2, "test": None}
        overrides = {"datasets.corpus.splits": splits, "datasets.corpus.split_seed": seed}
        dev = load_data(run_config(overrides)).datasets["corpus"].splits["dev"]
        return dev.token_ids.values.tolist()

    assert first(0) != first(1)


def test_groups_are_cut_whole_and_are_no_label(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows = [f"w{number},{label},d{number // 5}" for number, label in enumerate(LABELS)]
    path.write_text("\n".join(["text,label,document", *rows]), encoding="utf-8")
    found = read(path, group="document")
    numbers = {split: {int(text[1:]) // 5 for text in texts(of)} for split, of in found.items()}
    assert {split: len(of) for split, of in numbers.items()} == {"train": 14, "dev": 4, "test": 2}
    assert sum(map(len, numbers.values())) == len(set.union(*numbers.values())) == 20
    assert all(row.labels.keys() == {"label"} for of in found.values() for row in of)


def test_a_group_where_nothing_is_cut_is_refused(path: Path) -> None:
    with pytest.raises(ValidationError, match="group: no split is a share of train"):
        read(path, group="parity", splits={"dev": path, "test": path})
