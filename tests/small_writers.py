"""Small random models of Transformers that write, and a tokenizer for them."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

WORDS = 60
"""Entries of the vocabulary: `<pad>`, `</s>`, `<s>`, and one for each of some letters and pairs."""

_LLAMA: dict[str, object] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 12,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "initializer_range": 0.6,
}
_GPT: dict[str, object] = {"n_embd": 24, "n_layer": 2, "n_head": 2, "n_positions": 40}
_BART: dict[str, object] = {
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 40,
    "init_std": 0.3,
    "forced_eos_token_id": None,
}
DECODERS: dict[str, dict[str, object]] = {
    "llama": _LLAMA,
    "gemma": _LLAMA,
    "gpt_neox": _LLAMA,
    "gpt2": _GPT | {"initializer_range": 0.6},
}
ENCODER_DECODERS: dict[str, dict[str, object]] = {
    "bart": _BART,
    "marian": _BART,
    "t5": {"d_model": 24, "d_kv": 12, "d_ff": 32, "num_layers": 2, "num_heads": 2},
}  # fmt: skip


def small_writer(family: str, **settings: object) -> PreTrainedModel:
    """Returns a model of a family in evaluation mode; its weights are the same every time."""
    sizes = (DECODERS | ENCODER_DECODERS)[family]
    special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
    if is_seq2seq := family in ENCODER_DECODERS:
        special["decoder_start_token_id"] = 0
    # Not tied: with random weights, a token would mostly be followed by itself.
    shared = {"vocab_size": WORDS, "tie_word_embeddings": False, **special}
    config = AutoConfig.for_model(family, **(shared | sizes | settings))
    kind = AutoModelForSeq2SeqLM if is_seq2seq else AutoModelForCausalLM
    torch.manual_seed(0)
    model: PreTrainedModel = kind.from_config(config)
    for name, parameter in model.named_parameters() if is_seq2seq else ():
        # So that texts depend on their sources.
        if parameter.dim() == 2 and "embed" not in name and "shared" not in name:
            parameter.data.normal_(0.0, 0.15 if family != "t5" else 0.9)
    return model.eval()


def small_writer_tokenizer(**special: str | None) -> PreTrainedTokenizerFast:
    """Returns a tokenizer of `WORDS` entries, whose texts are put together without spaces."""
    letters = [chr(ord("a") + n) for n in range(26)]
    pieces = [*letters, *(f"{one}." for one in letters), "ab", "ba", " ", ".", "cd"]
    words = ["<pad>", "</s>", "<s>", *pieces][:WORDS]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, "<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    names: dict[str, str | None] = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **(names | special))
