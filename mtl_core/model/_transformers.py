"""Parts of Transformers 5.23 that are undocumented, or called otherwise before; GGUF."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel


LOADING = RLock()
"""Held while Transformers makes a model or reads its weights.

It changes classes of its own meanwhile (`no_tie_weights`, `no_init_weights`) and puts them back. Of
two threads the second would take the changed one for the original, and leave it there for good.
"""


def chosen_attention(encoder: "PreTrainedModel") -> str:
    """Returns the name of the attention that an encoder calls, such as "sdpa" or "eager"."""
    return str(encoder.config._attn_implementation)


def sdpa(*args: Any, **kwargs: Any) -> tuple[Tensor, None]:
    """Calls the attention that Transformers makes of torch's; see `fast_attention`."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    return sdpa_attention_forward(*args, **kwargs)  # type: ignore[no-any-return]


def register_attention(name: str, attention: Callable[..., tuple[Tensor, None]]) -> None:
    """Makes an attention known by a name; it gets the masks that `sdpa` gets."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(name, attention)
    # Without a mask function under its name an attention gets no mask at all, and sees padding.
    AttentionMaskInterface.register(name, sdpa_mask)


def compute_again(model: "PreTrainedModel", *, is_on: bool) -> None:
    """Sets whether a model's layers keep their inputs alone in training, and compute again.

    Raises:
        ValueError: The family has no layers that can.
    """
    # Called gradient checkpointing before; that name warns now.
    new, old = "activation_checkpointing", "gradient_checkpointing"
    name = new if hasattr(model, f"{new}_enable") else old
    if is_on:
        # Not the reentrant one, which wants inputs with a gradient: frozen embeddings have none.
        getattr(model, f"{name}_enable")({"use_reentrant": False})
    else:
        getattr(model, f"{name}_disable")()


@contextmanager
def without_weights() -> Iterator[None]:
    """Gives a context in which models leave their weights as memory comes, tables aside.

    That costs no time, and until they are written hardly any memory.
    """
    from transformers.initialization import no_init_weights

    with LOADING, no_init_weights():
        yield


@contextmanager
def silent_gguf() -> Iterator[None]:
    """Within the block, no progress bar is shown while a GGUF file is unpacked.

    The one that there is does not ask whether the bars of Transformers are switched off.
    """
    from transformers import modeling_gguf_pytorch_utils as reader

    shown = reader.tqdm
    reader.tqdm = partial(shown, disable=True)
    try:
        yield
    finally:
        reader.tqdm = shown


def gguf_facts(file: Path) -> Mapping[str, object]:
    """Returns what a GGUF file says of its model; lists of texts are left out."""
    from transformers.integrations.gguf.reader import read_gguf_metadata

    return read_gguf_metadata(str(file))[0]  # type: ignore[no-any-return]
