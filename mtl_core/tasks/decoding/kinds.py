"""The kinds of decoding; adding one = its file, its word here, its row in the tests."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Tag

from mtl_core.tasks.decoding.beam import Beam
from mtl_core.tasks.decoding.greedy import Greedy
from mtl_core.tasks.decoding.sample import Sample

_REFUSED = (
    "Transformers has it as code on the hub alone (since version 4.56), and code from there is "
    "never run; allowed: beam, greedy, sample"
)
_ELSEWHERE = {
    "contrastive": "contrastive search",
    "contrastive_search": "contrastive search",
    "group_beam": "beam search in groups",
    "group_beams": "beam search in groups",
    "diverse_beam": "beam search in groups",
    "constrained_beam": "constrained beam search",
    "dola": "DoLa",
}


def _known(value: Any) -> Any:
    """Tells why what Transformers once had is refused."""
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if isinstance(kind, str) and kind in _ELSEWHERE:
        raise ValueError(f"kind: {_ELSEWHERE[kind]}: {_REFUSED}")
    return value


def _kind_of(value: Any) -> Any:
    """Returns the kind; greedy without one, so that `decoding.max_new_tokens` can stand alone."""
    if isinstance(value, Mapping):
        return value.get("kind", "greedy")
    return getattr(value, "kind", None)


DecodingSection = Annotated[
    Annotated[Greedy, Tag("greedy")]
    | Annotated[Beam, Tag("beam")]
    | Annotated[Sample, Tag("sample")],
    Discriminator(_kind_of),
    BeforeValidator(_known),
]
