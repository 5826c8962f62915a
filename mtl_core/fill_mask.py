"""Fills the masks of a text with words, by a masked-language-modelling task of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mtl_core.data.arrays import NO_LABEL
from mtl_core.data.batching import Batch, WordPlaces
from mtl_core.data.formats.text_files import with_whole_characters
from mtl_core.errors import ConfigError, DataError, did_you_mean
from mtl_core.predictor import Predictor
from mtl_core.printable import one_line, quoted
from mtl_core.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Guess:
    """A sub-word for a mask, and its probability among all sub-words."""

    word: str
    probability: float

    def __str__(self) -> str:
        return f"{one_line(self.word)} ({self.probability:.3f})"


@dataclass(frozen=True, slots=True)
class FilledMask:
    """What may stand in the place of a mask, `text[start:end]`: the likeliest first."""

    start: int
    end: int
    guesses: tuple[Guess, ...]

    def __str__(self) -> str:
        return f"[{self.start}:{self.end}]: {', '.join(map(str, self.guesses))}"

    def to_plain(self) -> Mapping[str, object]:
        """Returns plain values for JSON."""
        return asdict(self)


def fill_masks(
    predictor: Predictor, text: str, *, top_k: int = 5, task: str | None = None
) -> list[FilledMask]:
    """Returns what may stand in the place of each mask of a text, in their order.

    With several masks, each is filled while the others are masks. As in Transformers' fill-mask
    pipeline, probabilities are a softmax over all sub-words.

    Args:
        predictor: The model.
        text: A text with the mask token of the model's tokenizer, such as "[MASK]" or "<mask>".
        top_k: Guesses for each mask.
        task: Its masked_lm task; None = the only one.

    Raises:
        ConfigError: The model has no such task, or several and none is named; or its tokenizer has
            no mask, or its weights are damaged.
        DataError: The text has no mask, or more sub-words than the model takes.
    """
    name = _task_of(predictor.tasks, task)
    if predictor.tokenizer.mask_token_id is None:
        raise ConfigError("the model fills no masks: its tokenizer has no mask token")
    token_ids, offsets = _tokenize(predictor, text)
    is_mask = token_ids == predictor.tokenizer.mask_token_id
    if not is_mask.any():
        mask = predictor.tokenizer.mask_token
        raise DataError(f"there is no mask in the text {quoted(text[:60])}; this model's is {mask}")
    batch = _batch(token_ids, is_mask, name).to(predictor.device)
    with torch.inference_mode():
        logits = predictor.logits(batch, [name])[name]  # (masks, vocabulary)
        found = torch.softmax(logits.float(), dim=-1).topk(min(top_k, logits.shape[1]))
    places = [offsets[number] for number in is_mask.nonzero().flatten().tolist()]
    return [
        # Some tokenizers have the blanks before a mask in it.
        FilledMask(end - len(text[start:end].lstrip()), end, _guesses(predictor.tokenizer, *best))
        for (start, end), *best in zip(
            places, found.indices.tolist(), found.values.tolist(), strict=True
        )
    ]


def _tokenize(predictor: Predictor, text: str) -> tuple[Tensor, Sequence[tuple[int, int]]]:
    """Returns the ids of the sub-words, (seq,), and the characters of each.

    Raises:
        DataError: They are more than the model takes.
    """
    # Half a surrogate pair, which no tokenizer takes, becomes U+FFFD.
    encoded = predictor.tokenizer(
        with_whole_characters(text), return_offsets_mapping=True, verbose=False
    )
    token_ids, most = torch.tensor(encoded["input_ids"]), predictor.max_length
    if len(token_ids) > most:
        raise DataError(
            f"the text has {len(token_ids)} sub-words, and the model takes {most}; give less of it "
            "around the mask"
        )
    return token_ids, encoded["offset_mapping"]


def _guesses(
    tokenizer: "PreTrainedTokenizerFast", ids: Sequence[int], probabilities: Sequence[float]
) -> tuple[Guess, ...]:
    # Byte-level tokenizers have the blank before a word in it.
    words = [str(tokenizer.decode([token_id])).strip() for token_id in ids]
    return tuple(map(Guess, words, probabilities))


def _task_of(tasks: Mapping[str, Task], name: str | None) -> str:
    """Returns the task that fills masks."""
    able = [key for key, task in tasks.items() if task.fills_masks]
    if not able:
        raise ConfigError(
            "the model fills no masks: that needs a task of kind masked_lm, and its tasks are "
            f"{', '.join(tasks)}"
        )
    if name is None and len(able) > 1:
        raise ConfigError(f"--task: several tasks fill masks, name one: {', '.join(able)}")
    if name is not None and name not in able:
        raise ConfigError(
            f"--task: found {quoted(name)}; tasks that fill masks: {', '.join(able)}."
            f"{did_you_mean(name, able)}"
        )
    return name or able[0]


def _batch(token_ids: Tensor, is_mask: Tensor, task: str) -> Batch:
    """Returns the text as a batch of one row, whose masks are to be computed."""
    none = torch.zeros((1, 0), dtype=torch.int64)
    words = WordPlaces(none, none, none.bool(), torch.zeros(1, dtype=torch.int64))
    # As in training the head computes where there is a label, whatever that is.
    labels = torch.full_like(token_ids, NO_LABEL).masked_fill(is_mask, 0)
    ids = token_ids.unsqueeze(0)  # (1, seq)
    return Batch(ids, torch.ones_like(ids), words, {task: labels.unsqueeze(0)})
