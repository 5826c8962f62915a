"""The store of encoded data: one build for everybody, opened as it was written."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import write_seq_in_out
from transformers import PreTrainedTokenizerFast

from mtl_core.built import built_folders
from mtl_core.data import store
from mtl_core.data.arrays import Ragged
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.columns.tags import TagsColumn
from mtl_core.data.example import Example
from mtl_core.data.formats.seq_in_out import SeqInOut
from mtl_core.data.layouts.sentences import Sentences
from mtl_core.data.splits import read_splits
from mtl_core.data.store import EncodedDataset, load_dataset
from mtl_core.errors import CacheError, DataError
from mtl_core.model.backbones.tokenizer import load_tokenizer

SLOTS = TagsColumn("slots", "slots", is_bio=True)
INTENT = LabelColumn("intent", "intent")
SENTENCES = Sentences()


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(tiny_encoder))


def rows(ragged: Ragged) -> list[list[int]]:
    bounds = zip(ragged.offsets[:-1], ragged.offsets[1:], strict=True)
    return [ragged.values[start:end].tolist() for start, end in bounds]


def folder_of(path: Path, text: str = "play music") -> SeqInOut:
    example = Example(tuple(text.split()), {"intent": "a", "slots": ("O",) * len(text.split())})
    for split in ("train", "dev", "test"):
        write_seq_in_out(path / split, [example])
    return SeqInOut(path=path)


def load(section: SeqInOut, tokenizer: PreTrainedTokenizerFast, **changes: int) -> EncodedDataset:
    settings = {"max_length": 16} | changes
    return load_dataset("d", section, [INTENT, SLOTS], tokenizer, layout=SENTENCES, **settings)


def test_second_load_reads_no_examples(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = folder_of(tmp_path)
    first = load(section, tokenizer)
    monkeypatch.setattr(store, "read_splits", lambda *_: pytest.fail("read the data again"))
    second = load(section, tokenizer)
    assert second.labels == first.labels
    assert rows(second.splits["test"].token_ids) == rows(first.splits["test"].token_ids)


def test_stored_arrays_equal_the_encoded_ones_and_are_mapped(
    tokenizer: PreTrainedTokenizerFast, corpus: Path
) -> None:
    dataset = load(SeqInOut(path=corpus), tokenizer, max_length=64)
    examples = read_splits(SeqInOut(path=corpus), {"intent": "label", "slots": "tags"})
    for split, stored in dataset.splits.items():
        fresh = SENTENCES.encode(
            examples[split], tokenizer, [INTENT, SLOTS], dataset.labels, max_length=64
        )
        assert rows(stored.token_ids) == rows(fresh.token_ids)
        assert rows(stored.word_starts) == rows(fresh.word_starts)
        assert np.array_equal(stored.labels["intent"], fresh.labels["intent"])
        assert rows(stored.labels["slots"]) == rows(fresh.labels["slots"])
        # Memory-mapped files are read-only and owned by nobody's heap.
        assert not stored.token_ids.values.flags.writeable
        assert not stored.token_ids.values.flags.owndata


def test_changed_content_and_settings_are_encoded_anew(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    section = folder_of(tmp_path)
    assert len(rows(load(section, tokenizer).splits["dev"].word_starts)[0]) == 2
    folder_of(tmp_path, "play some music")
    assert len(rows(load(section, tokenizer).splits["dev"].word_starts)[0]) == 3
    assert rows(load(section, tokenizer, max_length=4).splits["dev"].word_starts)[0][2] == -1


def test_empty_split_is_refused(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    section = folder_of(tmp_path, "nothing on dev")
    write_seq_in_out(tmp_path / "dev", [])
    with pytest.raises(DataError, match=r"data set 'd': split 'dev' is empty"):
        load(section, tokenizer)


def test_encoded_data_has_a_bound_and_what_is_in_use_stays(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MTL_CACHE_GIB", "1e-6")  # a thousand bytes
    old = tmp_path / "cache" / "encoded" / "old"
    old.mkdir(parents=True)
    (old / "meta.json").write_text("x" * 100)
    load(folder_of(tmp_path / "one", "a data set"), tokenizer)
    assert not old.exists()
    load(folder_of(tmp_path / "two", "another data set"), tokenizer)
    assert len(built_folders(tmp_path / "cache" / "encoded")) == 2
    monkeypatch.setenv("MTL_CACHE_GIB", "much")
    with pytest.raises(CacheError, match=r"^MTL_CACHE_GIB: expected .* GiB, .* found 'much'$"):
        load(folder_of(tmp_path / "three", "a third"), tokenizer)


def test_build_that_fails_leaves_nothing(
    tokenizer: PreTrainedTokenizerFast,
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    section = folder_of(tmp_path, "stop half way")
    before = {path for path in (cache / "encoded").iterdir() if path.is_dir()}
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            load(section, tokenizer)
    assert {path for path in (cache / "encoded").iterdir() if path.is_dir()} == before
    assert len(load(section, tokenizer).splits["train"]) == 1


_BUILD = """
import os, signal, sys
from pathlib import Path
from mtl_core.data import store
from mtl_core.data.columns.label import LabelColumn
from mtl_core.data.formats.seq_in_out import SeqInOut
from mtl_core.data.layouts.sentences import Sentences
from mtl_core.model.backbones.tokenizer import load_tokenizer

mode, encoder, path = sys.argv[1:]
write, read = store.write_split, store.read_splits

def counted(*args):
    print("built", flush=True)
    return read(*args)

def killed(*args):
    write(*args)
    os.kill(os.getpid(), signal.SIGKILL)

store.read_splits = counted
if mode == "killed":
    store.write_split = killed
columns = [LabelColumn("intent", "intent")]
data = store.load_dataset(
    "d", SeqInOut(path=path), columns, load_tokenizer(encoder), layout=Sentences(), max_length=16
)
print(len(data.splits["train"]))
"""


def build_elsewhere(mode: str, encoder: Path, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _BUILD, mode, str(encoder), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_killed_build_and_two_at_once_leave_one_whole_data_set(
    tiny_encoder: Path, tmp_path: Path, cache: Path
) -> None:
    folder_of(tmp_path, "killed while building")
    with build_elsewhere("killed", tiny_encoder, tmp_path) as process:
        process.communicate(timeout=280)
    assert process.returncode == -9
    [left] = (cache / "encoded").glob("*.part")

    processes = [build_elsewhere("whole", tiny_encoder, tmp_path) for _ in range(2)]
    outputs = [process.communicate(timeout=280)[0].split() for process in processes]
    assert sorted(outputs) == [["1"], ["built", "1"]]
    assert not left.exists()
