"""Generation: text that is written for a text, or the replies of a dialogue."""

from collections.abc import Sequence
from dataclasses import replace
from string import Formatter
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.columns.target import TargetColumn
from mtl_core.data.dialogue_facts import FACTS
from mtl_core.data.layouts.prompts import PAIR, TEXT, Prompt, names_in
from mtl_core.data.layouts.targets import Targets
from mtl_core.data.prompt_rows import Prompts
from mtl_core.data.source import Source
from mtl_core.error_counts import worst_rows
from mtl_core.errors import ConfigError
from mtl_core.task_errors import TaskErrors, WrongRow
from mtl_core.tasks.base import Head, Task, TaskSection
from mtl_core.tasks.decoding.generate import Generate, Writing
from mtl_core.tasks.decoding.greedy import Greedy
from mtl_core.tasks.decoding.kinds import DecodingSection
from mtl_core.tasks.dialogue_scores.scores import GoalScore, combined_score, judged, score_goals
from mtl_core.tasks.hidden import HiddenSize
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.tasks.outputs import Output, TextView
from mtl_core.tasks.rescoring import Rescore, of_sums, ratio
from mtl_core.tasks.row_texts import RowTexts
from mtl_core.tasks.text_scores import TextScore, score_texts, score_writing, text_parts
from mtl_core.tasks.writer_head import WriterHead


class Generation(TaskSection):
    """Writes text: summaries, translations, answers to questions, replies in dialogues.

    The column holds the text to write. Or it holds dialogues, lists of {role, content}, and is the
    column of the data set's text as well: then all turns of the role assistant are written.
    """

    pipeline: ClassVar[str | None] = "text-generation"
    writes: ClassVar[bool] = True
    has_layers: ClassVar[bool] = False
    at_decoding: ClassVar[tuple[str, ...]] = ("decoding",)
    kind: Literal["generation"] = "generation"
    prompt: str | None = None
    """Template of what is read, with columns in braces: `"Summarise: {text}"`; null = the text.

    `{text}` and `{text_pair}` are the texts of the data set, whatever their columns are called.
    """
    instruction: str = ""
    """What stands before all else, also before the turns of a dialogue; never cut off."""
    chat: bool = False
    """Whether the chat template of the tokenizer shapes rows, as chat models were trained; else
    they are plain lines."""
    target_length: int = Field(default=128, ge=2)
    """Longest text that is learnt, in sub-words, its end included; longer ones are cut."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of each token's probability that goes to all tokens alike, while training."""
    decoding: DecodingSection = Greedy()
    """How text is written; can be changed on a trained model."""
    generate: Generate = Generate()
    """How much is written while training."""
    scores: tuple[TextScore | GoalScore, ...] = Field(
        default=("bleu", "chrf", "rouge_l"), min_length=1
    )
    """Scores, the main one first; those of tokens are always there.

    `inform`, `success`, `combined` and `richness` are of dialogues of MultiWOZ, whose data set then
    needs `databases`.
    """

    @model_validator(mode="after")
    def _check_prompt(self) -> "Generation":
        if self.prompt is None:
            return self
        try:
            names = names_in(self.prompt)
        except ValueError as error:
            raise ValueError(f"prompt: {error}") from error
        if not names:
            raise ValueError(
                "prompt: it names no column, so that it would be the same for every row; expected "
                "one in braces, such as {text}"
            )
        if named := names & set(self._columns):
            raise ValueError(f"prompt: '{min(named)}' is what is to be written; leave it out")
        return self

    @model_validator(mode="after")
    def _check_written(self) -> "Generation":
        if not all(self._columns):
            raise ValueError("column: expected the column of the text to write, found none")
        if len(set(self.scores)) < len(self.scores):
            raise ValueError(f"scores: each can be there once; found {', '.join(self.scores)}")
        if self.scores[0] == "richness":
            raise ValueError("scores: richness has no highest value, and cannot be the main score")
        return self

    @property
    def _columns(self) -> tuple[str, ...]:
        """The columns of the text to write, one for each data set or one for all."""
        return tuple(self.column.values()) if isinstance(self.column, dict) else (str(self.column),)

    @property
    def goal_scores(self) -> tuple[GoalScore, ...]:
        """The scores that hold dialogues against the goals of their users."""
        return tuple(name for name in get_args(GoalScore) if name in self.scores)

    def make_column(self, name: str, column: str) -> TargetColumn:
        """Returns its column, with those that the prompt names."""
        named = (part[1] for part in Formatter().parse(self.prompt or ""))
        sources = tuple(dict.fromkeys(one for one in named if one not in (None, TEXT, PAIR)))
        facts = (FACTS,) if self.goal_scores else ()
        return TargetColumn(name, column, (*sources, *facts), self.target_length)

    def layout(self, *, reads_targets: bool) -> Targets:
        """Returns rows with what is to be written."""
        prompt = Prompt(self.prompt or "", self.instruction, self.chat)
        facts = FACTS if self.goal_scores else ""
        return Targets(reads_targets, prompt, self.target_length, facts)

    def build(self, name: str, labels: NoLabels) -> "GenerationTask":
        """Builds the task."""
        return GenerationTask(name, self)


class GenerationTask(Task):
    """Scores of written texts, and of the tokens of the right ones; see `Task`."""

    def __init__(self, name: str, section: Generation) -> None:
        self.name = name
        self.labels = NoLabels()
        self.main_score = section.scores[0]
        self.writing = Writing(section.decoding, section.generate)
        self._section = section

    def make_head(self, size: HiddenSize) -> Head:
        """Returns a head that asks the model's writer.

        Raises:
            ConfigError: The model has none.
        """
        if size.writer is None:
            raise ConfigError(f"run.tasks.{self.name}.kind: generation needs a model that writes")
        return WriterHead(size.writer, self.name, self._section.label_smoothing)

    def collect(self, outcome: Outcome) -> Outcome:
        """Returns the outcome with the right texts of every row in place of token ids."""
        # Not those that the token ids spell: what a tokenizer drops is missing there.
        source = outcome.source
        assert source is not None, "rows with texts to write know their examples"
        gold = [np.array(one) for one in source.answers_of_rows()]
        if not self._section.goal_scores:
            return replace(outcome, gold=gold)
        # Now, as dialogues are known within one data set alone: (rows, 3) -> (rows, 6).
        goals = judged(source, outcome.written, self.name)
        return replace(outcome, gold=gold, predicted=[*np.hstack([outcome.predicted, goals])])

    def score(self, outcome: Outcome) -> dict[str, float]:
        """Returns the scores over all texts that were written, and over the tokens of all rows."""
        written = [text for texts in outcome.written.values() for text in texts]
        gold = [text for row in outcome.written for text in outcome.gold[row]]
        tokens, goals = [row[:3] for row in outcome.predicted], self._section.goal_scores
        names = [name for name in self._section.scores if name not in goals]
        found = score_writing(names, written, gold, tokens)  # type: ignore[arg-type]
        if goals:
            found |= score_goals(goals, [row[3:] for row in outcome.predicted], written, gold)
        first = {name: found[name] for name in self._section.scores if name in found}
        return first | found

    def rescore(self, outcome: Outcome) -> Rescore:
        """Returns what computes the main score of rows that are drawn anew."""
        if self.main_score == "token_accuracy":
            return ratio([row[1:3] for row in outcome.predicted])
        judgements = [row[3:] for row in outcome.predicted]
        if self.main_score in ("inform", "success"):
            at = 1 if self.main_score == "inform" else 2
            return ratio([(row[at], row[0]) for row in judgements])
        is_combined = self.main_score == "combined"
        name = "bleu" if is_combined else self.main_score
        parts, score = text_parts(name, outcome.written, [one.tolist() for one in outcome.gold])
        if not is_combined:
            return of_sums(parts, score)
        return of_sums(
            np.hstack([judgements, parts]),
            lambda sums: combined_score(sums[:3], score(sums[3:])),
        )

    def is_right(self, outcome: Outcome) -> npt.NDArray[np.bool_] | None:
        """Returns None: a text can be good in other words."""
        return None

    def errors(self, head: Head, outcome: Outcome, texts: RowTexts) -> TaskErrors | None:
        """Returns the texts that were written and are least like the right ones."""
        assert isinstance(head, WriterHead)
        assert outcome.source is not None
        if not outcome.written:
            return None
        rows = np.array(sorted(outcome.written), dtype=np.int64)
        prompts = Prompts.of(texts.split, self.name, rows, reads_targets=head.reads_targets)
        gold = outcome.source.answers_of_rows()
        written = [text for row in rows.tolist() for text in outcome.written[row]]
        right = [text for row in rows.tolist() for text in gold[row]]
        pairs = list(zip(written, right, strict=True))
        wrong = {
            number: 1 - score_texts(["chrf"], [guess], [one])["chrf"]
            for number, (guess, one) in enumerate(pairs)
            if not score_texts(["exact_match"], [guess], [one])["exact_match"]
        }

        def show(number: int) -> WrongRow:
            read = texts.of_ids(prompts.token_ids.row(number))
            row = int(prompts.of_row[number])
            return WrongRow(texts.example(row), read, right[number], written[number], 0.0)

        return TaskErrors(
            rows=len(pairs), unit="texts", wrong=len(wrong), measure="1 - chrF",
            worst=worst_rows(wrong, show),
        )  # fmt: skip

    def says(
        self, head: Head, rows: Sequence[Decoded], texts: Sequence[TextView], source: Source | None
    ) -> list[Output]:
        """Returns nothing: what it says is written, by `writing` and the model's writer."""
        return [None] * len(texts)
