"""Pieces of text as token ids, exactly as they stand: of prompts and of what is to be written."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mtl_core.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

_SPACES = (" ", "\u2581")
"""What a normalizer puts before a text: a space, or the sign that stands for one."""


class PieceIds:
    """Makes token ids of texts, and of pieces that follow each other in one row.

    The tokenizer of a run reads words, each as with a space before it. Here line ends count, and
    there is a space only where the text has one, as where the model was pretrained.

    Attributes:
        before: Special tokens that a row begins with.
        after: Special tokens that it ends with.
        end: The token that ends what a model writes.
        specials: All special tokens.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerFast") -> None:
        """Takes the tokenizer of a run, which stays as it is.

        Raises:
            DataError: It has no token that can end a text.
        """
        state = json.loads(tokenizer.backend_tokenizer.to_str())
        state["truncation"] = state["padding"] = None
        self._first = _tokenizer(_without_space(state, of_all=False))
        self._next = _tokenizer(_without_space(state, of_all=True))
        self.end = _end_of(tokenizer)
        self.specials = special_ids(tokenizer)
        self.before, self.after = _specials(tokenizer("a", return_special_tokens_mask=True))
        written = tokenizer(text_target="a", return_special_tokens_mask=True)
        self._target_before, self._target_after = _specials(written)
        # Models of the BERT kind have no begin of a text to be written: theirs is what the decoder
        # starts from, and no token for it to predict.
        if tokenizer.bos_token_id is None:
            self._target_before = []
        if self._target_after[-1:] != [self.end]:
            self._target_after.append(self.end)

    def of(
        self, texts: Sequence[str], *, is_first: bool = True, has_specials: bool = False
    ) -> list[list[int]]:
        """Returns the token ids of texts, without special tokens around them.

        Args:
            texts: The texts.
            is_first: Whether they begin rows; else they go on where other pieces end.
            has_specials: Whether special tokens may be spelt out in them, as chat templates do;
                else what looks like one is text.
        """
        tokenizer = self._first if is_first else self._next
        tokenizer.encode_special_tokens = not has_specials
        encoded = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [one.ids for one in encoded]

    def target(self, ids: Sequence[int], *, longest: int) -> list[int]:
        """Returns a whole text to be written, cut to fit, with the special tokens around it."""
        room = longest - len(self._target_before) - len(self._target_after)
        return [*self._target_before, *ids[: max(0, room)], *self._target_after]


def special_ids(tokenizer: "PreTrainedTokenizerFast") -> frozenset[int]:
    """Returns the special tokens of a tokenizer, those without a role of their own among them."""
    added = tokenizer.added_tokens_decoder.items()
    return frozenset(
        {number for number, one in added if one.special} | {*tokenizer.all_special_ids}
    )


def _end_of(tokenizer: "PreTrainedTokenizerFast") -> int:
    # Encoders have a token between texts, which then ends them.
    for end in (tokenizer.eos_token_id, tokenizer.sep_token_id):
        if end is not None:
            return int(end)
    raise DataError(
        "the encoder's tokenizer has no token that ends a text (eos_token), without which a model "
        "never stops writing; name one in its tokenizer_config.json"
    )


def _specials(encoded: Any) -> tuple[list[int], list[int]]:
    """Returns the special tokens before and behind the text of an encoded row."""
    ids, mask = encoded["input_ids"], encoded["special_tokens_mask"]
    text = [place for place, is_special in enumerate(mask) if not is_special]
    first, last = (text[0], text[-1]) if text else (len(ids), len(ids))
    return list(ids[:first]), list(ids[last + 1 :])


def _tokenizer(state: dict[str, Any]) -> "Tokenizer":
    from tokenizers import Tokenizer

    return Tokenizer.from_str(json.dumps(state))


def _without_space(state: dict[str, Any], *, of_all: bool) -> dict[str, Any]:
    """Returns the state of a tokenizer that puts no space before a text.

    Args:
        state: The state.
        of_all: Whether the space goes, too, that the tokenizer's own makers put there.
    """
    spaces = _SPACES if of_all else _SPACES[:1]
    parts = [
        part
        for part in _parts(state["normalizer"], "normalizers")
        if part["type"] != "Prepend" or part["prepend"] not in spaces
    ]
    cutters = [
        _cutter(part, of_all=of_all) for part in _parts(state["pre_tokenizer"], "pretokenizers")
    ]
    # Where words are cut apart first, each has its own space, which is none of the text's.
    if any(part["type"].startswith("Whitespace") for part in cutters):
        cutters = list(_parts(state["pre_tokenizer"], "pretokenizers"))
    normalizer = {"type": "Sequence", "normalizers": parts} if parts else None
    cutter = {"type": "Sequence", "pretokenizers": cutters} if cutters else None
    return {**state, "normalizer": normalizer, "pre_tokenizer": cutter}


def _parts(found: dict[str, Any] | None, key: str) -> Iterator[dict[str, Any]]:
    """Yields the parts of a normalizer or pre-tokenizer, of which `key` of a sequence has some."""
    if found is None:
        return
    if found["type"] == "Sequence":
        for part in found[key]:
            yield from _parts(part, key)
    else:
        yield found


def _cutter(part: dict[str, Any], *, of_all: bool) -> dict[str, Any]:
    if part["type"] == "ByteLevel":
        return {**part, "add_prefix_space": False}
    if part["type"] == "Metaspace" and of_all:
        return {**part, "prepend_scheme": "never"}
    return part
