"""Writes texts with a model of Transformers, whichever writer it has.

Transformers' `generate` does the work. Three things are added, so that the text of a row does not
depend on the rows beside it: rules on what stands in a text already do not see the padding before
its prompt, a text gets as much room as without padding, and where tokens are drawn, each row has a
generator of its own. A fourth saves time: what prompts have in common from their begin on is read
once.
"""

import inspect
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from mtl_core.data.arrays import Int64Array
from mtl_core.data.batching import Batch
from mtl_core.data.layouts.pieces import special_ids
from mtl_core.model.writers.next_token import SeededDraw, WithoutPadding
from mtl_core.model.writers.shared_prompts import ends_of_chains, read_prompts
from mtl_core.tasks.decoding.base import Decoding
from mtl_core.tasks.writer import Stream

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

ROWS = 32
"""Rows, or beams, that are written at once: each keeps its keys and values of all layers."""
_OWN = (
    "bos_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
    "bad_words_ids",
    "suppress_tokens",
    "begin_suppress_tokens",
)
"""What of a model's own generation settings says how its texts look, and not how they are found."""


def write_texts(
    whole: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    prompts: Batch,
    decoding: Decoding,
    *,
    seeds: Int64Array,
    stream: Stream | None = None,
) -> list[list[int]]:
    """Returns the token ids that follow each prompt, the end token left out.

    Up to the rounding of sums, they depend on nothing but prompt, settings and seed of their row. A
    prompt that leaves no room gets no token.

    Args:
        whole: A causal or sequence-to-sequence model, in evaluation mode.
        tokenizer: Its tokenizer.
        prompts: What is gone on from, or the sources.
        decoding: How the next token is chosen.
        seeds: The seed of each row, (batch,); they are read where tokens are drawn.
        stream: Takes the tokens of a single prompt; not where tokens are taken back, as in beam
            search.
    """
    written: list[list[int]] = [[] for _ in range(len(prompts.token_ids))]
    lengths = prompts.attention_mask.sum(dim=1).cpu().numpy()  # (batch,)
    texts = [ids[:length] for ids, length in zip(prompts.token_ids.tolist(), lengths, strict=True)]
    for rows in _groups(whole, lengths, ends_of_chains(texts), decoding):
        some = torch.from_numpy(rows).to(prompts.token_ids.device)
        token_ids, mask = (
            part[some, : lengths[rows].max()]
            for part in (prompts.token_ids, prompts.attention_mask)
        )
        if not whole.config.is_encoder_decoder:
            token_ids, mask = _on_the_left(token_ids, mask)
        found = _generate(
            whole, tokenizer, token_ids, mask, decoding, seeds=seeds[rows], stream=stream
        )
        for row, ids in zip(rows, found, strict=True):
            written[row] = ids
    return written


def _groups(
    whole: "PreTrainedModel", lengths: Int64Array, ends: Int64Array, decoding: Decoding
) -> Iterator[Int64Array]:
    """Yields the rows that are written together, (rows,) each.

    Args:
        whole: The model.
        lengths: Tokens of each prompt, (batch,).
        ends: Number of a prompt that begins with each; those of one stay together, (batch,).
        decoding: How the next token is chosen.
    """
    size = max(1, ROWS // decoding.width)
    # With padding, a decoder has to be told the position of each token. One that is not told, and
    # texts that end with the model's positions, are written beside prompts of their length alone.
    is_free = np.ones(len(lengths), dtype=np.bool_)
    if not whole.config.is_encoder_decoder:
        is_told = "position_ids" in inspect.signature(whole.forward).parameters
        is_free = (_room(whole) - lengths >= decoding.max_new_tokens) & is_told
    by_length = np.lexsort((lengths, ends, lengths[ends]))
    keys = np.where(is_free, -1, lengths)[by_length]
    for key in np.unique(keys):
        rows = by_length[keys == key]
        yield from (rows[first : first + size] for first in range(0, len(rows), size))


def _on_the_left(token_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Returns rows with their padding moved to the left: a decoder goes on behind the last token.

    Args:
        token_ids: Padded on the right, (rows, length).
        mask: 1 = a token, 0 = padding, (rows, length).
    """
    length = mask.shape[1]
    places = torch.arange(length, device=mask.device) - (length - mask.sum(dim=1, keepdim=True))
    return token_ids.gather(1, places % length), (places >= 0).to(mask.dtype)


def _generate(
    whole: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    token_ids: Tensor,
    mask: Tensor,
    decoding: Decoding,
    *,
    seeds: Int64Array,
    stream: Stream | None,
) -> list[list[int]]:
    """Returns the token ids that follow prompts, (rows, length), padded as the model needs it."""
    from transformers import LogitsProcessorList, StoppingCriteriaList

    start, rules = 1, decoding.rules()
    # A decoder's text stands behind its prompt; that of an encoder-decoder begins anew.
    if not whole.config.is_encoder_decoder:
        start = token_ids.shape[1]
        padding = (mask == 0).sum(dim=1).repeat_interleave(decoding.width)
        rules = [WithoutPadding(rule, padding) for rule in rules]
    if (most := _room(whole) - start) < 1:
        return [[] for _ in token_ids]
    ends = end_tokens(whole, tokenizer)
    draws = [SeededDraw(seeds)] if decoding.is_drawn else []
    stops = [_Stop(tokenizer, decoding, start)] if decoding.stop else []
    known = None
    if not whole.config.is_encoder_decoder:
        known = read_prompts(whole, token_ids, mask, width=decoding.width)
    with _settings_of(whole, _settings(whole, tokenizer, decoding, most=most)) as settings:
        sequences: Tensor = whole.generate(
            token_ids,
            attention_mask=mask,
            past_key_values=known,
            generation_config=settings,
            logits_processor=LogitsProcessorList([*rules, *decoding.warpers(), *draws]),
            stopping_criteria=StoppingCriteriaList(stops),
            streamer=stream if decoding.width == 1 else None,
        )
    return [_trimmed(row, ends, stops) for row in sequences[:, start:].tolist()]


class _Stop:
    """Ends a text as soon as one of the strings that end it stands in it.

    Transformers' `StopStringCriteria` would look into the prompt, too, and works on the whole
    vocabulary at every call.
    """

    def __init__(
        self, tokenizer: "PreTrainedTokenizerFast", decoding: Decoding, start: int
    ) -> None:
        self._tokenizer, self._decoding, self._start = tokenizer, decoding, start

    def __call__(self, input_ids: Tensor, scores: Any, **others: Any) -> Tensor:
        """Returns which texts have ended, (rows,), bool."""
        texts = self._tokenizer.batch_decode(input_ids[:, self._start :])
        return torch.tensor([self._ends(text) for text in texts], device=input_ids.device)

    def needed(self, ids: list[int]) -> list[int]:
        """Returns the ids up to the first with which a string that ends the text is there."""

        def has_ended(count: int) -> bool:
            return self._ends(self._tokenizer.decode(ids[:count]))

        return ids[: bisect_left(range(len(ids)), True, key=has_ended)]

    def _ends(self, text: str) -> bool:
        return len(self._decoding.cut(text)) < len(text)


def end_tokens(whole: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast") -> list[int]:
    """Returns the tokens that end a text.

    They are the tokenizer's own end token, or what stands between texts where it has none, as with
    encoders; the one that ends a reply in its chat template; and others that the model names. Of
    these last, words are left out: where a tokenizer was made for the data, the model's settings
    are of another one.
    """
    named = whole.generation_config.eos_token_id if whole.generation_config else None
    special = special_ids(tokenizer)
    own = tokenizer.sep_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id
    others = [named] if isinstance(named, int) else named or []
    found = [own, _reply_end(tokenizer), *(one for one in others if one in special)]
    return list(dict.fromkeys(one for one in found if one is not None))


def ends_of_texts(found: "GenerationConfig") -> "GenerationConfig":
    """Returns what of a model's own settings says how its texts begin and end, and look.

    How they are found is left out: decoding says so, and Transformers refuses to save some of it.
    """
    names = (*_OWN, "eos_token_id", "pad_token_id")
    return type(found)(**{name: getattr(found, name, None) for name in names})


def _reply_end(tokenizer: "PreTrainedTokenizerFast") -> int | None:
    """Returns the special token that a reply ends with in a tokenizer's chat template."""
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        return None
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    try:
        text: str = tokenizer.apply_chat_template(turns, tokenize=False)
    except TemplateError:  # Whoever uses it is told by the layout.
        return None
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    special = special_ids(tokenizer)
    return next((one for one in reversed(ids) if one in special), None)


def _settings(
    whole: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerFast",
    decoding: Decoding,
    *,
    most: int,
) -> "GenerationConfig":
    from transformers import GenerationConfig

    ends = end_tokens(whole, tokenizer)
    # What stands behind texts that have ended; nobody sees it.
    padding = next((one for one in (tokenizer.pad_token_id, *ends) if one is not None), 0)
    own = {name: getattr(whole.generation_config, name, None) for name in _OWN}
    return GenerationConfig(
        **{name: value for name, value in own.items() if value is not None},
        **decoding.settings(most=most),
        eos_token_id=ends or None,
        pad_token_id=padding,
        use_cache=True,
    )


@contextmanager
def _settings_of(
    whole: "PreTrainedModel", settings: "GenerationConfig"
) -> "Iterator[GenerationConfig]":
    """Gives a model settings in the place of its own, from which `generate` takes what is unset."""
    # A model for summaries, for instance, has beams and a shortest length of its own there.
    own = whole.generation_config
    whole.generation_config = settings
    try:
        yield settings
    finally:
        whole.generation_config = own


def _room(whole: "PreTrainedModel") -> int:
    """Returns how many tokens the decoder has positions for."""
    config = whole.config.get_text_config(decoder=True)
    room: int = getattr(config, "max_position_embeddings", None) or 2**31
    for name, table in whole.get_decoder().named_modules():
        # RoBERTa counts from behind the id of padding: its table has more rows than places.
        is_table = name.endswith("position_embeddings") and isinstance(table, nn.Embedding)
        if is_table and table.padding_idx is not None:
            room = min(room, table.num_embeddings - table.padding_idx - 1)
    return room


def _trimmed(ids: list[int], ends: Sequence[int], stops: Sequence[_Stop]) -> list[int]:
    """Returns the tokens of a text, without its end token and what stands behind it."""
    # Beam search without an end token fills up with -1.
    text = list(takewhile(lambda one: one not in ends and one >= 0, ids))
    return stops[0].needed(text) if stops else text
