"""The table of what can be fetched, and the paths `fetched:NAME` that name it."""

import hashlib
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from mtl_core.errors import DataError
from mtl_core.fetching.missing import check_fetched, fetched_names
from mtl_core.fetching.sources import Source, known_sources
from mtl_core.section import DataPath, IdOrFolder, PlacedText, Section
from tuning.study.load import load_study

BUNDLED = Path(__file__).parents[3] / "search_spaces"
SHARED = Path(__file__).parents[4] / "shared" / "data"


class Place(Section):
    path: DataPath


class Named(Section):
    name: IdOrFolder


def test_the_table_is_valid_and_says_where_files_come_from() -> None:
    for name, source in known_sources().items():
        assert name.isidentifier()
        assert source.licence in {"CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-4.0", "MIT"}
        assert len({file.sha256 for file in source.files.values()}) == len(source.files)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sha256", "04AD"),
        ("sha256", "0" * 63),
        ("bytes", 0),
        ("path", "../up"),
        ("path", "/root"),
        ("path", "a/.hidden"),
    ],
)
def test_a_wrong_row_is_refused(key: str, value: object) -> None:
    raw = next(iter(known_sources().values())).model_dump()
    next(iter(raw["files"].values()))[key] = value
    with pytest.raises(ValidationError, match=key):
        TypeAdapter(Source).validate_python(raw)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_hashes_are_those_of_the_files() -> None:
    for name, source in known_sources().items():
        for file, entry in source.files.items():
            content = (SHARED / name / file).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (
                entry.bytes,
                entry.sha256,
            )


@pytest.mark.parametrize("path", sorted(BUNDLED.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_bundled_study_names_only_what_all_can_have(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    datasets = load_study(str(path)).run.datasets
    names = fetched_names(datasets.values())
    assert all(f"fetched:{name}" in text for name in names)
    assert "../" not in text  # no path that starts from the study file
    assert not names or f"mtl fetch {path.stem}\n" in text


def test_a_fetched_path_lies_in_the_cache_wherever_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path))
    written = PlacedText("fetched:snips/train", Path("/somewhere/else"))
    assert Place(path=written).path == tmp_path / "fetched" / "snips" / "train"
    assert Named(name="fetched:snips").name == str(tmp_path / "fetched" / "snips")


@pytest.mark.parametrize("text", ["fetched:", "fetched:../up", "fetched:/etc", "fetched:a/../b"])
def test_a_path_that_leads_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="expected fetched:NAME, such as fetched:snips"):
        Place(path=text)


def test_a_name_that_is_unknown_is_told_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"fetched:snip: .* known: snips, .*Did you mean 'snips'"):
        check_fetched([Place(path="fetched:snip/train")])


def test_all_that_is_missing_is_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path))
    places = [Place(path=f"fetched:{name}/x") for name in ("snips", "wikigold", "snips")]
    with pytest.raises(DataError, match="`mtl fetch snips wikigold` fetches it"):
        check_fetched(places)
    # A file that is not the one of the table does not count as there.
    first = next(iter(known_sources()["wikigold"].files))
    (tmp_path / "fetched" / "wikigold").mkdir(parents=True)
    (tmp_path / "fetched" / "wikigold" / first).write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="`mtl fetch snips wikigold` fetches it"):
        check_fetched(places)


def test_other_paths_are_left_alone(tmp_path: Path) -> None:
    check_fetched([Place(path=str(tmp_path / "fetched" / "x")), Named(name="org/name")])
