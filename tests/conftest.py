"""Fixtures of all tests: tiny encoders, a small corpus, a factory of run configurations."""

import gc
import json
import os

# Read when the libraries are imported, so set before any test module imports them.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from formats import WriteRows

from mtl_core.data.example import Example
from mtl_core.data.formats.sample import generate_sample

if TYPE_CHECKING:
    from mtl_core.config import RunConfig

RunConfigFactory = Callable[..., "RunConfig"]

_SIZES = {"train": 60, "dev": 24, "test": 24}


def pytest_configure() -> None:
    """Undoes what a shell does to its background jobs: their processes would ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs the files of fast tests first, then those with tests that start Ray or are slow.

    Whole files, as processes are handed whole files (`make test`): so what the tests of a file
    share is made once. Of the slow ones those come first that may take the longest: a long one that
    begins last would leave the other processes idle.
    """
    costs: dict[Path, float] = {}
    for item in items:
        limit = item.get_closest_marker("timeout")
        seconds = float(limit.args[0]) if limit is not None else 0.0
        is_fast = not {"ray", "slow"} & set(item.keywords)
        costs[item.path] = min(0.0 if is_fast else -1.0 - seconds, costs.get(item.path, 0.0))
    items.sort(key=lambda item: (costs[item.path] < 0, costs[item.path]))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of this session, for the tests and the processes that they start."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTL_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def sample() -> dict[str, list[Example]]:
    return generate_sample()


@pytest.fixture(scope="session")
def corpus(sample: dict[str, list[Example]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `seq_in_out` folder with the first rows of the sample corpus that carry both labels."""
    folder = tmp_path_factory.mktemp("corpus")
    for split, size in _SIZES.items():
        rows = [example for example in sample[split] if len(example.labels) == 2][:size]
        write_seq_in_out(folder / split, rows)
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(
    sample: dict[str, list[Example]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A random BERT of 3 layers without dropout, with its tokenizer."""
    return save_bert(tmp_path_factory.mktemp("encoder"), sample["train"], dropout=0.0)


@pytest.fixture(scope="session")
def tiny_encoder_with_dropout(
    sample: dict[str, list[Example]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The weights of `tiny_encoder`, with dropout."""
    return save_bert(tmp_path_factory.mktemp("encoder"), sample["train"], dropout=0.2)


@pytest.fixture(scope="session")
def run_config(corpus: Path, tiny_encoder: Path) -> RunConfigFactory:
    """Makes a quick run on `corpus`; overrides have dotted keys, as in `--set`."""
    from mtl_core.config import RunConfig
    from mtl_core.study_file import override

    raw: dict[str, object] = {
        "encoder": {"name": str(tiny_encoder)},
        "datasets": {"corpus": {"kind": "seq_in_out", "path": str(corpus)}},
        "tasks": {
            "intent": {"kind": "classification", "dataset": "corpus", "column": "intent"},
            "slots": {"kind": "tagging", "dataset": "corpus", "column": "slots"},
        },
        "training": {"epochs": 2, "batch_size": 16, "precision": "fp32"},
    }

    def make(overrides: dict[str, object] | None = None) -> "RunConfig":
        return RunConfig.model_validate(override(raw, overrides or {}))

    return make


@pytest.fixture(scope="session")
def untrained_model(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model as it is saved, though not trained; copy it to change it."""
    from saved_models import save_untrained

    return save_untrained(run_config(), tmp_path_factory.mktemp("untrained") / "model")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Mtl = Callable[..., Outcome]


@pytest.fixture
def mtl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Mtl]:
    """Runs the command line in this process."""
    from tuning.cli.app import main

    on_term, thresholds = signal.getsignal(signal.SIGTERM), gc.get_threshold()

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["mtl", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        return Outcome(int(str(exit_.value.code or 0)), *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, on_term)
    # A command ends with its process, and freezes what is there.
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def write_seq_in_out(folder: Path, examples: list[Example]) -> None:
    """Writes a split in the format of `seq_in_out`; missing labels become empty lines."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = {
        "seq.in": [" ".join(example.words) for example in examples],
        "seq.out": [" ".join(example.labels.get("slots", ())) for example in examples],
        "label": [str(example.labels.get("intent", "")) for example in examples],
    }
    for name, lines in columns.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def save_tokenizer(folder: Path, examples: list[Example]) -> int:
    """Saves a fast WordPiece tokenizer and returns the size of its vocabulary.

    Words of up to five letters are whole, longer ones are spelt, so that both sorts occur.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = sorted({word.lower() for example in examples for word in example.words})
    letters = sorted({letter for word in words for letter in word})
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*specials, *letters, *(f"##{letter}" for letter in letters)]
    pieces += [word for word in words if 1 < len(word) <= 5]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=64, **dict(zip(names, specials, strict=True))
    )
    fast.save_pretrained(folder)
    return len(vocabulary)


def save_bert(folder: Path, examples: list[Example], *, dropout: float) -> Path:
    """Saves a random BERT of 3 layers in a folder, with its tokenizer; returns the folder."""
    import torch
    from transformers import BertConfig, BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()

    config = BertConfig(
        vocab_size=save_tokenizer(folder, examples),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def write_rows(tmp_path: Path) -> WriteRows:
    """Writes text, bytes or JSON into a file of the test's folder."""

    def write(content: object, name: str = "rows.txt") -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text, encoding="utf-8")
        return path

    return write
