"""What an encoder takes and gives, found by running it: no list of families has to say it."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from mtl_core.errors import ConfigError
from mtl_core.model.forward_pass import watching, word_table
from mtl_core.printable import one_line

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LENGTH = 8
"""Sub-words of the short row; no encoder takes fewer."""
_MOST = 512
"""Sub-words of the longest row that is run; rows of many thousands would take a minute."""


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """What the code around an encoder has to know of it.

    Attributes:
        width: Numbers of the hidden state of a sub-word.
        words: Rows of its table of words; None = it has none, or something else than a table.
        positions: Sub-words that its tables of positions have room for; None = it has none.
        takes_segments: Whether it has weights of its own for both segments of a pair. Some families
            have a table of one segment, and some look segments up among the words.
        reads_token_ids: Whether the table of words is read for the token ids alone, and through its
            own module.
        layers: Name of the list of its transformer layers, from the input up; "" = it has several
            such lists, or none.
        above: Names of the modules with weights that run after the last layer.
        has_cache: Whether it can keep keys and values for tokens to come.
        uses_all: Whether its output depends on all of its weights. Some families have parts for
            other inputs (entities, contacts), or send each sub-word to some of several experts.
    """

    width: int
    words: int | None
    positions: int | None
    takes_segments: bool
    reads_token_ids: bool
    layers: str
    above: tuple[str, ...]
    has_cache: bool
    uses_all: bool


_FACTS = "facts_of_mtl"
"""The attribute of an encoder that keeps them, so that it runs once, and copies have them too."""


def facts_of(encoder: nn.Module) -> EncoderFacts:
    """Returns the facts of an encoder; it runs on a row of eight sub-words, the first time.

    Args:
        encoder: An encoder of Transformers, or something that `keep_facts` was called for.

    Raises:
        ConfigError: It does not run on token ids alone, or gives no hidden state for each.
    """
    found = vars(encoder).get(_FACTS)
    if found is None:
        with evaluating(encoder):
            found = keep_facts(encoder, _find_facts(encoder))
    return found


def keep_facts(encoder: nn.Module, facts: EncoderFacts) -> EncoderFacts:
    """Has `facts_of` return facts that are known already; returns them."""
    setattr(encoder, _FACTS, facts)
    return facts


def try_training(encoder: "PreTrainedModel") -> None:
    """Runs a forward and a backward pass of a padded batch in training mode; no weight changes.

    Raises:
        ConfigError: It cannot be trained on rows of different lengths.
    """
    ids = _token_ids(encoder, _LENGTH).repeat(2, 1)
    mask = torch.ones_like(ids)
    mask[1, _LENGTH // 2 :] = 0
    # Vectors alone: a gradient of a matrix would take as much memory as the matrix.
    vectors = [p for p in encoder.parameters() if p.ndim == 1 and p.requires_grad]
    with _kept_mode(encoder), torch.random.fork_rng(devices=[]):
        encoder.train()
        states = _run(encoder, ids, mask)
        try:
            torch.autograd.grad(states.sum(), vectors, allow_unused=True)
        except RuntimeError as error:
            raise _refusal(encoder, _reason(error)) from error


def longest_row(encoder: "PreTrainedModel", *, named: int | None) -> int | None:
    """Returns how many sub-words the longest row has that an encoder runs on.

    Args:
        encoder: The encoder.
        named: The limit that its configuration names; None = it names none.

    Returns:
        Sub-words, special tokens included; None = there is no limit.
    """
    limits = [n for n in (named, facts_of(encoder).positions) if n is not None]
    longest = min(limits, default=None)
    tried = _MOST if longest is None else min(longest, _MOST)

    def runs(length: int) -> bool:
        try:
            _run(encoder, _token_ids(encoder, length))
        except ConfigError:
            return False
        return True

    with evaluating(encoder):
        if runs(tried):
            return longest
        # There are limits that a short row does not show, such as biases between positions.
        low, high = _LENGTH, tried
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if runs(middle) else (low, middle)
    return low


def _counting(like: Tensor) -> Tensor:
    return torch.arange(like.shape[-1], device=like.device)


def _find_facts(encoder: "PreTrainedModel") -> EncoderFacts:
    """Runs an encoder that is in evaluation mode, and looks at what it looks up."""
    taken = inspect.signature(encoder.forward).parameters
    if "input_ids" not in taken:
        raise _refusal(encoder, "it takes no token ids")
    if "attention_mask" not in taken:
        raise _refusal(encoder, "it takes no attention mask, so padding would change its output")
    words, ids = word_table(encoder), _token_ids(encoder, _LENGTH)
    with watching(encoder) as seen:
        states = _run(encoder, ids)
    layers, above = seen.layers()
    with torch.enable_grad():
        used = _weights_behind(_run(encoder, ids))
    return EncoderFacts(
        width=int(states.shape[-1]),
        words=words.num_embeddings if isinstance(words, nn.Embedding) else None,
        positions=seen.positions(_LENGTH),
        takes_segments="token_type_ids" in taken and _takes_segments(encoder, ids),
        reads_token_ids=seen.reads_words_for(ids),
        layers=layers,
        above=above,
        has_cache="use_cache" in taken,
        uses_all=used >= {p for p in encoder.parameters() if p.requires_grad},
    )


def _weights_behind(output: Tensor) -> set[Tensor]:
    """Returns what a gradient of an output would come to; none is computed."""
    nodes = [] if output.grad_fn is None else [output.grad_fn]
    seen = set(nodes)
    for node in nodes:  # It grows.
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                nodes.append(following)
    return {node.variable for node in nodes if hasattr(node, "variable")}


def _takes_segments(encoder: "PreTrainedModel", ids: Tensor) -> bool:
    words = word_table(encoder)
    types = (_counting(ids) >= _LENGTH // 2).long().unsqueeze(0)
    with watching(encoder) as seen:
        try:
            encoder(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=types)
        except (IndexError, RuntimeError):  # A table of one segment, or several kinds of segments.
            return False
    return not isinstance(words, nn.Embedding) or seen.reads_words_for(ids)


def _run(encoder: "PreTrainedModel", ids: Tensor, mask: Tensor | None = None) -> Tensor:
    """Returns the hidden states of rows, (batch, seq, width); a ConfigError when there are none."""
    mask = torch.ones_like(ids) if mask is None else mask
    try:
        states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    except Exception as error:  # Whatever a family ends in that asks for something else.
        raise _refusal(encoder, _reason(error)) from error
    if states.shape[:-1] != ids.shape:
        expected, found = tuple(ids.shape), tuple(states.shape[:-1])
        raise _refusal(
            encoder, f"expected a hidden state for each sub-word of {expected}; found {found}"
        )
    return states  # type: ignore[no-any-return]


def _token_ids(encoder: "PreTrainedModel", length: int) -> Tensor:
    """Returns a row of two words in turn, (1, length), neither of them padding."""
    words = word_table(encoder)
    size = words.num_embeddings if isinstance(words, nn.Embedding) else None
    padding = {encoder.config.pad_token_id, getattr(words, "padding_idx", None)}
    # In turn, so that they are never taken for positions.
    known = range(size or int(encoder.config.vocab_size))
    two = [number for number in known[:8] if number not in padding][-2:]
    return torch.tensor(two, device=encoder.device).repeat(-(-length // 2))[:length].unsqueeze(0)


def _refusal(encoder: "PreTrainedModel", reason: str) -> ConfigError:
    config = encoder.config
    return ConfigError(
        f"run.encoder.name: '{config.name_or_path}', a model of the family '{config.model_type}', "
        f"does not run as an encoder of texts here: {reason}"
    )


def _reason(error: Exception) -> str:
    first = one_line(next(iter(str(error).strip().splitlines()), ""))
    return f"{type(error).__name__}: {first[:200]}"


@contextmanager
def _kept_mode(encoder: nn.Module) -> Iterator[None]:
    """Gives each module its own mode back afterwards."""
    modes = [(module, module.training) for module in encoder.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def evaluating(encoder: nn.Module) -> Iterator[None]:
    """Runs an encoder without dropout and gradients; torch's random numbers stay as they are."""
    with _kept_mode(encoder), torch.no_grad(), torch.random.fork_rng(devices=[]):
        encoder.eval()
        yield
