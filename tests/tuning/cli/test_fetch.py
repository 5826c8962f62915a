"""`mtl fetch`: from a study that lacks its data to one that passes its check."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Mtl
from file_server import FileServer, serving

from mtl_core.fetching.sources import Source, known_sources

SHARED = Path(__file__).parents[4] / "shared" / "data"
ROWS = {
    "train.csv": b"text,label\n" + b"good fun,pos\nbad film,neg\n" * 20,
    "test.csv": b"text,label\nno fun,neg\nfine film,pos\n",
}
STUDY = """
run:
  encoder: {{name: {encoder}}}
  datasets:
    films:
      kind: csv
      splits: {{train: fetched:tiny/train.csv, dev: 0.2, test: fetched:tiny/test.csv}}
  tasks: {{polarity: {{kind: classification, dataset: films, column: label}}}}
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MTL_FETCH_FROM", raising=False)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Serves the files of a data set `tiny`, which the table has as long as the test runs."""
    rows = {
        name: {"path": name, "sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text)}
        for name, text in ROWS.items()
    }
    source = {"about": "Films", "licence": "MIT", "repository": "a/b", "commit": "a" * 40}
    monkeypatch.setitem(known_sources(), "tiny", Source.model_validate({**source, "files": rows}))
    with serving({f"tiny/{name}": text for name, text in ROWS.items()}) as state:
        yield state


@pytest.fixture
def study(tmp_path: Path, tiny_encoder: Path) -> str:
    path = tmp_path / "films.yaml"
    path.write_text(STUDY.format(encoder=tiny_encoder), encoding="utf-8")
    return str(path)


def test_a_study_says_what_it_lacks_is_fetched_and_passes(
    mtl: Mtl, server: FileServer, study: str
) -> None:
    outcome = mtl("check", study)
    assert outcome.code == 2
    assert "fetched:tiny: the data is not on this machine yet; `mtl fetch tiny`" in outcome.err
    outcome = mtl("fetch", study, "--from", server.address)
    assert (outcome.code, outcome.err) == (0, "")
    assert "licence MIT" in outcome.out
    assert "fetched: 2 files" in outcome.out
    assert mtl("check", study).code == 0
    assert "was there already" in mtl("fetch", "tiny", "--from", server.address).out
    assert len(server.asked) == 2


def test_the_mirror_may_come_from_the_environment(
    mtl: Mtl, server: FileServer, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTL_FETCH_FROM", server.address)
    assert mtl("fetch", study).code == 0
    assert len(server.asked) == 2


def test_a_fetch_that_fails_is_one_line(mtl: Mtl, server: FileServer, study: str) -> None:
    server.files.clear()
    outcome = mtl("fetch", study, "--from", server.address)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "404 Not Found" in outcome.err


def test_what_can_be_had_comes_before_what_cannot(mtl: Mtl, server: FileServer, study: str) -> None:
    text = Path(study).read_text(encoding="utf-8")
    other = "    far: {kind: lines, splits: {train: nowhere.txt, dev: 0.1}}\n    films:"
    task = "tasks:\n    words: {kind: masked_lm, dataset: far}\n    polarity: "
    text = text.replace("    films:", other).replace("tasks: {polarity: ", task)
    Path(study).write_text(text.rstrip().removesuffix("}") + "\n", encoding="utf-8")
    outcome = mtl("fetch", study, "--from", server.address)
    assert outcome.code == 2
    assert "nowhere.txt" in outcome.err
    assert "fetched: 2 files" in outcome.out


def test_what_is_no_name_is_told(mtl: Mtl) -> None:
    outcome = mtl("fetch", "snipss")
    assert outcome.code == 2
    assert "Data that can be fetched: snips, " in outcome.err
    assert "Did you mean 'snips'?" in outcome.err


def test_a_study_with_nothing_to_fetch_says_so(mtl: Mtl) -> None:
    outcome = mtl("fetch", "demo")
    assert outcome.code == 0
    assert "sample: on this machine" in outcome.out


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize("name", ["snips", "nlu"])
def test_bundled_studies_pass_their_check_once_fetched(mtl: Mtl, name: str) -> None:
    assert mtl("fetch", name, "--from", str(SHARED)).code == 0
    assert mtl("check", name).code == 0
