"""An address in the place of a path is refused, and makes no local folder of its name."""

from pathlib import Path

import pytest
from conftest import Mtl, RunConfigFactory
from pydantic import TypeAdapter, ValidationError

from mtl_core.addresses import not_local
from mtl_core.errors import CacheError, ConfigError
from mtl_core.hub import find_model
from mtl_core.paths import cache_folder
from mtl_core.section import DataFiles, DataPath, IdOrFolder
from mtl_core.study_file import dump
from tuning.cli.arguments import files_by_dataset

ADDRESSES = ["s3://bucket/runs", "gs://b", "hdfs://host:9000/a", "S3://B/x", "az+v2://a/b"]
PATHS = ["runs", "/runs", "~/runs", "./s3:/bucket", "C:/runs", "C:\\runs", "a:b", "org/name", ""]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_no_path(address: str) -> None:
    for given in (address, Path(address)):
        assert f"found the address '{address}'" in not_local(given)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_no_address(path: str) -> None:
    assert not_local(path) == ""


@pytest.mark.parametrize("kind", [DataPath, DataFiles, IdOrFolder])
@pytest.mark.parametrize("address", ADDRESSES)
def test_no_path_of_a_study_file_is_an_address(kind: type, address: str) -> None:
    with pytest.raises(ValidationError, match=r"expected a path, "):
        TypeAdapter(kind).validate_python(address)


def test_data_files_may_lie_on_a_server() -> None:
    assert TypeAdapter(DataFiles).validate_python("https://x/y.csv") == "https://x/y.csv"


def test_no_file_to_score_is_an_address() -> None:
    with pytest.raises(ConfigError, match=r"^--file: expected a path, found the address"):
        files_by_dataset(["trips=s3://bucket/new.csv"], ["trips"])


def test_no_model_and_no_cache_is_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="found the address 's3://bucket/model'"):
        find_model("s3://bucket/model")
    monkeypatch.setenv("MTL_CACHE", "s3://bucket/cache")
    with pytest.raises(CacheError, match=r"^MTL_CACHE: expected a path, found the address"):
        cache_folder()


@pytest.mark.parametrize(
    "words",
    [
        ("status", "s3://b/x"),
        ("report", "s3://b/x"),
        ("evaluate", "s3://b/x"),
        ("evaluate", "s3://b/x", "--all"),
        ("predict", "s3://b/x", "a text"),
        ("predict", "model", "--file", "s3://b/x"),
        ("predict", "model", "a text", "--output", "s3://b/x"),
        ("push", "s3://b/x", "me/model"),
        ("init", "s3://b/x"),
        ("init", "data.csv", "--output", "s3://b/x"),
        ("schema", "--output", "s3://b/x"),
        ("check", "s3://b/x"),
        ("train", "s3://b/x"),
        ("train", "small.yaml", "--output", "s3://b/x"),
        ("train", "small.yaml", "--init-from", "s3://b/x"),
        ("tune", "small.yaml", "--set", "study.storage=s3://b/x"),
        ("tune", "small.yaml", "--log-file", "s3://b/x"),
        ("check", "small.yaml", "--set", "encoder.name=s3://b/x"),
        ("check", "small.yaml", "--set", "datasets.corpus.path=s3://b/x"),
        ("submit", "small.yaml", "--address", "http://x", "--working-dir", "s3://b/x"),
    ],
)
def test_every_command_refuses_it_in_one_line(
    words: tuple[str, ...],
    mtl: Mtl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_config: RunConfigFactory,
) -> None:
    monkeypatch.chdir(tmp_path)
    study = dump({"run": run_config().model_dump(mode="json"), "study": {"trials": 1}})
    Path("small.yaml").write_text(study, encoding="utf-8")
    Path("data.csv").write_text("text,label\na,b\n", encoding="utf-8")
    found = mtl(*words)
    assert (found.code, found.err.count("\n")) == (2, 1), found.err
    assert "found the address 's3://b/x'; only folders of this machine" in found.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "small.yaml"]
