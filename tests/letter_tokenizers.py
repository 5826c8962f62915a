"""Tokenizers whose sub-words are letters, so that rows can be read and worked out by hand."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

END, BEGIN, STOP = "<end>", "<|begin|>", "<|stop|>"
CHAT = (
    "{% for message in messages %}<|begin|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|stop|>\n{% endfor %}{% if add_generation_prompt %}<|begin|>assistant\n{% endif %}"
)


def letters(*, chat: str | None = CHAT, end: str | None = END) -> PreTrainedTokenizerFast:
    """Returns a byte-level tokenizer without merges, such as decoders have: one token a letter."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {letter: number for number, letter in enumerate([*alphabet, END, BEGIN, STOP])}
    tokenizer = Tokenizer(models.BPE(ids, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END, BEGIN, STOP])
    found = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end)
    found.chat_template = chat
    return found


def framed() -> PreTrainedTokenizerFast:
    """Returns one that puts a begin and an end around a text, as encoder-decoders have it."""
    found = letters()
    backend = found.backend_tokenizer
    backend.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}",
        special_tokens=[(token, backend.token_to_id(token)) for token in (BEGIN, END)],
    )
    return found


def spaced() -> PreTrainedTokenizerFast:
    """Returns one that writes a sign for each space, and one before a text, as Llama's does."""
    signs = [chr(code) for code in range(33, 127)] + ["\u2581", "<0x0A>"]
    ids = {letter: number for number, letter in enumerate([*signs, END])}
    tokenizer = Tokenizer(models.BPE(ids, [], byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens([END])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)


def spelt(tokenizer: PreTrainedTokenizerFast, ids: object) -> str:
    """Returns the tokens of a row as one text, special ones included; "_" for negative ids."""
    return "".join("_" if one < 0 else tokenizer.decode([one]) for one in ids)  # type: ignore[attr-defined]
