"""The `sample` corpus: sentences with intents and slots, generated so that nothing is fetched.

It is meant to be learnable yet easy to learn badly: words shared between slots, distracting
clauses, values and wordings that only dev or test show, wrong and missing labels in train.
"""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from mtl_core.data.example import Example
from mtl_core.data.formats import sample_grammar
from mtl_core.data.formats.base import Columns, DatasetBase, SplitNames, check_columns
from mtl_core.data.formats.sample_grammar import (
    ASIDE_TEMPLATES,
    CLOSING_TEMPLATES,
    INTENT_TEMPLATES,
    PHRASES,
    SLOT_VALUES,
)
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError
from mtl_core.files import hash_files

_Wordings = Mapping[str, Sequence[str]]
"""Name of an intent, phrase or slot -> the ways to word it."""

_SIZES = {"train": 2000, "dev": 300, "test": 500}
_KNOWN_SHARE = {"train": 0.75, "dev": 0.85, "test": 1.0}
"""Split -> share of the templates, phrases and slot values that it may use; dev and still more
test hold what train never shows."""

_ASIDE_PROBABILITY = 0.15
_CLOSING_PROBABILITY = 0.15
_WRONG_INTENT_SHARE = 0.03
_MISSING_LABEL_SHARE = 0.05
_MAX_WORDS = 20


class Sample(DatasetBase):
    """The corpus that the project generates from a grammar; columns `intent` and `slots`."""

    kind: Literal["sample"] = "sample"
    splits: SplitNames = SplitNames()
    """Names of the generated splits; dev and test may be a share of train, such as 0.1."""
    seed: int = Field(default=0, ge=0)
    """Seed of the generator; the same seed gives the same sentences everywhere."""

    def read_split(self, split: str, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Generates a split: 2,000 train, 300 dev or 500 test sentences."""
        check_columns("sample", columns, {"intent": "label", "slots": "tags"})
        corpus = generate_sample(seed=self.seed)
        source = self.splits.named()[split]
        if source not in corpus:
            raise DataError(f"sample: there is no split '{source}'; splits: {', '.join(corpus)}")
        return corpus[source]

    def fingerprint(self) -> str:
        """Returns a hash of the seed, and of the code that makes the sentences of it."""
        # Making them takes longer than all else that is left to do when they are in the cache.
        code = hash_files([Path(__file__), Path(sample_grammar.__file__)])
        return hashlib.sha256(f"{code} {self.seed}".encode()).hexdigest()


def generate_sample(*, seed: int = 0) -> dict[str, list[Example]]:
    """Generates the corpus; the same seed gives the same sentences on every machine.

    Args:
        seed: Picks the sentences, what train never shows, and the rows with spoilt labels.

    Returns:
        The splits train, dev and test of 2,000, 300 and 500 sentences, all different. Columns
        are "intent" (one label) and "slots" (one IOB2 tag per word). In train 3 % of the rows
        have a wrong intent and 5 % lack one column; dev and test are clean.
    """
    # Not a NumPy generator: its streams may change between versions, those of `random` do not. The
    # order of draws is fixed, from here to `_withhold_labels`: another one is another corpus.
    generator = random.Random(seed)
    intents, phrases, values = (
        {name: generator.sample(wordings, k=len(wordings)) for name, wordings in table.items()}
        for table in (INTENT_TEMPLATES, PHRASES, SLOT_VALUES)
    )
    corpus: dict[str, list[Example]] = {}
    # Over all splits: no sentence of dev or test stands in train.
    seen: set[tuple[str, ...]] = set()
    for split, size in _SIZES.items():
        share = _KNOWN_SHARE[split]
        speaker = _Speaker(
            generator=generator,
            intents=_first_share(intents, share),
            phrases=_first_share(phrases, share),
            values=_first_share(values, share),
        )
        corpus[split] = _generate_distinct(speaker, size=size, seen=seen)
    _mislabel(corpus["train"], generator)
    _withhold_labels(corpus["train"], generator)
    return corpus


def _first_share(table: _Wordings, share: float) -> _Wordings:
    """Returns the table with only the first `share` of every name's wordings."""
    # The wordings were shuffled, so these are a sample, and those of train are among those of dev.
    return {name: wordings[: round(share * len(wordings))] for name, wordings in table.items()}


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Says sentences of the grammar with the wordings it knows."""

    generator: random.Random
    intents: _Wordings
    phrases: _Wordings
    values: _Wordings

    def say(self) -> Example:
        """Returns a sentence with its true labels."""
        # The intent first: each is equally likely, however many templates it has.
        intent = self.generator.choice(tuple(self.intents))
        template = self.generator.choice(self.intents[intent])
        if self.generator.random() < _ASIDE_PROBABILITY:
            template = f"{self.generator.choice(ASIDE_TEMPLATES)} {template}"
        if self.generator.random() < _CLOSING_PROBABILITY:
            template = f"{template} {self.generator.choice(CLOSING_TEMPLATES)}"
        words, tags = zip(*self._expand(template), strict=True)
        return Example(words=words, labels={"intent": intent, "slots": tags})

    def _expand(self, template: str) -> Iterator[tuple[str, str]]:
        """Yields the words of a template with their tags."""
        for symbol in template.split():
            name = symbol[1:-1]
            if symbol.startswith("<"):
                yield from self._expand(self.generator.choice(self.phrases[name]))
            elif symbol.startswith("{"):
                value = self.generator.choice(self.values[name.removeprefix("-")])
                # Not strict: the tags go on without end.
                yield from zip(value.split(), _tags(name), strict=False)
            else:
                yield symbol, "O"


def _tags(slot: str) -> Iterator[str]:
    """Yields the tags of the words of a slot value, without end; "-slot" is a mere mention."""
    is_mention = slot.startswith("-")
    yield "O" if is_mention else f"B-{slot}"
    while True:
        yield "O" if is_mention else f"I-{slot}"


def _generate_distinct(
    speaker: _Speaker, *, size: int, seen: set[tuple[str, ...]]
) -> list[Example]:
    """Collects sentences that are not in `seen`, and adds them to it."""
    examples: list[Example] = []
    while len(examples) < size:
        example = speaker.say()
        if example.words not in seen and len(example.words) <= _MAX_WORDS:
            seen.add(example.words)
            examples.append(example)
    return examples


def _mislabel(examples: list[Example], generator: random.Random) -> None:
    """Gives some of the examples a wrong intent, and leaves their slots as they are."""
    for row in generator.sample(range(len(examples)), k=round(_WRONG_INTENT_SHARE * len(examples))):
        example = examples[row]
        wrong = [intent for intent in INTENT_TEMPLATES if intent != example.labels["intent"]]
        labels = {**example.labels, "intent": generator.choice(wrong)}
        examples[row] = Example(words=example.words, labels=labels)


def _withhold_labels(examples: list[Example], generator: random.Random) -> None:
    """Takes one of the two columns from some of the examples."""
    rows = generator.sample(range(len(examples)), k=round(_MISSING_LABEL_SHARE * len(examples)))
    for row in rows:
        example = examples[row]
        kept = generator.choice(("intent", "slots"))
        examples[row] = Example(words=example.words, labels={kept: example.labels[kept]})
