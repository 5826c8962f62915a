"""The contract of decoding: how a model that writes chooses its next token; one file per kind.

What a section says is read when text is written, never in training: it can be changed on a trained
model. Transformers' `generate` does the work, see `mtl_core/model/writers/generating.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from mtl_core.section import Section

if TYPE_CHECKING:
    from transformers import LogitsProcessor


class Decoding(Section, ABC):
    """The settings that all ways of decoding share."""

    kind: str
    """How the next token is chosen: greedy | beam | sample."""
    max_new_tokens: int = Field(default=64, ge=1)
    """Longest text, in sub-words; fewer where the model's positions end."""
    min_new_tokens: int = Field(default=0, ge=0)
    """Sub-words before the end token is allowed."""
    repetition_penalty: float = Field(default=1.0, gt=0)
    """What scores of tokens that stand there already are divided by; 1 = none.

    Those of the prompt count where prompt and text are one sequence (Keskar et al. 2019,
    https://arxiv.org/abs/1909.05858).
    """
    no_repeat_ngram: int = Field(default=0, ge=0)
    """No n tokens in a row twice, those of the prompt as above; 0 = no such rule."""
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """The text ends before the first of these strings."""

    is_drawn: ClassVar[bool] = False
    """Whether tokens are drawn at random, from generators that the seeds of the rows start."""

    @property
    def width(self) -> int:
        """How many texts are written side by side for each prompt."""
        return 1

    @model_validator(mode="after")
    def _check_lengths(self) -> "Decoding":
        if self.min_new_tokens > self.max_new_tokens:
            raise ValueError(
                f"min_new_tokens: expected at most max_new_tokens ({self.max_new_tokens}), found "
                f"{self.min_new_tokens}"
            )
        return self

    @abstractmethod
    def own_settings(self) -> Mapping[str, Any]:
        """Returns what of Transformers' `GenerationConfig` the kind sets."""

    def rules(self) -> list["LogitsProcessor"]:
        """Returns what changes the scores of the next token by what stands there already."""
        from transformers import NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

        made: list[LogitsProcessor] = []
        if self.repetition_penalty != 1.0:
            made.append(RepetitionPenaltyLogitsProcessor(self.repetition_penalty))
        if self.no_repeat_ngram:
            made.append(NoRepeatNGramLogitsProcessor(self.no_repeat_ngram))
        return made

    def warpers(self) -> list["LogitsProcessor"]:
        """Returns what changes the scores of the next token before one is drawn."""
        return []

    def settings(self, *, most: int) -> dict[str, Any]:
        """Returns arguments of Transformers' `GenerationConfig`.

        Args:
            most: How many tokens the model has room for behind the prompt, at least 1.
        """
        # `do_sample` never: Transformers draws all rows of a batch from one generator, so that a
        # text would depend on its neighbours; nor `stop_strings`, which it finds in prompts, too.
        return {
            "do_sample": False,
            "num_beams": 1,
            "max_new_tokens": min(self.max_new_tokens, most),
            "min_new_tokens": min(self.min_new_tokens, most),
            **self.own_settings(),
        }

    def cut(self, text: str) -> str:
        """Returns a text up to the first of the strings that end it."""
        return text[: min((place for stop in self.stop if (place := text.find(stop)) >= 0),
                          default=len(text))]  # fmt: skip
