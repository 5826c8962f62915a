"""Data sets of the hub: those of text files keep their values, and a hub out of reach is told."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from conftest import Mtl
from full_disks import no_file_beyond
from hub_server import Hub, serving_hub

from mtl_core._huggingface_hub import offline
from mtl_core.data.formats import hub as hub_format
from mtl_core.errors import StorageError

READ = """
import sys
from mtl_core.data.formats.kinds import DatasetSection
from mtl_core.data.splits import read_splits
from mtl_core.errors import MtlError
from pydantic import TypeAdapter
section = TypeAdapter(DatasetSection).validate_python(
    {"kind": "hub", "name": sys.argv[1], "splits": {"test": None}})
try:
    fingerprint = section.fingerprint()
    rows = read_splits(section, {"label": "label"})["train"]
    print([row.labels.get("label") for row in rows], fingerprint[:8])
except MtlError as error:
    print(error)
"""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving_hub(monkeypatch) as server:
        yield server


def read(folder: Path, address: str, name: str, *, is_offline: bool = False) -> str:
    """Reads in a process of its own: `datasets` takes the address once, when it is imported."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": address,
        "HF_HOME": str(folder / "hf"),
        "MTL_CACHE": str(folder / "mtl"),
        "HF_HUB_OFFLINE": str(int(is_offline)),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    command = [sys.executable, "-c", READ, name]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    assert "Retrying" not in done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_text_files_of_the_hub_keep_their_values_also_when_it_is_out_of_reach(
    hub: Hub, tmp_path: Path
) -> None:
    hub.models["datasets/someone/rows"] = {
        "main": {
            "train.csv": b"text,label\na,None\nb,1.0\n",
            "validation.csv": b"text,label\na,NA\n",
        }
    }
    online = read(tmp_path, hub.address, "someone/rows")
    assert online.startswith("['None', '1'] ")
    assert read(tmp_path, hub.address, "someone/rows", is_offline=True) == online
    assert read(tmp_path, "http://127.0.0.1:9", "someone/rows") == online


def test_data_that_the_disk_does_not_take_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets  # Before the limit: Python writes what it compiles of it.

    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "rows").mkdir()
    rows = {"text": ["some text"] * 500, "label": ["a"] * 500}
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "rows" / "train.parquet")
    section = hub_format.Hub.model_validate(
        {"kind": "hub", "name": str(tmp_path / "rows"), "splits": {"dev": 0.5, "test": None}}
    )
    with no_file_beyond(1000), pytest.raises(StorageError, match=r"^cannot write .*: File too lar"):
        section.fingerprint()
    assert section.fingerprint()


def test_what_is_not_on_the_hub_is_told(hub: Hub, tmp_path: Path) -> None:
    hub.models["datasets/someone/rows"] = {"main": {"train.csv": b"text,label\n"}}
    said = read(tmp_path, hub.address, "someone/none")
    assert said.startswith("someone/none [train, validation]: ")
    assert "\n" not in said


def test_a_hub_out_of_reach_is_one_line_after_seconds(tmp_path: Path) -> None:
    start = time.monotonic()
    said = read(tmp_path, "http://127.0.0.1:9", "someone/rows")
    assert re.fullmatch(
        r"someone/rows \[train, validation\]: http://127\.0\.0\.1:9 cannot be reached "
        r"\(.*[Rr]efused\), and the cache does not have it",
        said,
    )
    assert time.monotonic() - start < 30  # most of it imports


def test_an_encoder_of_a_hub_out_of_reach_is_one_line(
    mtl: Mtl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    (tmp_path / "study.yaml").write_text(
        "run:\n  encoder: {name: someone/encoder}\n  datasets: {d: {kind: sample}}\n"
        "  tasks: {y: {kind: classification, dataset: d, column: intent}}\n"
    )
    found = mtl("check", str(tmp_path / "study.yaml"))
    assert found.code == 75
    [line] = [line for line in found.err.splitlines() if "error" in line]
    assert (
        "cannot load the configuration of 'someone/encoder': http://127.0.0.1:9 cannot be" in line
    )
    assert len(found.err.splitlines()) == 1


def test_being_offline_ends_with_its_block() -> None:
    """With another version: look whether the switch is still read where it stands here."""
    assert huggingface_hub.__version__.startswith("2.4.")
    import datasets

    places = (huggingface_hub.constants, datasets.config)
    before = [place.HF_HUB_OFFLINE for place in places]
    with pytest.MonkeyPatch.context() as patch:
        for place in places:
            patch.setattr(place, "HF_HUB_OFFLINE", False)
        with offline():
            assert huggingface_hub.is_offline_mode()
            with pytest.raises(huggingface_hub.errors.OfflineModeIsEnabled):
                huggingface_hub.get_session().head("http://127.0.0.1:9")
            with pytest.raises(ConnectionError):
                datasets.load_dataset_builder("someone/rows")
        assert not huggingface_hub.is_offline_mode()
    assert [place.HF_HUB_OFFLINE for place in places] == before
