"""Questions with long contexts, in windows, for the tests of layouts and tasks."""

from transformers import PreTrainedTokenizerFast

from mtl_core.data.columns.answers import AnswersColumn
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Answer, Example
from mtl_core.data.layouts.windows import Windows
from mtl_core.data.source import Source

CONTEXT = "play some jazz music in the kitchen then book a table for two in paris tonight please"
QUESTION = Example(
    ("where", "is", "the", "table"),
    {"answers": (Answer("paris", CONTEXT.index("paris")),)},
    second=CONTEXT,
)
NOTHING = Example(("who", "is", "it"), {"answers": ()}, second=CONTEXT)
UNKNOWN = Example(("what", "is", "it"), second=CONTEXT)
COLUMN = AnswersColumn("qa", "answers")


def encode(examples: list[Example], tokenizer: PreTrainedTokenizerFast) -> EncodedSplit:
    return Windows(overlap=4).encode(
        examples, tokenizer, [COLUMN], {"qa": NoLabels()}, max_length=24
    )


def source_of(split: EncodedSplit) -> Source:
    assert split.source is not None
    return split.source
